package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// MaxPage is how many members one page has at most.
const MaxPage = 500

// MemberQuery asks for members of one organization.
type MemberQuery struct {
	OrganizationID string
	// Limit is 1 to MaxPage.
	Limit, Offset int
	// SortBy is MemberCreatedAt, MemberRole, MemberUserID or MemberID. Members that are
	// equal by it are in the order of their ids. Defaults to MemberCreatedAt.
	SortBy     MemberField
	Descending bool
	// Filter is a field that is compared with Values by Operator; "" for none.
	// MemberCreatedAt can't be filtered.
	Filter   MemberField
	Operator Operator
	Values   []string
}

// MemberField is a field of members.
type MemberField string

// The fields of members.
const (
	MemberCreatedAt MemberField = "createdAt"
	MemberRole      MemberField = "role"
	MemberUserID    MemberField = "userId"
	MemberID        MemberField = "id"
)

// Operator compares a field with values.
type Operator string

// The operators. All but OneOf and NoneOf take one value.
const (
	Equal      Operator = "eq"
	NotEqual   Operator = "ne"
	OneOf      Operator = "in"
	NoneOf     Operator = "not_in"
	Contains   Operator = "contains"
	StartsWith Operator = "starts_with"
	EndsWith   Operator = "ends_with"
)

// UpdateMemberRoleParams say which roles a member gets.
type UpdateMemberRoleParams struct {
	Caller                   *principal.Principal
	OrganizationID, MemberID string
	// Roles are what ParseRoles reads.
	Roles []string
}

// UpdateMemberRole replaces a member's roles, which takes the permission member:update.
// It acts on the member's next request (rule R18). It joins the transaction of ctx.
//
// Nobody grants what they do not have themselves, and nobody changes a member who may do
// more with the organization than they: that is the error of NotAllowed. Other errors:
// those of Authorize; those of ResolveRoles; ErrMemberNotFound; and ErrUseTransfer for
// the owner's own role, which changes by a transfer only (rule R31).
func (s *Service) UpdateMemberRole(ctx context.Context, p UpdateMemberRoleParams) (m Member, err error) {
	if _, err := ParseRoles(p.Roles...); err != nil {
		return Member{}, err
	}
	err = s.change(ctx, p.Caller, p.OrganizationID, "member", "update", func(ctx context.Context, o Organization, actor Member) error {
		before, err := s.target(ctx, o, actor, p.MemberID, "update")
		if err != nil {
			return err
		}
		if before.Role == RoleOwner {
			return ErrUseTransfer
		}
		role, err := s.ResolveRoles(ctx, o, p.Roles...)
		if err != nil {
			return err
		}
		if ok, err := s.MayGrant(ctx, o, actor, before.Role, role); err != nil || !ok {
			return errors.Join(err, unless(ok, "update"))
		}
		m = before
		m.Role = role
		if role == before.Role {
			return nil
		}
		if err := s.store.SetRole(ctx, before, role); err != nil {
			return err
		}
		event := MemberRoleChanged{Organization: o, Before: before, After: m, ActorID: actor.UserID}
		return hook.Call(ctx, s.cfg.Hooks.MemberRoleChanged, event)
	})
	if err != nil {
		return Member{}, fmt.Errorf("tenancy: update a member's role: %w", err)
	}
	return m, nil
}

func unless(ok bool, action string) error {
	if ok {
		return nil
	}
	return NotAllowed("member", action)
}

// target finds the member whom the actor is about to change. It returns NotAllowed for
// one who may do more with the organization than the actor, unless it is the actor.
func (s *Service) target(ctx context.Context, o Organization, actor Member, memberID, action string) (Member, error) {
	m, err := s.store.FindMember(ctx, o.ID, memberID)
	if err != nil || m.ID == actor.ID {
		return m, err
	}
	had, err := s.Permissions(ctx, o.ID, m.Role, o.RolesVersion)
	if err != nil {
		return Member{}, err
	}
	has, err := s.Permissions(ctx, o.ID, actor.Role, o.RolesVersion)
	if err != nil {
		return Member{}, err
	}
	// What the host's own statements allow gives no power over other members.
	for resource, actions := range Statements() {
		for _, a := range actions {
			if had.Allows(resource, a) && !has.Allows(resource, a) {
				return Member{}, NotAllowed("member", action)
			}
		}
	}
	return m, nil
}

