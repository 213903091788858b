package tenancy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

const defaultMaxRoles = 50

// Role is a role of one organization's own.
type Role struct {
	ID, OrganizationID string
	// Name is what Member.Role calls it: lower-case letters, digits, _ and -.
	Name                 string
	Permissions          Permissions
	CreatedAt, UpdatedAt time.Time
}

// checkRole reads a name and permissions as clients write them. Names of the program's
// roles are taken.
func (s *Service) checkRole(name string, p Permissions) (string, Permissions, error) {
	name = strings.Map(lower, strings.TrimSpace(name))
	if _, taken := s.roles[name]; taken {
		return "", nil, ErrRoleTaken
	}
	if !roleName.MatchString(name) {
		return "", nil, problem.ErrValidation.WithFields(problem.FieldError{
			Field: "role", Code: "INVALID_VALUE", Message: "must be 1 to 64 letters, digits, _ and -",
		})
	}
	for resource := range p {
		if s.statements[resource] == nil || !s.statements.Contains(Permissions{resource: p[resource]}) {
			return "", nil, ErrInvalidResource
		}
	}
	return name, merge(p), nil
}

// CreateRole makes a role of the organization's own, which takes the permission
// ac:create and everything that the role allows. It joins the transaction of ctx.
// Errors: those of Authorize; NotAllowed where the caller lacks what the role allows;
// ErrRoleTaken; ErrInvalidResource; ErrTooManyRoles; problem.ErrValidation.
func (s *Service) CreateRole(ctx context.Context, caller *principal.Principal, organizationID, name string, p Permissions) (r Role, err error) {
	name, p, err = s.checkRole(name, p)
	if err != nil {
		return Role{}, err
	}
	err = s.change(ctx, caller, organizationID, "ac", "create", func(ctx context.Context, o Organization, actor Member) error {
		if err := s.mayDefine(ctx, o, actor, p, "create"); err != nil {
			return err
		}
		existing, _, err := s.store.Roles(ctx, o.ID)
		if err != nil {
			return err
		}
		if len(existing) >= s.cfg.MaxRoles {
			return ErrTooManyRoles
		}
		id, err := s.newID()
		if err != nil {
			return err
		}
		now := s.now()
		r = Role{ID: id, OrganizationID: o.ID, Name: name, Permissions: p, CreatedAt: now, UpdatedAt: now}
		if err := s.store.CreateRole(ctx, r); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.RoleChanged, RoleChanged{Organization: o, After: &r, ActorID: actor.UserID})
	})
	if err != nil {
		return Role{}, fmt.Errorf("tenancy: create a role: %w", err)
	}
	return r, nil
}

// mayDefine returns NotAllowed unless the actor has everything in p.
func (s *Service) mayDefine(ctx context.Context, o Organization, actor Member, p Permissions, action string) error {
	own, err := s.Permissions(ctx, o.ID, actor.Role, o.RolesVersion)
	if err != nil {
		return err
	}
	if !own.Contains(p) {
		return NotAllowed("ac", action)
	}
	return nil
}

// RoleRef names a role of an organization's own, by id or by name.
type RoleRef struct{ ID, Name string }

// findRole returns ErrBuiltInRole for a role of the program.
func (s *Service) findRole(ctx context.Context, o Organization, ref RoleRef) (Role, error) {
	name := strings.Map(lower, strings.TrimSpace(ref.Name))
	if name == "" && ref.ID == "" {
		return Role{}, ErrRoleNotFound
	}
	if _, builtIn := s.roles[name]; builtIn && ref.ID == "" {
		return Role{}, ErrBuiltInRole
	}
	roles, _, err := s.store.Roles(ctx, o.ID)
	if err != nil {
		return Role{}, err
	}
	i := slices.IndexFunc(roles, func(r Role) bool { return (ref.ID == "" || r.ID == ref.ID) && (name == "" || r.Name == name) })
	if i < 0 {
		return Role{}, ErrRoleNotFound
	}
	return roles[i], nil
}

// UpdateRoleParams say what becomes of a role.
type UpdateRoleParams struct {
	Caller         *principal.Principal
	OrganizationID string
	Role           RoleRef
	// Name renames it, unless it is empty. A role that members have can't be renamed.
	Name string
	// Permissions replaces what it allows, unless it is nil.
	Permissions Permissions
}

