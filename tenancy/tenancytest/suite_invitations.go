package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// InvitationsEnv is an invitation.Store under test, with the store of its
// organizations.
type InvitationsEnv struct {
	Env

	Invitations invitation.Store
}

// TestInvitations holds the stores that open returns to the contract at
// invitation.Store. Each call of open yields an empty store.
func TestInvitations(t *testing.T, open func(t *testing.T) InvitationsEnv) {
	t.Helper()
	for name, test := range map[string]func(*inviting, *testing.T){
		"add keeps every field":                         (*inviting).testAddKeeps,
		"add wants the organization":                    (*inviting).testAddWantsOrganization,
		"one open invitation for an address":            (*inviting).testOneOpen,
		"an expired one makes room":                     (*inviting).testExpiredMakesRoom,
		"no more than the limit are open":               (*inviting).testLimitHolds,
		"16 concurrent ones for one address":            (*inviting).testRaceForAddress,
		"16 concurrent ones do not pass the limit":      (*inviting).testRaceForLimit,
		"renew changes what it should and nothing else": (*inviting).testRenew,
		"decide ends what is pending":                   (*inviting).testDecide,
		"of 16 concurrent decisions one succeeds":       (*inviting).testRaceToDecide,
		"promise 7 the neighbour's is not found":        (*inviting).testNeighbours,
		"received are open ones, with the organization": (*inviting).testReceived,
		"sent are all of the organization":              (*inviting).testSent,
		"they end with their organization":              (*inviting).testEndWithOrganization,
		"forget takes what the user sent and answered":  (*inviting).testForget,
		"what is rolled back never was":                 (*inviting).testRolledBack,
		"an outage is not \"not found\"":                (*inviting).testOutage,
		"a cancelled context changes nothing":           (*inviting).testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			w := &inviting{world: &world{Env: env.Env}, store: env.Invitations}
			w.now = env.Store.Now()
			test(w, t)
		})
	}
}

// inviting is a world with invitations.
type inviting struct {
	*world

	store invitation.Store
}

// describe returns an invitation to o.
func (w *inviting) describe(o tenancy.Organization, key string) invitation.Invitation {
	return invitation.Invitation{
		ID: newID(), OrganizationID: o.ID, Address: invitation.Address{Key: key, Display: key}, Role: tenancy.RoleAdmin,
		InviterID: o.OwnerID, Status: invitation.Pending, ExpiresAt: w.now.Add(time.Hour), CreatedAt: w.now, UpdatedAt: w.now,
	}
}

// invite stores what describe returns.
func (w *inviting) invite(t *testing.T, o tenancy.Organization, key string) invitation.Invitation {
	t.Helper()
	i := w.describe(o, key)
	assert.NoError(t, w.store.AddInvitation(t.Context(), i, 100))
	return i
}

// reads fails the test unless the invitation reads as want.
func (w *inviting) reads(t *testing.T, want invitation.Invitation) {
	t.Helper()
	got, err := w.store.Find(t.Context(), want.OrganizationID, want.ID)
	assert.NoError(t, err)
	equalInvitations(t, got, want)
}

func equalInvitations(t *testing.T, got, want invitation.Invitation) {
	t.Helper()
	for name, pair := range map[string][2]time.Time{
		"expires": {got.ExpiresAt, want.ExpiresAt}, "created": {got.CreatedAt, want.CreatedAt}, "updated": {got.UpdatedAt, want.UpdatedAt},
	} {
		if !pair[0].Equal(pair[1]) || pair[0].Location() != time.UTC {
			t.Errorf("%s: %v, want %v in UTC", name, pair[0], pair[1].UTC())
		}
	}
	got.ExpiresAt, got.CreatedAt, got.UpdatedAt = want.ExpiresAt, want.CreatedAt, want.UpdatedAt
	assert.Equal(t, got, want)
}

