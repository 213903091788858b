package tenancytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

func (w *inviting) testNeighbours(t *testing.T) {
	o, owner := w.create(t, newID())
	other, neighbour := w.create(t, newID())
	i := w.invite(t, o, "ada@example.com")
	for name, find := range map[string]func() error{
		"find": func() error {
			_, err := w.store.Find(t.Context(), other.ID, i.ID)
			return err
		},
		"find for a member": func() error {
			_, err := w.store.FindForMember(t.Context(), neighbour.UserID, i.ID)
			return err
		},
		"decide": func() error {
			_, err := w.store.Decide(t.Context(), invitation.Decision{ID: i.ID, OrganizationID: other.ID, To: invitation.Canceled, At: w.now})
			return err
		},
		"accept": func() error {
			_, err := w.store.Decide(t.Context(), invitation.Decision{
				ID: i.ID, OrganizationID: other.ID, To: invitation.Accepted, UserID: newID(), At: w.now,
			})
			return err
		},
	} {
		if err := find(); !errors.Is(err, invitation.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := w.store.FindForMember(t.Context(), owner.UserID, i.ID)
	assert.NoError(t, err)
	equalInvitations(t, got, i)
	_, err = w.store.FindForMember(t.Context(), owner.UserID, newID())
	assert.ErrorIs(t, err, invitation.ErrNotFound)
}

func (w *inviting) testReceived(t *testing.T) {
	o, _ := w.create(t, newID())
	other, _ := w.create(t, newID())
	third, _ := w.create(t, newID())
	late := w.describe(o, "ada@example.com")
	late.CreatedAt = w.now.Add(time.Second)
	assert.NoError(t, w.store.AddInvitation(t.Context(), late, 9))
	early := w.invite(t, other, "ada@example.com")
	gone := w.invite(t, third, "ada@example.com")
	_, err := w.store.Decide(t.Context(), invitation.Decision{ID: gone.ID, OrganizationID: third.ID, To: invitation.Canceled, At: w.now})
	assert.NoError(t, err)
	stranger := w.invite(t, o, "bob@example.com")
	list, err := w.store.Received(t.Context(), "ada@example.com", "", w.now)
	assert.NoError(t, err)
	assert.Len(t, list, 2)
	equalInvitations(t, list[0].Invitation, early)
	equalInvitations(t, list[1].Invitation, late)
	assert.Equal(t, list[0].OrganizationName+"|"+list[0].OrganizationSlug, other.Name+"|"+other.Slug)
	for _, c := range []struct {
		id   string
		at   time.Time
		want int
	}{{late.ID, w.now, 1}, {late.ID, late.ExpiresAt, 0}, {gone.ID, w.now, 0}, {stranger.ID, w.now, 0}, {newID(), w.now, 0}} {
		list, err := w.store.Received(t.Context(), "ada@example.com", c.id, c.at)
		assert.NoError(t, err)
		assert.Len(t, list, c.want)
	}
}

func (w *inviting) testSent(t *testing.T) {
	o, _ := w.create(t, newID())
	other, _ := w.create(t, newID())
	a, b := w.invite(t, o, "a@example.com"), w.describe(o, "b@example.com")
	b.CreatedAt = w.now.Add(time.Second)
	assert.NoError(t, w.store.AddInvitation(t.Context(), b, 9))
	w.invite(t, other, "c@example.com")
	a, err := w.store.Decide(t.Context(), invitation.Decision{ID: a.ID, OrganizationID: o.ID, To: invitation.Accepted, UserID: newID(), At: w.now})
	assert.NoError(t, err)
	list, err := w.store.Sent(t.Context(), o.ID)
	assert.NoError(t, err)
	assert.Len(t, list, 2)
	equalInvitations(t, list[0], a)
	equalInvitations(t, list[1], b)
}

func (w *inviting) testEndWithOrganization(t *testing.T) {
	o, _ := w.create(t, newID())
	i := w.invite(t, o, "ada@example.com")
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.DeleteOrganization(ctx, o.ID) }))
	_, err := w.store.Find(t.Context(), o.ID, i.ID)
	assert.ErrorIs(t, err, invitation.ErrNotFound)
	list, err := w.store.Received(t.Context(), "ada@example.com", "", w.now)
	assert.NoError(t, err)
	assert.Len(t, list, 0)
}