// UpdateRole changes a role of the organization's own, which takes the permission
// ac:update and everything that the role allows, before and after: whoever could change
// a stronger role would have it. It acts on the next request of those who have the role
// (rule R18). It joins the transaction of ctx. Errors: those of CreateRole; ErrRoleNotFound;
// ErrBuiltInRole; ErrRoleInUse.
func (s *Service) UpdateRole(ctx context.Context, p UpdateRoleParams) (r Role, err error) {
	err = s.change(ctx, p.Caller, p.OrganizationID, "ac", "update", func(ctx context.Context, o Organization, actor Member) error {
		before, err := s.findRole(ctx, o, p.Role)
		if err != nil {
			return err
		}
		if r, err = s.revise(before, p); err != nil {
			return err
		}
		if err := s.mayDefine(ctx, o, actor, merge(before.Permissions, r.Permissions), "update"); err != nil {
			return err
		}
		if err := s.store.UpdateRole(ctx, r); err != nil {
			return err
		}
		// A change of the name has waited for whoever was about to give the role.
		holders, err := s.store.RoleHolders(ctx, o.ID, before.Name)
		if err != nil {
			return err
		}
		if r.Name != before.Name && len(holders) > 0 {
			return ErrRoleInUse
		}
		event := RoleChanged{Organization: o, Before: &before, After: &r, UserIDs: holders, ActorID: actor.UserID}
		return hook.Call(ctx, s.cfg.Hooks.RoleChanged, event)
	})
	if err != nil {
		return Role{}, fmt.Errorf("tenancy: update a role: %w", err)
	}
	return r, nil
}

func (s *Service) revise(r Role, p UpdateRoleParams) (Role, error) {
	name, permissions := r.Name, r.Permissions
	var err error
	if p.Name != "" {
		name = p.Name
	}
	if p.Permissions != nil {
		permissions = p.Permissions
	}
	if r.Name, r.Permissions, err = s.checkRole(name, permissions); err != nil {
		return Role{}, err
	}
	r.UpdatedAt = s.now()
	return r, nil
}

// DeleteRole deletes a role of the organization's own that no member has, which takes
// the permission ac:delete. It joins the transaction of ctx. Errors: those of Authorize;
// ErrRoleNotFound; ErrBuiltInRole; ErrRoleInUse.
func (s *Service) DeleteRole(ctx context.Context, caller *principal.Principal, organizationID string, ref RoleRef) error {
	err := s.change(ctx, caller, organizationID, "ac", "delete", func(ctx context.Context, o Organization, actor Member) error {
		r, err := s.findRole(ctx, o, ref)
		if err != nil {
			return err
		}
		if err := s.store.DeleteRole(ctx, r); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.RoleChanged, RoleChanged{Organization: o, Before: &r, ActorID: actor.UserID})
	})
	if err != nil {
		return fmt.Errorf("tenancy: delete a role: %w", err)
	}
	return nil
}

// Roles returns the organization's own roles, by name, which takes the permission
// ac:read. Errors: those of Authorize.
func (s *Service) Roles(ctx context.Context, caller *principal.Principal, organizationID string) ([]Role, error) {
	if _, _, err := s.Authorize(ctx, caller, organizationID, "ac", "read"); err != nil {
		return nil, err
	}
	roles, _, err := s.store.Roles(rowscope.Within(ctx, organizationID), organizationID)
	if err != nil {
		return nil, fmt.Errorf("tenancy: list roles: %w", err)
	}
	return roles, nil
}

// Role returns one role of the organization's own, which takes the permission ac:read.
// Errors: those of Authorize; ErrRoleNotFound.
func (s *Service) Role(ctx context.Context, caller *principal.Principal, organizationID string, ref RoleRef) (Role, error) {
	o, _, err := s.Authorize(ctx, caller, organizationID, "ac", "read")
	if err != nil {
		return Role{}, err
	}
	r, err := s.findRole(rowscope.Within(ctx, o.ID), o, ref)
	if err != nil {
		return Role{}, fmt.Errorf("tenancy: find a role: %w", err)
	}
	return r, nil
}