func (w *inviting) testAddKeeps(t *testing.T) {
	o, _ := w.create(t, newID())
	i := w.describe(o, "ada@example.com")
	i.Address.Display, i.Role, i.TeamIDs = "Ada@Example.com", "admin,billing", []string{newID(), newID()}
	i.InviterID, i.ExpiresAt, i.UpdatedAt = newID(), w.now.Add(48*time.Hour+time.Microsecond), w.now.Add(time.Microsecond)
	assert.NoError(t, w.store.AddInvitation(t.Context(), i, 1))
	w.reads(t, i)
	plain := w.invite(t, o, "bob@example.com")
	w.reads(t, plain)
}

func (w *inviting) testAddWantsOrganization(t *testing.T) {
	i := w.describe(tenancy.Organization{ID: newID(), OwnerID: newID()}, "ada@example.com")
	assert.ErrorIs(t, w.store.AddInvitation(t.Context(), i, 100), tenancy.ErrNotFound)
}

func (w *inviting) testOneOpen(t *testing.T) {
	o, _ := w.create(t, newID())
	other, _ := w.create(t, newID())
	first := w.invite(t, o, "ada@example.com")
	second := w.describe(o, "ada@example.com")
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.store.AddInvitation(ctx, second, 100), invitation.ErrAlreadyInvited)
		return w.store.AddInvitation(ctx, w.describe(o, "bob@example.com"), 100) // the transaction goes on
	}))
	w.reads(t, first)
	w.invite(t, other, "ada@example.com")
	decided, err := w.store.Decide(t.Context(), invitation.Decision{
		ID: first.ID, OrganizationID: o.ID, To: invitation.Rejected, UserID: newID(), At: w.now,
	})
	assert.NoError(t, err)
	assert.NoError(t, w.store.AddInvitation(t.Context(), second, 100))
	w.reads(t, decided)
}

func (w *inviting) testExpiredMakesRoom(t *testing.T) {
	o, _ := w.create(t, newID())
	old := w.invite(t, o, "ada@example.com")
	next := w.describe(o, "ada@example.com")
	next.CreatedAt = old.ExpiresAt
	next.UpdatedAt, next.ExpiresAt = next.CreatedAt, next.CreatedAt.Add(time.Hour)
	assert.NoError(t, w.store.AddInvitation(t.Context(), next, 1))
	old.Status, old.UpdatedAt = invitation.Canceled, next.CreatedAt
	w.reads(t, old)
	w.reads(t, next)
}

func (w *inviting) testLimitHolds(t *testing.T) {
	o, _ := w.create(t, newID())
	w.invite(t, o, "a@example.com")
	w.invite(t, o, "b@example.com")
	over := w.describe(o, "c@example.com")
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.store.AddInvitation(ctx, over, 2), invitation.ErrLimitReached)
		return nil
	}))
	_, err := w.store.Find(t.Context(), o.ID, over.ID)
	assert.ErrorIs(t, err, invitation.ErrNotFound)
	assert.NoError(t, w.store.AddInvitation(t.Context(), over, 3))
	other, _ := w.create(t, newID())
	assert.NoError(t, w.store.AddInvitation(t.Context(), w.describe(other, "a@example.com"), 1))
}

