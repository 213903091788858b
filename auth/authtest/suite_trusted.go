package authtest

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func trustClauses() []factorClause {
	return []factorClause{
		{"AddTrusted keeps every field, in a transaction only", testAddTrusted},
		{"TrustedByID returns a user's own device, until its trust ends or the version changes", testTrustedByID},
		{"AddTrusted drops devices of older versions and the oldest beyond its number", testAddTrustedDrops},
		{"RotateTrusted replaces the newest verifier only", testRotateTrusted},
		{"of concurrent RotateTrusted one rotates", testRotateTrustedRace},
		{"ListTrusted and DropTrusted keep to their user", testListTrusted},
		{"DeleteUser deletes the trusted devices along", testDeleteUserDropsTrusted},
		{"PruneTrusted deletes those whose trust has ended, up to its limit", testPruneTrusted},
	}
}

func (w *factorWorld) trusted(userID string, created time.Time) twofactor.TrustedDevice {
	return twofactor.TrustedDevice{
		ID: newID(), UserID: userID, SecurityVersion: 1, Verifier: verifierOf("first"), Name: "Firefox on Windows",
		IP: netip.MustParseAddr("2001:db8::7"), CreatedAt: created, LastUsedAt: created, ExpiresAt: created.Add(24 * time.Hour),
	}
}

func verifierOf(mac string) token.Verifier { return token.Verifier{KID: "kid", MAC: []byte(mac)} }

func (w *factorWorld) addTrusted(t *testing.T, d twofactor.TrustedDevice, keep int) {
	t.Helper()
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.AddTrusted(ctx, d, keep) }))
}

func (w *factorWorld) isTrusted(t *testing.T, d twofactor.TrustedDevice, now time.Time) bool {
	t.Helper()
	_, err := w.Store.TrustedByID(t.Context(), d.UserID, d.ID, now)
	if err != nil {
		assert.ErrorIs(t, err, twofactor.ErrTrustNotFound)
	}
	return err == nil
}

func testAddTrusted(t *testing.T, w *factorWorld) {
	want := w.trusted(w.user(t, "ada@example.com").ID, w.now)
	assert.Error(t, w.Store.AddTrusted(t.Context(), want, 10))
	w.addTrusted(t, want, 10)
	got, err := w.Store.TrustedByID(t.Context(), want.UserID, want.ID, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
	bare := w.trusted(want.UserID, w.now)
	bare.IP = netip.Addr{}
	w.addTrusted(t, bare, 10)
	got, err = w.Store.TrustedByID(t.Context(), bare.UserID, bare.ID, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, bare)
}

func testTrustedByID(t *testing.T, w *factorWorld) {
	d := w.trusted(w.user(t, "ada@example.com").ID, w.now)
	w.addTrusted(t, d, 10)
	assert.True(t, w.isTrusted(t, d, d.ExpiresAt.Add(-time.Microsecond)), "its last moment")
	assert.False(t, w.isTrusted(t, d, d.ExpiresAt), "it has ended")
	other := d
	other.UserID = w.user(t, "bob@example.com").ID
	assert.False(t, w.isTrusted(t, other, w.now), "another's")
	other = d
	other.ID = newID()
	assert.False(t, w.isTrusted(t, other, w.now), "nobody's")
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.RaiseVersion(ctx, d.UserID)
		return err
	}))
	assert.False(t, w.isTrusted(t, d, w.now), "of an older version")
	rotated, err := w.Store.RotateTrusted(t.Context(), d.ID, d.Verifier, verifierOf("next"), d.IP, w.now)
	assert.NoError(t, err)
	assert.False(t, rotated, "of an older version")
}

func testAddTrustedDrops(t *testing.T, w *factorWorld) {
	ada, bob := w.user(t, "ada@example.com").ID, w.user(t, "bob@example.com").ID
	theirs := w.trusted(bob, w.now.Add(-time.Hour))
	w.addTrusted(t, theirs, 1)
	var all []twofactor.TrustedDevice
	for i := range 4 {
		d := w.trusted(ada, w.now.Add(time.Duration(i)*time.Minute))
		all = append(all, d)
		w.addTrusted(t, d, 3)
	}
	for i, d := range all {
		assert.Equal(t, w.isTrusted(t, d, w.now), i > 0)
	}
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.RaiseVersion(ctx, ada)
		return err
	}))
	newer := w.trusted(ada, w.now.Add(time.Hour))
	newer.SecurityVersion = 2
	w.addTrusted(t, newer, 3)
	n, err := w.Store.PruneTrusted(t.Context(), w.now.Add(1000*time.Hour), 100)
	assert.NoError(t, err)
	assert.Equal(t, n, 2) // the newer one and Bob's
}

