package tenancytest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// Env is a store under test.
type Env struct {
	Store tenancy.Store
	// Join adds a member, which the package itself does not do yet.
	Join func(ctx context.Context, m tenancy.Member) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at tenancy.Store.
// Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause{rowClauses(), departureClauses(), memberClauses(), roleClauses(), txClauses()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := &world{Env: open(t)}
				w.now = w.Store.Now()
				c.test(t, w)
			})
		}
	}
}

// clause is one sentence of the contract.
type clause struct {
	name string
	test func(*testing.T, *world)
}

// world is an Env with the few moves that all clauses make.
type world struct {
	Env
	now   time.Time
	count int
}

// describe returns an organization of the user.
func (w *world) describe(userID string) (tenancy.Organization, tenancy.Member) {
	w.count++
	o := tenancy.Organization{
		ID: newID(), Name: "Ada's organization", Slug: fmt.Sprintf("ada-%d", w.count), OwnerID: userID,
		CreatedAt: w.now, UpdatedAt: w.now,
	}
	return o, tenancy.Member{ID: newID(), OrganizationID: o.ID, UserID: userID, Role: tenancy.RoleOwner, CreatedAt: w.now}
}

// create stores what describe returns.
func (w *world) create(t *testing.T, userID string) (tenancy.Organization, tenancy.Member) {
	t.Helper()
	o, m := w.describe(userID)
	assert.NoError(t, w.Store.CreateOrganization(t.Context(), o, m))
	return o, m
}

// absent fails the test if the user is a member of o.
func (w *world) absent(t *testing.T, organizationID, userID string) {
	t.Helper()
	_, _, err := w.Store.Membership(t.Context(), organizationID, userID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

// same fails the test unless the user's place in o reads as want.
func (w *world) same(t *testing.T, o tenancy.Organization, want tenancy.Member) {
	t.Helper()
	gotO, gotM, err := w.Store.Membership(t.Context(), o.ID, want.UserID)
	assert.NoError(t, err)
	for name, pair := range map[string][2]time.Time{
		"organization created": {gotO.CreatedAt, o.CreatedAt}, "organization updated": {gotO.UpdatedAt, o.UpdatedAt},
		"member created": {gotM.CreatedAt, want.CreatedAt},
	} {
		if !pair[0].Equal(pair[1]) || pair[0].Location() != time.UTC {
			t.Errorf("%s: %v, want %v in UTC", name, pair[0], pair[1].UTC())
		}
	}
	gotO.CreatedAt, gotO.UpdatedAt, gotM.CreatedAt = o.CreatedAt, o.UpdatedAt, want.CreatedAt
	assert.Equal(t, gotO, o)
	assert.Equal(t, gotM, want)
}

// newID returns a fresh UUIDv7. It can fail only where the system has no
// randomness, and then nothing else works either.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func rowClauses() []clause {
	return []clause{
		{"create keeps every field", func(t *testing.T, w *world) {
			o, m := w.describe(newID())
			o.Name, o.Logo = "Ünïcode & Söhne 株式会社", "https://example.com/logo.png"
			o.Metadata = json.RawMessage(`{"plan": "free", "n": [1, 2.50]}`)
			o.CreatedAt, o.UpdatedAt = w.now.Add(-time.Microsecond), w.now.Add(123456*time.Microsecond)
			m.CreatedAt = w.now.Truncate(time.Second)
			assert.NoError(t, w.Store.CreateOrganization(t.Context(), o, m))
			w.same(t, o, m)
		}},
		{"create keeps empty fields empty", func(t *testing.T, w *world) {
			o, m := w.create(t, newID())
			w.same(t, o, m)
		}},
		{"create refuses a slug that is taken and changes nothing", slugTaken},
		{"16 concurrent creations with one slug have one winner", slugRace},
		{"hold first takes the oldest membership's", holdFirst},
		{"membership is for members only", func(t *testing.T, w *world) {
			o, m := w.create(t, newID())
			other, stranger := w.create(t, newID())
			w.absent(t, o.ID, stranger.UserID)
			w.absent(t, other.ID, m.UserID)
			w.absent(t, newID(), m.UserID)
			w.same(t, o, m)
		}},
		{"R13 the policy is the owner's to set, and read with a membership", testPolicy},
		{"R3 hold wants an organization and a transaction", hold},
	}
}

func testPolicy(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, _ := w.create(t, newID())
	admin := w.join(t, o.ID, newID(), "admin", time.Second)
	set := func(id, user string, p principal.SecondFactorPolicy) error {
		return w.Store.SetSecondFactorPolicy(t.Context(), id, user, p, w.now.Add(time.Hour))
	}
	policy := principal.SecondFactorPolicy{From: w.now.Add(72 * time.Hour), AcceptTrustedDevices: true}
	for _, c := range [][2]string{{o.ID, admin.UserID}, {other.ID, owner.UserID}, {newID(), owner.UserID}, {o.ID, ""}} {
		assert.ErrorIs(t, set(c[0], c[1], policy), tenancy.ErrNotFound)
	}
	w.same(t, o, owner)
	for _, p := range []principal.SecondFactorPolicy{policy, {}} {
		assert.NoError(t, set(o.ID, owner.UserID, p))
		o.SecondFactor, o.UpdatedAt = p, w.now.Add(time.Hour)
		w.same(t, o, admin)
	}
	assert.NoError(t, set(o.ID, owner.UserID, policy))
	got, _, err := w.Store.Membership(t.Context(), other.ID, other.OwnerID)
	assert.NoError(t, err)
	assert.Equal(t, got.SecondFactor, principal.SecondFactorPolicy{})
}

func slugTaken(t *testing.T, w *world) {
	o, m := w.create(t, newID())
	twin, owner := w.describe(newID())
	free, freeOwner := w.describe(owner.UserID)
	twin.Slug = o.Slug
	assert.ErrorIs(t, w.Store.CreateOrganization(t.Context(), twin, owner), tenancy.ErrSlugTaken)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.CreateOrganization(ctx, twin, owner), tenancy.ErrSlugTaken)
		return w.Store.CreateOrganization(ctx, free, freeOwner)
	}))
	w.same(t, o, m)
	w.same(t, free, freeOwner)
	w.absent(t, twin.ID, owner.UserID)
}