func (w *inviting) testForget(t *testing.T) {
	user := newID()
	o, _ := w.create(t, user)
	other, _ := w.create(t, newID())
	w.invite(t, o, "a@example.com") // sent
	for key, to := range map[string]invitation.Status{"b@example.com": invitation.Accepted, "c@example.com": invitation.Rejected} {
		i := w.invite(t, other, key)
		_, err := w.store.Decide(t.Context(), invitation.Decision{ID: i.ID, OrganizationID: other.ID, To: to, UserID: user, At: w.now})
		assert.NoError(t, err)
	}
	kept := w.invite(t, other, "d@example.com")
	assert.NoError(t, w.store.Forget(t.Context(), user))
	for id, want := range map[string]int{o.ID: 0, other.ID: 1} {
		list, err := w.store.Sent(t.Context(), id)
		assert.NoError(t, err)
		assert.Len(t, list, want)
	}
	w.reads(t, kept)
}

func (w *inviting) testRolledBack(t *testing.T) {
	o, _ := w.create(t, newID())
	kept := w.invite(t, o, "kept@example.com")
	veto := errors.New("veto")
	assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.store.AddInvitation(ctx, w.describe(o, "gone@example.com"), 9))
		_, err := w.store.Decide(ctx, invitation.Decision{ID: kept.ID, OrganizationID: o.ID, To: invitation.Canceled, At: w.now})
		assert.NoError(t, err)
		return veto
	}), veto)
	w.reads(t, kept)
	list, err := w.store.Sent(t.Context(), o.ID)
	assert.NoError(t, err)
	assert.Len(t, list, 1)
}

// calls are all methods, by name.
func (w *inviting) calls(i, free invitation.Invitation) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"add": func(ctx context.Context) error { return w.store.AddInvitation(ctx, free, 9) },
		"renew": func(ctx context.Context) error {
			_, err := w.store.RenewInvitation(ctx, i)
			return err
		},
		"decide": func(ctx context.Context) error {
			_, err := w.store.Decide(ctx, invitation.Decision{ID: i.ID, OrganizationID: i.OrganizationID, To: invitation.Canceled, At: w.now})
			return err
		},
		"find": func(ctx context.Context) error {
			_, err := w.store.Find(ctx, i.OrganizationID, i.ID)
			return err
		},
		"find for a member": func(ctx context.Context) error {
			_, err := w.store.FindForMember(ctx, i.InviterID, i.ID)
			return err
		},
		"received": func(ctx context.Context) error {
			_, err := w.store.Received(ctx, i.Address.Key, "", w.now)
			return err
		},
		"sent": func(ctx context.Context) error {
			_, err := w.store.Sent(ctx, i.OrganizationID)
			return err
		},
		"forget": func(ctx context.Context) error { return w.store.Forget(ctx, i.InviterID) },
	}
}

func (w *inviting) testOutage(t *testing.T) {
	o, _ := w.create(t, newID())
	i := w.invite(t, o, "ada@example.com")
	w.Break()
	for name, call := range w.calls(i, w.describe(o, "bob@example.com")) {
		err := call(t.Context())
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, invitation.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (w *inviting) testCancelled(t *testing.T) {
	o, _ := w.create(t, newID())
	i := w.invite(t, o, "ada@example.com")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range w.calls(i, w.describe(o, "bob@example.com")) {
		if err := call(ctx); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w.reads(t, i)
	list, err := w.store.Sent(t.Context(), o.ID)
	assert.NoError(t, err)
	assert.Len(t, list, 1)
}
