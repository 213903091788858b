package tenancytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// Invitations is an invitation.Store in the memory and the transactions of a Fake.
type Invitations struct{ *Fake }

var _ invitation.Store = Invitations{}

// AddInvitation implements invitation.Store.
func (f Invitations) AddInvitation(ctx context.Context, i invitation.Invitation, limit int) error {
	return f.mem.Do(ctx, func(s *state) error {
		if _, ok := s.organizations[i.OrganizationID]; !ok {
			return tenancy.ErrNotFound
		}
		open := 0
		expired := ""
		for id, other := range s.invitations {
			if other.OrganizationID != i.OrganizationID || other.Status != invitation.Pending {
				continue
			}
			if other.Open(i.CreatedAt) {
				open++
			}
			switch {
			case other.Address.Key != i.Address.Key:
			case other.Open(i.CreatedAt):
				return invitation.ErrAlreadyInvited
			default:
				expired = id
			}
		}
		if open >= limit {
			return invitation.ErrLimitReached
		}
		if gone, ok := s.invitations[expired]; ok {
			gone.Status, gone.UpdatedAt = invitation.Canceled, i.CreatedAt
			s.invitations[expired] = gone
		}
		i.TeamIDs, i.Status, i.UserID = slices.Clone(i.TeamIDs), invitation.Pending, ""
		s.invitations[i.ID] = i
		return nil
	})
}

// change changes the first invitation that fits.
func (f Invitations) change(
	ctx context.Context, fits func(i invitation.Invitation) bool, change func(i *invitation.Invitation),
) (changed invitation.Invitation, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for id, i := range s.invitations {
			if i.Status == invitation.Pending && fits(i) {
				change(&i)
				s.invitations[id], changed = i, i
				return nil
			}
		}
		return invitation.ErrNotFound
	})
	return changed, err
}

// RenewInvitation implements invitation.Store.
func (f Invitations) RenewInvitation(ctx context.Context, i invitation.Invitation) (invitation.Invitation, error) {
	return f.change(ctx, func(other invitation.Invitation) bool {
		return other.OrganizationID == i.OrganizationID && other.Address.Key == i.Address.Key && other.Open(i.UpdatedAt)
	}, func(other *invitation.Invitation) {
		other.Role, other.TeamIDs, other.InviterID = i.Role, slices.Clone(i.TeamIDs), i.InviterID
		other.ExpiresAt, other.UpdatedAt = i.ExpiresAt, i.UpdatedAt
	})
}

// Decide implements invitation.Store.
func (f Invitations) Decide(ctx context.Context, d invitation.Decision) (invitation.Invitation, error) {
	return f.change(ctx, func(i invitation.Invitation) bool {
		return i.OrganizationID == d.OrganizationID && i.ID == d.ID && (d.To == invitation.Canceled || i.Open(d.At))
	}, func(i *invitation.Invitation) {
		i.Status, i.UpdatedAt = d.To, d.At
		if d.To != invitation.Canceled {
			i.UserID = d.UserID
		}
	})
}

// list returns the invitations that fit, the oldest first.
func (f Invitations) list(ctx context.Context, fits func(s *state, i invitation.Invitation) bool) (list []invitation.Invitation, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, i := range s.invitations {
			if fits(s, i) {
				i.TeamIDs = slices.Clone(i.TeamIDs)
				list = append(list, i)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b invitation.Invitation) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

func one(list []invitation.Invitation, err error) (invitation.Invitation, error) {
	if err == nil && len(list) == 0 {
		err = invitation.ErrNotFound
	}
	if err != nil {
		return invitation.Invitation{}, err
	}
	return list[0], nil
}

// Find implements invitation.Store.
func (f Invitations) Find(ctx context.Context, organizationID, id string) (invitation.Invitation, error) {
	return one(f.list(ctx, func(_ *state, i invitation.Invitation) bool { return i.OrganizationID == organizationID && i.ID == id }))
}

// FindForMember implements invitation.Store.
func (f Invitations) FindForMember(ctx context.Context, userID, id string) (invitation.Invitation, error) {
	return one(f.list(ctx, func(s *state, i invitation.Invitation) bool {
		for _, m := range s.members {
			if m.OrganizationID == i.OrganizationID && m.UserID == userID {
				return i.ID == id
			}
		}
		return false
	}))
}

// Received implements invitation.Store.
func (f Invitations) Received(ctx context.Context, key, id string, now time.Time) ([]invitation.Received, error) {
	var received []invitation.Received
	organizations := map[string]tenancy.Organization{}
	list, err := f.list(ctx, func(s *state, i invitation.Invitation) bool {
		organizations[i.OrganizationID] = s.organizations[i.OrganizationID]
		return i.Address.Key == key && (id == "" || i.ID == id) && i.Open(now)
	})
	for _, i := range list {
		o := organizations[i.OrganizationID]
		received = append(received, invitation.Received{Invitation: i, OrganizationName: o.Name, OrganizationSlug: o.Slug})
	}
	return received, err
}

// Sent implements invitation.Store.
func (f Invitations) Sent(ctx context.Context, organizationID string) ([]invitation.Invitation, error) {
	return f.list(ctx, func(_ *state, i invitation.Invitation) bool { return i.OrganizationID == organizationID })
}

// Forget implements invitation.Store.
func (f Invitations) Forget(ctx context.Context, userID string) error {
	return f.mem.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.invitations, func(_ string, i invitation.Invitation) bool {
			return i.InviterID == userID || i.UserID == userID
		})
		return nil
	})
}
