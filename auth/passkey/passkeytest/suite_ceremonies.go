package passkeytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// begin adds a ceremony of a user, of nobody if userID is empty.
func (w *world) begin(t *testing.T, userID string) passkey.Ceremony {
	t.Helper()
	id := newID()
	c := passkey.Ceremony{
		ID: id, Kind: passkey.KindStepUp, Owner: []byte("owner " + id), Challenge: []byte("challenge " + id), UserID: userID,
		SecurityVersion: 3, UserVerification: true, Bearer: true, CreatedAt: w.now, ExpiresAt: w.now.Add(5 * time.Minute),
	}
	if userID == "" {
		c.Kind, c.SecurityVersion, c.UserVerification, c.Bearer = passkey.KindSignIn, 0, false, false
	}
	assert.NoError(t, w.Store.AddCeremony(t.Context(), c))
	return c
}

func (w *world) claim(t *testing.T, c passkey.Ceremony, at time.Time) (passkey.Ceremony, error) {
	t.Helper()
	return w.Store.ClaimCeremony(t.Context(), c.Owner, c.Challenge, at)
}

func testClaim(t *testing.T, w *world) {
	for _, user := range []string{"ada", ""} {
		c := w.begin(t, user)
		got, err := w.claim(t, c, c.ExpiresAt.Add(-time.Microsecond))
		assert.NoError(t, err)
		assert.Equal(t, got, c)
		_, err = w.claim(t, c, w.now)
		assert.ErrorIs(t, err, passkey.ErrCeremonyNotFound)
	}
}

func testClaimWrong(t *testing.T, w *world) {
	c, other := w.begin(t, "ada"), w.begin(t, "")
	for name, wrong := range map[string]passkey.Ceremony{
		"another owner": {Owner: other.Owner, Challenge: c.Challenge}, "another challenge": {Owner: c.Owner, Challenge: other.Challenge},
		"no owner": {Challenge: c.Challenge}, "no challenge": {Owner: c.Owner},
	} {
		if _, err := w.claim(t, wrong, w.now); !errors.Is(err, passkey.ErrCeremonyNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.claim(t, c, c.ExpiresAt)
	assert.ErrorIs(t, err, passkey.ErrCeremonyNotFound)
	_, err = w.claim(t, c, w.now)
	assert.NoError(t, err)
	_, err = w.claim(t, other, w.now)
	assert.NoError(t, err)
}

func testClaimRace(t *testing.T, w *world) {
	c := w.begin(t, "ada")
	assert.Equal(t, race(t, passkey.ErrCeremonyNotFound, func(ctx context.Context) error {
		_, err := w.Store.ClaimCeremony(ctx, c.Owner, c.Challenge, w.now)
		return err
	}), 1)
}

func testPrune(t *testing.T, w *world) {
	for range 3 {
		w.begin(t, "ada")
	}
	w.now = w.now.Add(time.Minute)
	young := w.begin(t, "")
	at := w.now.Add(4 * time.Minute) // when the first three expire
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneCeremonies(t.Context(), at, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	_, err := w.claim(t, young, at)
	assert.NoError(t, err)
}

func testRollback(t *testing.T, w *world) {
	p, c := w.add(t, "ada"), w.begin(t, "ada")
	stop := errors.New("stop")
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.True(t, w.Store.InTransaction(ctx), "there is one")
		_, err := w.Store.Handle(ctx, "bob", []byte("bob's"))
		assert.NoError(t, err)
		_, err = w.Store.Use(ctx, passkey.Use{ID: p.ID, UserID: "ada", SignCount: 8, At: w.now})
		assert.NoError(t, err)
		_, err = w.Store.ClaimCeremony(ctx, c.Owner, c.Challenge, w.now)
		assert.NoError(t, err)
		assert.NoError(t, w.Store.Forget(ctx, "ada"))
		return stop
	}), stop)
	assert.False(t, w.Store.InTransaction(t.Context()), "there is none")
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{p})
	_, err := w.Store.Handle(t.Context(), "bob", nil)
	assert.ErrorIs(t, err, passkey.ErrNotFound)
	_, err = w.claim(t, c, w.now)
	assert.NoError(t, err)
}

// calls are all calls of a store.
func calls(s passkey.Store, now time.Time) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Handle":       func(ctx context.Context) error { _, err := s.Handle(ctx, "ada", []byte("x")); return err },
		"Add":          func(ctx context.Context) error { return s.Add(ctx, passkey.Passkey{ID: "x", CreatedAt: now}) },
		"Passkeys":     func(ctx context.Context) error { _, err := s.Passkeys(ctx, "ada"); return err },
		"ByCredential": func(ctx context.Context) error { _, _, err := s.ByCredential(ctx, []byte("x")); return err },
		"Use":          func(ctx context.Context) error { _, err := s.Use(ctx, passkey.Use{At: now}); return err },
		"Rename":       func(ctx context.Context) error { _, err := s.Rename(ctx, "ada", "x", "y"); return err },
		"Remove":       func(ctx context.Context) error { _, err := s.Remove(ctx, "ada", "x"); return err },
		"Forget":       func(ctx context.Context) error { return s.Forget(ctx, "ada") },
		"AddCeremony":  func(ctx context.Context) error { return s.AddCeremony(ctx, passkey.Ceremony{ID: "x", ExpiresAt: now}) },
		"ClaimCeremony": func(ctx context.Context) error {
			_, err := s.ClaimCeremony(ctx, []byte("x"), []byte("y"), now)
			return err
		},
		"PruneCeremonies": func(ctx context.Context) error { _, err := s.PruneCeremonies(ctx, now, 1); return err },
	}
}

func testOutage(t *testing.T, w *world) {
	w.Break()
	for name, call := range calls(w.Store, w.now) {
		if err := call(t.Context()); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testCancelled(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(w.Store, w.now) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
