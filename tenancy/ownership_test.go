package tenancy_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// transferWorld has people with versions and a clock that can be moved.
func transferWorld(t *testing.T, change func(*tenancy.Config)) (w *world, people peopleOf, now *time.Time) {
	t.Helper()
	people = peopleOf{versions: map[string]int64{"owner": 3}}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	w = newWorld(t, func(c *tenancy.Config) {
		c.People, c.Now = people, func() time.Time { return at }
		if change != nil {
			change(c)
		}
	})
	return w, people, &at
}

func (w *world) offerTo(t *testing.T, by, organizationID, to string) error {
	t.Helper()
	_, err := w.svc.OfferOwnership(t.Context(), caller(by, 1), organizationID, to)
	return err
}

func (w *world) accept(t *testing.T, by, organizationID string) error {
	t.Helper()
	_, err := w.svc.AcceptOwnership(t.Context(), caller(by, 1), organizationID)
	return err
}

func TestR31_OwnershipIsHandedOverInTwoSteps(t *testing.T) {
	t.Parallel()
	var offered []tenancy.OwnershipOffered
	var changed []tenancy.OwnerChanged
	w, _, now := transferWorld(t, func(c *tenancy.Config) {
		c.Hooks.OwnershipOffered = func(_ context.Context, e tenancy.OwnershipOffered) error {
			offered = append(offered, e)
			return nil
		}
		c.Hooks.OwnerChanged = func(_ context.Context, e tenancy.OwnerChanged) error { changed = append(changed, e); return nil }
	})
	o := w.company(t, "admin", "member")
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	assert.Equal(t, w.roleOf(t, o, "member"), "member") // nothing yet
	assert.ErrorIs(t, w.accept(t, "admin", o.ID), tenancy.ErrNoOffer)
	assert.ErrorIs(t, w.accept(t, "owner", o.ID), tenancy.ErrNoOffer)
	assert.ErrorIs(t, w.accept(t, "stranger", o.ID), tenancy.ErrNotFound)
	assert.NoError(t, w.accept(t, "member", o.ID))
	assert.Equal(t, []string{w.roleOf(t, o, "owner"), w.roleOf(t, o, "member")}, []string{"admin", "owner"})
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	assert.Equal(t, offered, []tenancy.OwnershipOffered{{Organization: o, From: "owner", To: "member", EndsAt: now.Add(tenancy.OfferLife)}})
	assert.Equal(t, changed, []tenancy.OwnerChanged{{Organization: o, From: "owner", To: "member", ActorID: "member"}})
	// Who was the owner has no say any more.
	assert.ErrorIs(t, w.offerTo(t, "owner", o.ID, "owner"), tenancy.ErrNotOwner)
	_, err := w.svc.Delete(t.Context(), caller("owner", 1), o.ID)
	assert.ErrorIs(t, err, tenancy.NotAllowed("organization", "delete"))
}

func TestR31_WhoMayOfferWhatToWhom(t *testing.T) {
	t.Parallel()
	w, _, _ := transferWorld(t, hostRoles)
	o := w.company(t, "admin", "member", "hr")
	twin := assert.Must(w.create(t, "eve", "Twin"))(t)
	for _, c := range []struct {
		by, organization, to string
		want                 error
	}{
		{"admin", o.ID, "admin", tenancy.ErrNotOwner},
		{"admin", o.ID, "member", tenancy.ErrNotOwner},
		{"admin", o.ID, "owner", tenancy.ErrNotOwner},
		{"hr", o.ID, "hr", tenancy.ErrNotOwner},
		{"eve", o.ID, "eve", tenancy.ErrNotFound},
		{"eve", "unknown", "eve", tenancy.ErrNotFound},
		{"owner", o.ID, "eve", tenancy.ErrMemberNotFound},
		{"owner", o.ID, "nobody", tenancy.ErrMemberNotFound},
		{"owner", twin.ID, "owner", tenancy.ErrNotFound},
	} {
		if err := w.offerTo(t, c.by, c.organization, c.to); problem.CodeOf(err) != problem.CodeOf(c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Nothing in flight outlives a reset, and an offer is in flight for days (rule R1): who
// steals a session to give the company away loses it with the session.
func TestR1_AnOfferDiesWithTheOwnersSecurityVersion(t *testing.T) {
	t.Parallel()
	w, people, _ := transferWorld(t, nil)
	o := w.company(t, "member")
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	people.versions["owner"]++
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	assert.Equal(t, w.roleOf(t, o, "owner"), "owner")
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	people.versions["member"]++ // theirs is not at stake
	assert.NoError(t, w.accept(t, "member", o.ID))
}

func TestAnOfferEnds(t *testing.T) {
	t.Parallel()
	w, _, now := transferWorld(t, nil)
	o := w.company(t, "admin", "member")
	// By itself.
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	*now = now.Add(tenancy.OfferLife)
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	// By the owner.
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "owner"))
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	// By another one.
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "admin"))
	assert.ErrorIs(t, w.accept(t, "member", o.ID), tenancy.ErrNoOffer)
	// With the membership, though they come back.
	assert.Must(w.svc.Leave(t.Context(), caller("admin", 1), o.ID))(t)
	assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: "admin", Role: "admin"}))(t)
	assert.ErrorIs(t, w.accept(t, "admin", o.ID), tenancy.ErrNoOffer)
	// The moment before it ends is in time.
	assert.NoError(t, w.offerTo(t, "owner", o.ID, "member"))
	*now = now.Add(tenancy.OfferLife - time.Microsecond)
	assert.NoError(t, w.accept(t, "member", o.ID))
}