func testRotateTrusted(t *testing.T, w *factorWorld) {
	d := w.trusted(w.user(t, "ada@example.com").ID, w.now)
	w.addTrusted(t, d, 10)
	rotate := func(id, from, to string, now time.Time) bool {
		rotated, err := w.Store.RotateTrusted(t.Context(), id, verifierOf(from), verifierOf(to), netip.Addr{}, now)
		assert.NoError(t, err)
		return rotated
	}
	later := w.now.Add(time.Hour)
	assert.False(t, rotate(d.ID, "other", "x", later), "by another verifier")
	assert.False(t, rotate(newID(), "first", "x", later), "another device")
	assert.False(t, rotate(d.ID, "first", "x", d.ExpiresAt), "its trust has ended")
	assert.True(t, rotate(d.ID, "first", "second", later), "by the newest")
	assert.False(t, rotate(d.ID, "first", "third", later), "once more")
	got, err := w.Store.TrustedByID(t.Context(), d.UserID, d.ID, later)
	assert.NoError(t, err)
	d.Verifier, d.IP, d.LastUsedAt = verifierOf("second"), netip.Addr{}, later
	assert.Equal(t, got, d)
}

func testRotateTrustedRace(t *testing.T, w *factorWorld) {
	d := w.trusted(w.user(t, "ada@example.com").ID, w.now)
	w.addTrusted(t, d, 10)
	var group sync.WaitGroup
	var won atomic.Int64
	for range 16 {
		group.Go(func() {
			rotated, err := w.Store.RotateTrusted(t.Context(), d.ID, d.Verifier, verifierOf(newID()), d.IP, w.now)
			assert.NoError(t, err)
			if rotated {
				won.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, won.Load(), 1)
}

func testListTrusted(t *testing.T, w *factorWorld) {
	ada, bob := w.user(t, "ada@example.com").ID, w.user(t, "bob@example.com").ID
	first, second := w.trusted(ada, w.now), w.trusted(ada, w.now.Add(time.Minute))
	theirs, over := w.trusted(bob, w.now), w.trusted(ada, w.now.Add(-48*time.Hour))
	for _, d := range []twofactor.TrustedDevice{first, second, theirs, over} {
		w.addTrusted(t, d, 10)
	}
	list := func(userID string) []twofactor.TrustedDevice {
		got, err := w.Store.ListTrusted(t.Context(), userID, w.now)
		assert.NoError(t, err)
		return got
	}
	assert.Equal(t, list(ada), []twofactor.TrustedDevice{second, first})
	for _, c := range []struct {
		user, id string
		dropped  bool
	}{{bob, first.ID, false}, {"", first.ID, false}, {ada, newID(), false}, {ada, first.ID, true}, {ada, first.ID, false}} {
		dropped, err := w.Store.DropTrusted(t.Context(), c.user, c.id)
		assert.NoError(t, err)
		assert.Equal(t, dropped, c.dropped)
	}
	assert.Equal(t, list(ada), []twofactor.TrustedDevice{second})
	assert.Equal(t, list(bob), []twofactor.TrustedDevice{theirs})
}

func testDeleteUserDropsTrusted(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	d := w.trusted(user.ID, w.now)
	w.addTrusted(t, d, 10)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := w.Store.LockUser(ctx, user.ID); err != nil {
			return err
		}
		return w.Store.DeleteUser(ctx, user.ID, user.SecurityVersion)
	}))
	assert.False(t, w.isTrusted(t, d, w.now), "the user is gone")
}

func testPruneTrusted(t *testing.T, w *factorWorld) {
	ada := w.user(t, "ada@example.com").ID
	for i := range 4 {
		w.addTrusted(t, w.trusted(ada, w.now.Add(-time.Duration(23+i)*time.Hour)), 10)
	}
	for _, want := range []int{2, 1, 0} { // of three, two at once
		n, err := w.Store.PruneTrusted(t.Context(), w.now, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
}