// compete runs work 16 times at once and returns how many succeed; the others must
// return refusal.
func compete(t *testing.T, refusal error, work func(n int) error) int64 {
	t.Helper()
	var (
		wg      sync.WaitGroup
		winners atomic.Int64
		start   = make(chan struct{})
	)
	for n := range 16 {
		wg.Go(func() {
			<-start
			switch err := work(n); {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, refusal):
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	close(start)
	wg.Wait()
	return winners.Load()
}

func (w *inviting) testRaceForAddress(t *testing.T) {
	o, _ := w.create(t, newID())
	assert.Equal(t, compete(t, invitation.ErrAlreadyInvited, func(int) error {
		return w.store.AddInvitation(t.Context(), w.describe(o, "ada@example.com"), 100)
	}), 1)
}

func (w *inviting) testRaceForLimit(t *testing.T) {
	o, _ := w.create(t, newID())
	assert.Equal(t, compete(t, invitation.ErrLimitReached, func(n int) error {
		return w.store.AddInvitation(t.Context(), w.describe(o, fmt.Sprintf("%d@example.com", n)), 3)
	}), 3)
}

func (w *inviting) testRenew(t *testing.T) {
	o, _ := w.create(t, newID())
	i, bystander := w.invite(t, o, "ada@example.com"), w.invite(t, o, "bob@example.com")
	change := w.describe(o, "ada@example.com")
	change.Address.Display, change.Role, change.TeamIDs, change.InviterID = "other", "member", []string{newID()}, newID()
	change.ExpiresAt, change.UpdatedAt = w.now.Add(5*time.Hour), w.now.Add(time.Minute)
	got, err := w.store.RenewInvitation(t.Context(), change)
	assert.NoError(t, err)
	i.Role, i.TeamIDs, i.InviterID, i.ExpiresAt, i.UpdatedAt = change.Role, change.TeamIDs, change.InviterID, change.ExpiresAt, change.UpdatedAt
	equalInvitations(t, got, i)
	w.reads(t, i)
	w.reads(t, bystander)
	for name, spoil := range map[string]func(c *invitation.Invitation){
		"expired":              func(c *invitation.Invitation) { c.UpdatedAt = i.ExpiresAt },
		"another address":      func(c *invitation.Invitation) { c.Address.Key = "eve@example.com" },
		"another organization": func(c *invitation.Invitation) { c.OrganizationID = newID() },
	} {
		c := change
		spoil(&c)
		if _, err := w.store.RenewInvitation(t.Context(), c); !errors.Is(err, invitation.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.store.Decide(t.Context(), invitation.Decision{ID: i.ID, OrganizationID: o.ID, To: invitation.Canceled, At: w.now})
	assert.NoError(t, err)
	_, err = w.store.RenewInvitation(t.Context(), change)
	assert.ErrorIs(t, err, invitation.ErrNotFound)
}

func (w *inviting) testDecide(t *testing.T) {
	o, _ := w.create(t, newID())
	for _, to := range []invitation.Status{invitation.Accepted, invitation.Rejected, invitation.Canceled} {
		i := w.invite(t, o, string(to)+"@example.com")
		d := invitation.Decision{ID: i.ID, OrganizationID: o.ID, To: to, UserID: newID(), At: i.ExpiresAt}
		_, err := w.store.Decide(t.Context(), d)
		if to != invitation.Canceled {
			assert.ErrorIs(t, err, invitation.ErrNotFound) // it has expired
			w.reads(t, i)
			d.At = i.ExpiresAt.Add(-time.Microsecond)
			got, err := w.store.Decide(t.Context(), d)
			assert.NoError(t, err)
			i.UserID, i.UpdatedAt, i.Status = d.UserID, d.At, to
			equalInvitations(t, got, i)
		} else {
			assert.NoError(t, err)
			i.UpdatedAt, i.Status = d.At, to
		}
		w.reads(t, i)
		for _, again := range []invitation.Status{invitation.Accepted, invitation.Rejected, invitation.Canceled} {
			_, err := w.store.Decide(t.Context(), invitation.Decision{ID: i.ID, OrganizationID: o.ID, To: again, UserID: newID(), At: w.now})
			assert.ErrorIs(t, err, invitation.ErrNotFound)
		}
		w.reads(t, i)
	}
}

func (w *inviting) testRaceToDecide(t *testing.T) {
	o, _ := w.create(t, newID())
	i := w.invite(t, o, "ada@example.com")
	to := []invitation.Status{invitation.Accepted, invitation.Rejected, invitation.Canceled}
	assert.Equal(t, compete(t, invitation.ErrNotFound, func(n int) error {
		_, err := w.store.Decide(t.Context(), invitation.Decision{ID: i.ID, OrganizationID: o.ID, To: to[n%3], UserID: newID(), At: w.now})
		return err
	}), 1)
}
