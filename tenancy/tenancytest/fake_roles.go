package tenancytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/tenancy"
)

// OfferOwnership implements tenancy.OwnershipStore.
func (f *Fake) OfferOwnership(ctx context.Context, o tenancy.Offer) error {
	return f.inTx(ctx, func(s *state) error {
		if m, ok := s.seat(o.OrganizationID, o.UserID); !ok || m.Role == tenancy.RoleOwner {
			return tenancy.ErrMemberNotFound
		}
		s.offers[o.OrganizationID] = o
		return nil
	})
}

// FindOffer implements tenancy.OwnershipStore.
func (f *Fake) FindOffer(ctx context.Context, organizationID, userID string) (o tenancy.Offer, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		if o = s.offers[organizationID]; o.UserID != userID || userID == "" {
			return tenancy.ErrNoOffer
		}
		return nil
	})
	if err != nil {
		return tenancy.Offer{}, err
	}
	return o, nil
}

// WithdrawOffer implements tenancy.OwnershipStore.
func (f *Fake) WithdrawOffer(ctx context.Context, organizationID string) (withdrawn bool, err error) {
	err = f.inTx(ctx, func(s *state) error {
		_, withdrawn = s.offers[organizationID]
		delete(s.offers, organizationID)
		return nil
	})
	return withdrawn, err
}

// rolesOf returns the organization's roles by name.
func (s *state) rolesOf(organizationID string) []tenancy.Role {
	var own []tenancy.Role
	for _, r := range s.roles {
		if r.OrganizationID == organizationID {
			r.Permissions = maps.Clone(r.Permissions)
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b tenancy.Role) int { return cmp.Compare(a.Name, b.Name) })
	return own
}

// Roles implements tenancy.RoleStore.
func (f *Fake) Roles(ctx context.Context, organizationID string) (roles []tenancy.Role, version int64, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		roles, version = s.rolesOf(organizationID), s.organizations[organizationID].RolesVersion
		return nil
	})
	return roles, version, err
}

// HoldRoles implements tenancy.RoleStore.
func (f *Fake) HoldRoles(ctx context.Context, organizationID string, names []string) (found []string, err error) {
	err = f.inTx(ctx, func(s *state) error {
		for _, r := range s.rolesOf(organizationID) {
			if slices.Contains(names, r.Name) {
				found = append(found, r.Name)
			}
		}
		return nil
	})
	return found, err
}

// changeRoles runs change and raises the organization's version.
func (f *Fake) changeRoles(ctx context.Context, r tenancy.Role, change func(s *state) error) error {
	return f.inTx(ctx, func(s *state) error {
		if err := change(s); err != nil {
			return err
		}
		o := s.organizations[r.OrganizationID]
		o.RolesVersion++
		s.organizations[o.ID] = o
		return nil
	})
}

// CreateRole implements tenancy.RoleStore.
func (f *Fake) CreateRole(ctx context.Context, r tenancy.Role) error {
	return f.changeRoles(ctx, r, func(s *state) error {
		if s.named(r) {
			return tenancy.ErrRoleTaken
		}
		r.Permissions = maps.Clone(r.Permissions)
		s.roles[r.ID] = r
		return nil
	})
}

// named reports whether another role of r's organization has its name.
func (s *state) named(r tenancy.Role) bool {
	return slices.ContainsFunc(s.rolesOf(r.OrganizationID), func(other tenancy.Role) bool { return other.Name == r.Name && other.ID != r.ID })
}

// UpdateRole implements tenancy.RoleStore.
func (f *Fake) UpdateRole(ctx context.Context, r tenancy.Role) error {
	return f.changeRoles(ctx, r, func(s *state) error {
		was, ok := s.roles[r.ID]
		if !ok || was.OrganizationID != r.OrganizationID {
			return tenancy.ErrRoleNotFound
		}
		if s.named(r) {
			return tenancy.ErrRoleTaken
		}
		was.Name, was.Permissions, was.UpdatedAt = r.Name, maps.Clone(r.Permissions), r.UpdatedAt
		s.roles[r.ID] = was
		return nil
	})
}

// DeleteRole implements tenancy.RoleStore.
func (f *Fake) DeleteRole(ctx context.Context, r tenancy.Role) error {
	return f.changeRoles(ctx, r, func(s *state) error {
		was, ok := s.roles[r.ID]
		if !ok || was.OrganizationID != r.OrganizationID || was.Name != r.Name {
			return tenancy.ErrRoleNotFound
		}
		if len(s.holders(r.OrganizationID, r.Name)) > 0 {
			return tenancy.ErrRoleInUse
		}
		delete(s.roles, r.ID)
		return nil
	})
}

// holders returns the users who have the role, the longest-standing member first.
func (s *state) holders(organizationID, name string) (userIDs []string) {
	for _, m := range s.membersWhere(func(m tenancy.Member) bool {
		return m.OrganizationID == organizationID && slices.Contains(strings.Split(m.Role, ","), name)
	}) {
		userIDs = append(userIDs, m.UserID)
	}
	return userIDs
}

// RoleHolders implements tenancy.RoleStore.
func (f *Fake) RoleHolders(ctx context.Context, organizationID, name string) (userIDs []string, err error) {
	err = f.mem.Do(ctx, func(s *state) error { userIDs = s.holders(organizationID, name); return nil })
	return userIDs, err
}
