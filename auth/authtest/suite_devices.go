package authtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func deviceClauses() []clause {
	return []clause{
		{"DeviceBySelector returns what AddDevice stored, with the user's address", testDevice},
		{"DeviceBySelector finds no device that is expired, of an older version or of nobody", testDeadDevices},
		{"AddDevice replaces a device of its user only", testReplaceDevice},
		{"AddDevice drops its user's devices of older versions", testOldDevices},
		{"AddDevice keeps the newest devices of each user", testKeepDevices},
		{"AddDevice needs the user", testDeviceOfNobody},
		{"concurrent calls of AddDevice keep their number", testDeviceRace},
		{"PruneDevices deletes expired devices up to its limit", testPruneDevices},
		{"ForgetGuesses deletes those counters, with its transaction", testForgetGuesses},
		{"Charge latches at the cap until the counter is forgotten, and PruneGuesses leaves it", testLatch},
	}
}

func (w *world) device(userID, selector string, created time.Time) auth.Device {
	return auth.Device{
		ID: newID(), UserID: userID, SecurityVersion: 1, Selector: selector,
		Verifier: token.Verifier{KID: "kid", MAC: []byte("mac")}, CreatedAt: created, ExpiresAt: created.Add(24 * time.Hour),
	}
}

func (w *world) find(t *testing.T, selector string, now time.Time) bool {
	t.Helper()
	_, err := w.Store.DeviceBySelector(t.Context(), selector, now)
	if err != nil {
		assert.ErrorIs(t, err, auth.ErrDeviceNotFound)
	}
	return err == nil
}

func testDevice(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	want := w.device(user.ID, "s", w.now)
	assert.NoError(t, w.Store.AddDevice(t.Context(), want, "", 5))
	got, err := w.Store.DeviceBySelector(t.Context(), "s", w.now)
	assert.NoError(t, err)
	want.Email = user.Email
	assert.Equal(t, got, want)
	assert.False(t, w.find(t, "S", w.now), "another selector")
}

func testDeadDevices(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	d := w.device(user.ID, "s", w.now)
	assert.NoError(t, w.Store.AddDevice(t.Context(), d, "", 5))
	assert.True(t, w.find(t, "s", d.ExpiresAt.Add(-time.Microsecond)), "alive")
	assert.False(t, w.find(t, "s", d.ExpiresAt), "expired")
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.RaiseVersion(ctx, user.ID)
		return err
	}))
	assert.False(t, w.find(t, "s", w.now), "of an older version")
}

func testReplaceDevice(t *testing.T, w *world) {
	ada, bob := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	first, others := w.device(ada.ID, "a1", w.now), w.device(bob.ID, "b", w.now)
	assert.NoError(t, w.Store.AddDevice(t.Context(), first, "", 5))
	assert.NoError(t, w.Store.AddDevice(t.Context(), others, "", 5))
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(ada.ID, "a2", w.now), first.ID, 5))
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(ada.ID, "a3", w.now), others.ID, 5))
	for selector, want := range map[string]bool{"a1": false, "a2": true, "a3": true, "b": true} {
		assert.Equal(t, w.find(t, selector, w.now), want)
	}
}

func testOldDevices(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(user.ID, "first", w.now), "", 5))
	second := w.device(user.ID, "second", w.now)
	second.SecurityVersion = 2
	assert.NoError(t, w.Store.AddDevice(t.Context(), second, "", 5))
	late := w.device(user.ID, "late", w.now)
	assert.NoError(t, w.Store.AddDevice(t.Context(), late, "", 5))
	n, err := w.Store.PruneDevices(t.Context(), w.now.Add(1000*time.Hour), 100)
	assert.NoError(t, err)
	assert.Equal(t, n, 2) // a late one of version 1 drops none of version 2
}

func testKeepDevices(t *testing.T, w *world) {
	ada, bob := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(bob.ID, "b", w.now), "", 3))
	for i := range 5 {
		assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(ada.ID, fmt.Sprint("a", i), w.now.Add(time.Duration(i)*time.Second)), "", 3))
	}
	for i, want := range []bool{false, false, true, true, true} {
		assert.Equal(t, w.find(t, fmt.Sprint("a", i), w.now), want)
	}
	assert.True(t, w.find(t, "b", w.now), "another user's")
}

func testDeviceOfNobody(t *testing.T, w *world) {
	assert.ErrorIs(t, w.Store.AddDevice(t.Context(), w.device(newID(), "s", w.now), "", 5), auth.ErrUserNotFound)
	assert.False(t, w.find(t, "s", w.now), "nothing is left")
}

func testDeviceRace(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	won, lost := race(t, func(ctx context.Context) error {
		return w.Store.AddDevice(ctx, w.device(user.ID, newID(), w.now), "", 3)
	})
	if won != racers {
		t.Errorf("%d of %d: %v", won, racers, lost)
	}
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(user.ID, "s", w.now.Add(time.Second)), "", 3))
	n, err := w.Store.PruneDevices(t.Context(), w.now.Add(1000*time.Hour), 100)
	assert.NoError(t, err)
	assert.Equal(t, n, 3)
}

func testPruneDevices(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	for i := range 3 {
		assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(user.ID, fmt.Sprint("s", i), w.now), "", 9))
	}
	assert.NoError(t, w.Store.AddDevice(t.Context(), w.device(user.ID, "young", w.now.Add(time.Hour)), "", 9))
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneDevices(t.Context(), w.now.Add(24*time.Hour), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.True(t, w.find(t, "young", w.now), "the young one is kept")
}

func testForgetGuesses(t *testing.T, w *world) {
	a, b, c, once := guessKey("a"), guessKey("b"), guessKey("c"), auth.Pace{Free: 1, Cap: 1}
	for _, key := range []auth.GuessKey{a, b, c} {
		assert.Equal(t, w.charge(t, key, once, 0), 0)
	}
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.Store.ForgetGuesses(ctx, c))
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	assert.NoError(t, w.Store.ForgetGuesses(t.Context(), a, guessKey("nobody"), auth.GuessKey{Factor: "totp", Account: b.Account}))
	assert.Equal(t, w.charge(t, a, once, 0), 0)
	assert.True(t, w.charge(t, b, once, 0) > 0, "another counter is kept")
	assert.True(t, w.charge(t, c, once, 0) > 0, "taken back with its transaction")
}

func testLatch(t *testing.T, w *world) {
	key, latched := guessKey("a"), auth.Pace{Free: auth.LockedAt, Cap: auth.LockedAt, Decay: time.Hour, Latch: true}
	for range auth.LockedAt - 1 {
		assert.Equal(t, w.charge(t, key, latched, 0), 0)
	}
	assert.Equal(t, w.charge(t, key, latched, 2*time.Hour), 0) // two were forgotten
	assert.Equal(t, w.charge(t, key, latched, 2*time.Hour), 0)
	assert.Equal(t, w.charge(t, key, latched, 2*time.Hour), 0)
	for _, at := range []time.Duration{2 * time.Hour, 3 * time.Hour, 9000 * time.Hour} {
		assert.Equal(t, w.charge(t, key, latched, at), 24*time.Hour)
	}
	n, err := w.Store.PruneGuesses(t.Context(), w.now.Add(9000*time.Hour), 10)
	assert.NoError(t, err)
	assert.Equal(t, n, 0)
	assert.True(t, w.charge(t, key, latched, 9000*time.Hour) > 0, "the lock holds")
	assert.NoError(t, w.Store.ForgetGuesses(t.Context(), key))
	assert.Equal(t, w.charge(t, key, latched, 9000*time.Hour), 0)
}