// RemoveMember ends the membership of the member with that id, or with that address if
// it has an @, which takes the permission member:delete. It joins the transaction of
// ctx. Errors: those of Authorize; ErrMemberNotFound; NotAllowed for a member who may do
// more with the organization than the caller; ErrOnlyOwner for the owner.
func (s *Service) RemoveMember(ctx context.Context, caller *principal.Principal, organizationID, idOrEmail string) (m Member, err error) {
	err = s.change(ctx, caller, organizationID, "member", "delete", func(ctx context.Context, o Organization, actor Member) error {
		id, err := s.memberID(ctx, o.ID, idOrEmail)
		if err == nil {
			m, err = s.target(ctx, o, actor, id, "delete")
		}
		if err != nil {
			return err
		}
		return s.remove(ctx, m, actor.UserID)
	})
	if err != nil {
		return Member{}, fmt.Errorf("tenancy: remove a member: %w", err)
	}
	return m, nil
}

// memberID finds a member by their address. Who is no user and who is no member are the
// same to whoever asks, and to the database (rule R7).
func (s *Service) memberID(ctx context.Context, organizationID, idOrEmail string) (string, error) {
	if !strings.Contains(idOrEmail, "@") || s.cfg.People == nil {
		return idOrEmail, nil
	}
	userID, err := s.cfg.People.UserByEmail(ctx, idOrEmail)
	if problem.KindOf(err) == problem.NotFound {
		userID, err = "", nil
	}
	if err != nil {
		return "", err
	}
	m, err := s.memberOf(ctx, organizationID, userID)
	return m.ID, err
}

func (s *Service) remove(ctx context.Context, m Member, actorID string) error {
	if m.Role == RoleOwner {
		return ErrOnlyOwner
	}
	if err := s.store.RemoveMember(ctx, m); err != nil {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.MemberLeft, MemberLeft{Member: m, ActorID: actorID})
}

// Leave ends the caller's membership. It joins the transaction of ctx. Errors: those of
// Enter; ErrOnlyOwner for the owner.
func (s *Service) Leave(ctx context.Context, caller *principal.Principal, organizationID string) (m Member, err error) {
	err = s.change(ctx, caller, organizationID, "", "", func(ctx context.Context, _ Organization, own Member) error {
		m = own
		return s.remove(ctx, own, own.UserID)
	})
	if err != nil {
		return Member{}, fmt.Errorf("tenancy: leave: %w", err)
	}
	return m, nil
}

// Members returns the members that q asks for, and how many there are. The caller may be
// any member. Errors: those of Enter.
func (s *Service) Members(ctx context.Context, caller *principal.Principal, q MemberQuery) (page []Member, total int, err error) {
	if _, _, err := s.Enter(ctx, caller, q.OrganizationID); err != nil {
		return nil, 0, err
	}
	q.Limit = min(max(q.Limit, 1), MaxPage)
	page, total, err = s.store.ListMembers(rowscope.Within(ctx, q.OrganizationID), q)
	if err != nil {
		return nil, 0, fmt.Errorf("tenancy: list members: %w", err)
	}
	return page, total, nil
}

// EnterBySlug is Enter by the organization's slug.
func (s *Service) EnterBySlug(ctx context.Context, caller *principal.Principal, slug string) (Organization, Member, error) {
	o, m, err := s.store.MembershipBySlug(rowscope.As(ctx, caller.UserID), slug, caller.UserID)
	if err == nil {
		err = o.SecondFactor.Check(caller, s.now())
	}
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: enter: %w", err)
	}
	return o, m, nil
}

// memberOf returns the user's place in the organization, or ErrMemberNotFound.
func (s *Service) memberOf(ctx context.Context, organizationID, userID string) (Member, error) {
	_, m, err := s.store.Membership(ctx, organizationID, userID)
	if errors.Is(err, ErrNotFound) {
		return Member{}, ErrMemberNotFound
	}
	if err != nil {
		return Member{}, fmt.Errorf("tenancy: member: %w", err)
	}
	return m, nil
}

// HasPermission reports whether the caller's role in the organization, and an API key
// itself, allows all of asked, each resource with one action at least. Errors: those of
// Enter.
func (s *Service) HasPermission(ctx context.Context, caller *principal.Principal, organizationID string, asked Permissions) (bool, error) {
	o, m, err := s.Enter(ctx, caller, organizationID)
	if err != nil {
		return false, err
	}
	own, err := s.Permissions(rowscope.Within(ctx, o.ID), o.ID, m.Role, o.RolesVersion)
	if err != nil {
		return false, err
	}
	for _, actions := range asked {
		if len(actions) == 0 {
			return false, nil
		}
	}
	if caller.APIKeyID != "" && !caller.Permissions.Contains(asked) {
		return false, nil
	}
	return len(asked) > 0 && own.Contains(asked), nil
}

// profiles describes members to each other.
func (s *Service) profiles(ctx context.Context, members []Member) (map[string]Profile, error) {
	if s.cfg.People == nil || len(members) == 0 {
		return map[string]Profile{}, nil
	}
	ids := make([]string, 0, len(members))
	for _, m := range members {
		ids = append(ids, m.UserID)
	}
	known, err := s.cfg.People.Profiles(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("tenancy: profiles: %w", err)
	}
	return known, nil
}
