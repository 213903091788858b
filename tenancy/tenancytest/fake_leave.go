package tenancytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// Join adds a member.
func (f *Fake) Join(ctx context.Context, m tenancy.Member) error {
	return f.mem.Do(ctx, func(s *state) error { s.members[m.ID] = m; return nil })
}

// LockOwned implements tenancy.DepartureStore. Transactions run one after the
// other, so nothing needs to be locked.
func (f *Fake) LockOwned(ctx context.Context, userID string) (owned []tenancy.Organization, err error) {
	if !f.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	err = f.mem.Do(ctx, func(s *state) error {
		for _, id := range slices.Sorted(maps.Keys(s.organizations)) {
			if s.organizations[id].OwnerID == userID {
				owned = append(owned, s.organizations[id])
			}
		}
		return nil
	})
	return owned, err
}

// Members implements tenancy.DepartureStore.
func (f *Fake) Members(ctx context.Context, organizationID string) (list []tenancy.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		list = s.membersWhere(func(m tenancy.Member) bool { return m.OrganizationID == organizationID })
		return nil
	})
	return list, err
}

// LockMembers implements tenancy.DepartureStore.
func (f *Fake) LockMembers(ctx context.Context, organizationID string) ([]tenancy.Member, error) {
	if !f.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	list, err := f.Members(ctx, organizationID)
	if err == nil && len(list) == 0 {
		err = tenancy.ErrNotFound
	}
	return list, err
}

// membersWhere returns members, the longest-standing first.
func (s *state) membersWhere(match func(tenancy.Member) bool) []tenancy.Member {
	var list []tenancy.Member
	for _, m := range s.members {
		if match(m) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b tenancy.Member) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// drop ends a membership with what hangs on it.
func (s *state) drop(m tenancy.Member) {
	delete(s.members, m.ID)
	delete(s.chosen, m.ID)
	if s.offers[m.OrganizationID].UserID == m.UserID {
		delete(s.offers, m.OrganizationID)
	}
	maps.DeleteFunc(s.places, func(_ string, p team.Member) bool {
		return p.OrganizationID == m.OrganizationID && p.UserID == m.UserID
	})
}

// Transfer implements tenancy.DepartureStore.
func (f *Fake) Transfer(ctx context.Context, organizationID, from, to string, now time.Time) error {
	if !f.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return f.mem.Do(ctx, func(s *state) error {
		o := s.organizations[organizationID]
		place := func(userID string) []tenancy.Member {
			return s.membersWhere(func(m tenancy.Member) bool { return m.OrganizationID == organizationID && m.UserID == userID })
		}
		old, next := place(from), place(to)
		if o.OwnerID != from || len(old) != 1 || len(next) != 1 {
			return tenancy.ErrNotFound
		}
		o.OwnerID, o.UpdatedAt = to, now
		delete(s.offers, organizationID)
		old[0].Role, next[0].Role = tenancy.RoleAdmin, tenancy.RoleOwner
		s.organizations[organizationID], s.members[old[0].ID], s.members[next[0].ID] = o, old[0], next[0]
		return nil
	})
}

// DeleteOrganization implements tenancy.DepartureStore.
func (f *Fake) DeleteOrganization(ctx context.Context, id string) error {
	if !f.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return f.mem.Do(ctx, func(s *state) error {
		if _, ok := s.organizations[id]; !ok {
			return tenancy.ErrNotFound
		}
		delete(s.organizations, id)
		delete(s.offers, id)
		maps.DeleteFunc(s.roles, func(_ string, r tenancy.Role) bool { return r.OrganizationID == id })
		maps.DeleteFunc(s.invitations, func(_ string, i invitation.Invitation) bool { return i.OrganizationID == id })
		maps.DeleteFunc(s.teams, func(_ string, t team.Team) bool { return t.OrganizationID == id })
		maps.DeleteFunc(s.places, func(_ string, m team.Member) bool { return m.OrganizationID == id })
		for _, m := range s.membersWhere(func(m tenancy.Member) bool { return m.OrganizationID == id }) {
			s.drop(m)
		}
		return nil
	})
}

// RemoveMemberships implements tenancy.DepartureStore.
func (f *Fake) RemoveMemberships(ctx context.Context, userID string) (gone []tenancy.Member, err error) {
	if !f.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	err = f.mem.Do(ctx, func(s *state) error {
		gone = s.membersWhere(func(m tenancy.Member) bool { return m.UserID == userID })
		for _, m := range gone {
			s.drop(m)
		}
		return nil
	})
	return gone, err
}

// Share implements tenancy.DepartureStore.
func (f *Fake) Share(ctx context.Context, userID, otherID string) (shared bool, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, a := range s.members {
			for _, b := range s.members {
				shared = shared || a.UserID == userID && b.UserID == otherID && a.OrganizationID == b.OrganizationID
			}
		}
		return nil
	})
	return shared && err == nil, err
}
