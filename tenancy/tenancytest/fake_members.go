package tenancytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/tenancy"
)

// HoldMembership implements tenancy.MemberStore. Transactions run one after the other,
// so nothing needs to be locked, here and elsewhere.
func (f *Fake) HoldMembership(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	if !f.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.Member{}, tenancy.ErrNoTransaction
	}
	return f.Membership(ctx, organizationID, userID)
}

// LockOrganization implements tenancy.OrganizationStore.
func (f *Fake) LockOrganization(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	return f.HoldMembership(ctx, organizationID, userID)
}

// inTx runs fn on the state of the transaction in ctx, which there must be.
func (f *Fake) inTx(ctx context.Context, fn func(s *state) error) error {
	if !f.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return f.mem.Do(ctx, fn)
}

// seat returns the user's membership.
func (s *state) seat(organizationID, userID string) (tenancy.Member, bool) {
	found := s.membersWhere(func(m tenancy.Member) bool { return m.OrganizationID == organizationID && m.UserID == userID })
	if len(found) == 0 {
		return tenancy.Member{}, false
	}
	return found[0], true
}

// errSecondOwner stands for what a database's constraints say (rule R31).
var errSecondOwner = errors.New("tenancytest: an organization has one owner")

func owns(role string) bool { return slices.Contains(strings.Split(role, ","), tenancy.RoleOwner) }

// AddMember implements tenancy.MemberStore.
func (f *Fake) AddMember(ctx context.Context, m tenancy.Member) error {
	return f.inTx(ctx, func(s *state) error {
		if _, ok := s.organizations[m.OrganizationID]; !ok {
			return tenancy.ErrNotFound
		}
		if _, ok := s.seat(m.OrganizationID, m.UserID); ok {
			return tenancy.ErrAlreadyMember
		}
		if owns(m.Role) {
			return errSecondOwner
		}
		s.members[m.ID] = m
		return nil
	})
}

// UpdateOrganization implements tenancy.OrganizationStore.
func (f *Fake) UpdateOrganization(ctx context.Context, o tenancy.Organization) error {
	return f.mem.Do(ctx, func(s *state) error {
		was, ok := s.organizations[o.ID]
		if !ok {
			return tenancy.ErrNotFound
		}
		for id, other := range s.organizations {
			if other.Slug == o.Slug && id != o.ID {
				return tenancy.ErrSlugTaken
			}
		}
		was.Name, was.Slug, was.Logo, was.Metadata, was.UpdatedAt = o.Name, o.Slug, o.Logo, slices.Clone(o.Metadata), o.UpdatedAt
		s.organizations[o.ID] = was
		return nil
	})
}

// Organizations implements tenancy.OrganizationStore.
func (f *Fake) Organizations(ctx context.Context, userID string, limit int) (list []tenancy.Organization, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, m := range s.membersWhere(func(m tenancy.Member) bool { return m.UserID == userID }) {
			if len(list) < limit {
				list = append(list, s.organizations[m.OrganizationID])
			}
		}
		return nil
	})
	return list, err
}

// SlugTaken implements tenancy.OrganizationStore.
func (f *Fake) SlugTaken(ctx context.Context, slug string) (taken bool, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, o := range s.organizations {
			taken = taken || o.Slug == slug
		}
		return nil
	})
	return taken && err == nil, err
}

// MembershipBySlug implements tenancy.MemberStore.
func (f *Fake) MembershipBySlug(ctx context.Context, slug, userID string) (o tenancy.Organization, m tenancy.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, found := range s.organizations {
			place, ok := s.seat(found.ID, userID)
			if found.Slug == slug && ok {
				o, m = found, place
				return nil
			}
		}
		return tenancy.ErrNotFound
	})
	return o, m, err
}

// FindMember implements tenancy.MemberStore.
func (f *Fake) FindMember(ctx context.Context, organizationID, memberID string) (m tenancy.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		found, ok := s.members[memberID]
		if !ok || found.OrganizationID != organizationID {
			return tenancy.ErrMemberNotFound
		}
		m = found
		return nil
	})
	return m, err
}

// value returns a field as text that sorts like the field.
func value(m tenancy.Member, f tenancy.MemberField) string {
	switch f {
	case tenancy.MemberRole:
		return m.Role
	case tenancy.MemberUserID:
		return m.UserID
	case tenancy.MemberID:
		return m.ID
	case tenancy.MemberCreatedAt:
	}
	return m.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000000")
}

// ListMembers implements tenancy.MemberStore.
func (f *Fake) ListMembers(ctx context.Context, q tenancy.MemberQuery) (page []tenancy.Member, total int, err error) {
	var failed error
	err = f.mem.Do(ctx, func(s *state) error {
		page = s.membersWhere(func(m tenancy.Member) bool {
			ok, err := matches(m, q)
			failed = cmp.Or(failed, err)
			return ok && m.OrganizationID == q.OrganizationID
		})
		return failed
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(page, func(a, b tenancy.Member) int {
		order := cmp.Compare(value(a, q.SortBy), value(b, q.SortBy))
		if q.Descending {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.ID, b.ID))
	})
	total = len(page)
	return page[min(q.Offset, total):min(q.Offset+q.Limit, total)], total, nil
}

func matches(m tenancy.Member, q tenancy.MemberQuery) (bool, error) {
	if q.Filter == "" {
		return true, nil
	}
	has, want := value(m, q.Filter), ""
	if len(q.Values) > 0 {
		want = q.Values[0]
	}
	switch q.Operator {
	case tenancy.Equal:
		return has == want, nil
	case tenancy.NotEqual:
		return has != want, nil
	case tenancy.OneOf:
		return slices.Contains(q.Values, has), nil
	case tenancy.NoneOf:
		return !slices.Contains(q.Values, has), nil
	case tenancy.Contains:
		return strings.Contains(has, want), nil
	case tenancy.StartsWith:
		return strings.HasPrefix(has, want), nil
	case tenancy.EndsWith:
		return strings.HasSuffix(has, want), nil
	}
	return false, fmt.Errorf("tenancytest: the operator %q does not exist", q.Operator)
}

// changeMember runs change on the member whom m names, unless it is the owner.
func (f *Fake) changeMember(ctx context.Context, m tenancy.Member, change func(s *state, found tenancy.Member) error) error {
	return f.inTx(ctx, func(s *state) error {
		found, ok := s.members[m.ID]
		if !ok || found.OrganizationID != m.OrganizationID || found.Role == tenancy.RoleOwner {
			return tenancy.ErrMemberNotFound
		}
		return change(s, found)
	})
}

// SetRole implements tenancy.MemberStore.
func (f *Fake) SetRole(ctx context.Context, m tenancy.Member, role string) error {
	return f.changeMember(ctx, m, func(s *state, found tenancy.Member) error {
		if found.Role != m.Role {
			return tenancy.ErrMemberNotFound
		}
		if owns(role) {
			return errSecondOwner
		}
		found.Role = role
		s.members[found.ID] = found
		return nil
	})
}

// RemoveMember implements tenancy.MemberStore.
func (f *Fake) RemoveMember(ctx context.Context, m tenancy.Member) error {
	return f.changeMember(ctx, m, func(s *state, found tenancy.Member) error {
		s.drop(found)
		return nil
	})
}

// Choose implements tenancy.ChoiceStore.
func (f *Fake) Choose(ctx context.Context, organizationID, userID string, now time.Time) error {
	return f.mem.Do(ctx, func(s *state) error {
		m, ok := s.seat(organizationID, userID)
		if !ok {
			return tenancy.ErrNotFound
		}
		s.chosen[m.ID] = now
		return nil
	})
}
