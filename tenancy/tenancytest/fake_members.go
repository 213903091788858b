package tenancytest

import (
	"context"

	"github.com/tenon-go/tenon/tenancy"
)

// HoldMembership implements tenancy.MemberStore. Transactions run one after the other,
// so nothing needs to be locked.
func (f *Fake) HoldMembership(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	if !f.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.Member{}, tenancy.ErrNoTransaction
	}
	return f.Membership(ctx, organizationID, userID)
}

// AddMember implements tenancy.MemberStore.
func (f *Fake) AddMember(ctx context.Context, m tenancy.Member) error {
	if !f.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return f.mem.Do(ctx, func(s *state) error {
		if _, ok := s.organizations[m.OrganizationID]; !ok {
			return tenancy.ErrNotFound
		}
		for _, other := range s.members {
			if other.OrganizationID == m.OrganizationID && other.UserID == m.UserID {
				return tenancy.ErrAlreadyMember
			}
		}
		s.members[m.ID] = m
		return nil
	})
}