func slugRace(t *testing.T, w *world) {
	var (
		wg      sync.WaitGroup
		winners atomic.Int64
	)
	for range 16 {
		o, m := w.describe(newID())
		o.Slug = "one-slug"
		wg.Go(func() {
			err := w.Store.CreateOrganization(t.Context(), o, m)
			if err == nil {
				winners.Add(1)
				return
			}
			assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
		})
	}
	wg.Wait()
	assert.Equal(t, winners.Load(), 1)
}

func holdFirst(t *testing.T, w *world) {
	user := newID()
	_, err := w.Store.HoldFirst(t.Context(), user)
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	_, err = w.holdFirst(t.Context(), user)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	w.create(t, newID())
	var want string
	for i, ago := range []time.Duration{time.Minute, time.Hour, time.Second} {
		o, m := w.describe(user)
		m.CreatedAt = w.now.Add(-ago)
		assert.NoError(t, w.Store.CreateOrganization(t.Context(), o, m))
		if i == 1 {
			want = o.ID
		}
	}
	got, err := w.holdFirst(t.Context(), user)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
}

func (w *world) holdFirst(ctx context.Context, user string) (id string, err error) {
	err = w.Store.InTx(ctx, func(ctx context.Context) error {
		id, err = w.Store.HoldFirst(ctx, user)
		return err
	})
	return id, err
}

func hold(t *testing.T, w *world) {
	o, _ := w.create(t, newID())
	_, err := w.Store.HoldOrganization(t.Context(), o.ID)
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.HoldOrganization(ctx, newID())
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		got, err := w.Store.HoldOrganization(ctx, o.ID)
		assert.Equal(t, got, o)
		return err
	}))
}
