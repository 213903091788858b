package tenancytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// Fake is a tenancy.Store in memory. It is safe for concurrent use; its
// transactions run one after the other.
type Fake struct {
	now func() time.Time
	mem *faketx.DB[state]
}

type state struct {
	organizations map[string]tenancy.Organization  // by id
	members       map[string]tenancy.Member        // by id
	chosen        map[string]time.Time             // by id of the member
	offers        map[string]tenancy.Offer         // by id of the organization
	roles         map[string]tenancy.Role          // by id
	invitations   map[string]invitation.Invitation // by id
	teams         map[string]team.Team             // by id
	places        map[string]team.Member           // in teams, by id
}

func (s state) clone() state {
	return state{
		organizations: maps.Clone(s.organizations), members: maps.Clone(s.members), chosen: maps.Clone(s.chosen),
		offers: maps.Clone(s.offers), roles: maps.Clone(s.roles),
		invitations: maps.Clone(s.invitations), teams: maps.Clone(s.teams), places: maps.Clone(s.places),
	}
}

var _ tenancy.Store = (*Fake)(nil)

// NewFake returns an empty Fake whose clock is now, or the system's if now is
// nil.
func NewFake(now func() time.Time) *Fake {
	if now == nil {
		now = time.Now
	}
	return &Fake{now: now, mem: faketx.New(state{
		organizations: map[string]tenancy.Organization{}, members: map[string]tenancy.Member{},
		chosen: map[string]time.Time{}, offers: map[string]tenancy.Offer{}, roles: map[string]tenancy.Role{},
		invitations: map[string]invitation.Invitation{}, teams: map[string]team.Team{}, places: map[string]team.Member{},
	}, state.clone)}
}

// SetDown makes every call fail like an unreachable database, or work again.
func (f *Fake) SetDown(down bool) {
	if down {
		f.mem.Fail(problem.ErrUnavailable)
		return
	}
	f.mem.Fail(nil)
}

// InTx implements tenancy.Store.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.mem.InTx(ctx, fn)
}

// InTransaction implements tenancy.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.mem.InTransaction(ctx) }

// Now implements tenancy.Store.
func (f *Fake) Now() time.Time { return f.now().UTC().Truncate(time.Microsecond) }

// CreateOrganization implements tenancy.Store.
func (f *Fake) CreateOrganization(ctx context.Context, o tenancy.Organization, owner tenancy.Member) error {
	return f.mem.Do(ctx, func(s *state) error {
		for _, other := range s.organizations {
			if other.Slug == o.Slug {
				return tenancy.ErrSlugTaken
			}
		}
		o.Metadata = slices.Clone(o.Metadata)
		s.organizations[o.ID], s.members[owner.ID] = o, owner
		return nil
	})
}

// HoldFirst implements tenancy.Store.
func (f *Fake) HoldFirst(ctx context.Context, userID string) (organizationID string, err error) {
	if !f.InTransaction(ctx) {
		return "", tenancy.ErrNoTransaction
	}
	err = f.mem.Do(ctx, func(s *state) error {
		var own []tenancy.Member
		for _, m := range s.members {
			if m.UserID == userID {
				own = append(own, m)
			}
		}
		if len(own) == 0 {
			return tenancy.ErrNotFound
		}
		organizationID = slices.MinFunc(own, func(a, b tenancy.Member) int {
			return cmp.Or(s.chosen[b.ID].Compare(s.chosen[a.ID]), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		}).OrganizationID
		return nil
	})
	return organizationID, err
}

// Membership implements tenancy.Store.
func (f *Fake) Membership(ctx context.Context, organizationID, userID string) (o tenancy.Organization, m tenancy.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, found := range s.members {
			if found.OrganizationID == organizationID && found.UserID == userID {
				o, m = s.organizations[organizationID], found
				return nil
			}
		}
		return tenancy.ErrNotFound
	})
	return o, m, err
}

// HoldOrganization implements tenancy.Store. Transactions run one after the
// other, so nothing needs to be locked.
func (f *Fake) HoldOrganization(ctx context.Context, id string) (o tenancy.Organization, err error) {
	if !f.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.ErrNoTransaction
	}
	err = f.mem.Do(ctx, func(s *state) error {
		var ok bool
		if o, ok = s.organizations[id]; !ok {
			return tenancy.ErrNotFound
		}
		return nil
	})
	return o, err
}

// SetSecondFactorPolicy implements tenancy.Store.
func (f *Fake) SetSecondFactorPolicy(ctx context.Context, id, ownerID string, p principal.SecondFactorPolicy, now time.Time) error {
	return f.mem.Do(ctx, func(s *state) error {
		o, ok := s.organizations[id]
		if !ok || o.OwnerID != ownerID {
			return tenancy.ErrNotFound
		}
		o.SecondFactor, o.UpdatedAt = p, now
		s.organizations[id] = o
		return nil
	})
}
