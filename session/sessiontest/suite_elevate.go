package sessiontest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

func elevateClauses() []clause {
	return []clause{
		{"by id finds the user's session of either mode and nobody else's", byID},
		{"R1 by id passes over what a lookup would refuse", byIDAdmits},
		{"elevate replaces the token and sets what it names", elevates},
		{"R14 elevate makes a bearer session's refresh token anew", elevatesFamily},
		{"elevate touches no other session", func(t *testing.T, w *world) {
			user := w.user(t)
			r, other := w.create(t, user, nil), w.create(t, user, nil)
			assert.NoError(t, w.Store.ElevateSession(t.Context(), w.elevation(r)))
			same(t, w.find(t, other).Session, other.Session)
		}},
		{"R1 elevate refuses what changed since", elevateRefuses},
		{"elevate refuses a selector that exists", func(t *testing.T, w *world) {
			user := w.user(t)
			r, other := w.create(t, user, nil), w.create(t, user, nil)
			e := w.elevation(r)
			e.To.Selector = other.Selector
			assert.Error(t, w.Store.ElevateSession(t.Context(), e))
			same(t, w.find(t, r).Session, r.Session)
			same(t, w.find(t, other).Session, other.Session)
		}},
		{"16 concurrent elevations have one winner", elevateRace},
		{"an elevation rolls back", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				if err := w.Store.ElevateSession(ctx, w.elevation(r)); err != nil {
					return err
				}
				return errStop
			}), errStop)
			same(t, w.find(t, r).Session, r.Session)
		}},
		{"R12 failures are counted until an elevation", failures},
		{"16 concurrent failures are counted one by one", failureRace},
	}
}

// elevation elevates r by totp.
func (w *world) elevation(r session.Record) session.Elevation {
	w.count++
	to := w.record(r.UserID)
	to.Session = r.Session
	to.Channels, to.FreshChannels = []string{"password", "totp"}, []string{"totp"}
	to.FreshAt, to.LastSeenAt = w.now.Add(2*time.Second), w.now.Add(3*time.Second)
	to.IdleEndsAt, to.EndsAt = w.now.Add(4*time.Minute), w.now.Add(5*time.Minute)
	to.Verifier = token.Verifier{KID: "k2", MAC: fill(32)}
	return session.Elevation{ID: r.ID, UserID: r.UserID, SecurityVersion: r.SecurityVersion, FreshAt: r.FreshAt, To: to, At: w.now}
}

func byID(t *testing.T, w *world) {
	user := w.user(t)
	for _, r := range []session.Record{w.create(t, user, nil), w.bearer(t, user)} {
		found, err := w.Store.SessionByID(t.Context(), user, r.ID)
		assert.NoError(t, err)
		same(t, found, r.Session)
		for _, c := range [][2]string{{w.user(t), r.ID}, {user, newID()}} {
			_, err = w.Store.SessionByID(t.Context(), c[0], c[1])
			assert.ErrorIs(t, err, session.ErrNoSession)
		}
		w.end(t, session.Ending{UserID: user, ID: r.ID})
		_, err = w.Store.SessionByID(t.Context(), user, r.ID)
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
}

func byIDAdmits(t *testing.T, w *world) {
	for _, change := range []func(*UserState){
		func(u *UserState) { u.Banned = true },
		func(u *UserState) { u.Gone = true },
		func(u *UserState) { u.SecurityVersion++ },
	} {
		u := w.describe()
		assert.NoError(t, w.PutUser(t.Context(), u))
		r := w.create(t, u.ID, nil)
		change(&u)
		assert.NoError(t, w.PutUser(t.Context(), u))
		_, err := w.Store.SessionByID(t.Context(), u.ID, r.ID)
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
}

func elevates(t *testing.T, w *world) {
	r := w.create(t, w.user(t), nil)
	e := w.elevation(r)
	assert.NoError(t, w.Store.ElevateSession(t.Context(), e))
	w.dead(t, r)
	found := w.find(t, e.To)
	same(t, found.Session, e.To.Session)
	assert.Equal(t, found.Verifier, e.To.Verifier)
}

func elevatesFamily(t *testing.T, w *world) {
	r := w.bearer(t, w.user(t))
	w.rotate(t, r, 0)
	e := w.elevation(r)
	e.Generation, e.To.Generation, e.To.Selector, e.To.Bearer, e.Replays = 2, 3, r.Selector, true, familyLimit
	stale := e
	stale.Generation = 1
	assert.ErrorIs(t, w.Store.ElevateSession(t.Context(), stale), session.ErrNoSession)
	assert.NoError(t, w.Store.ElevateSession(t.Context(), e))
	found, err := w.Store.SessionByID(t.Context(), r.UserID, r.ID)
	assert.NoError(t, err)
	same(t, found, e.To.Session)
	sameFamily(t, w.family(t, r), session.Family{
		UserID: r.UserID, SecurityVersion: 1, Generation: 3, Verifier: e.To.Verifier, RotatedAt: e.At,
		Replays: familyLimit, IdleEndsAt: e.To.IdleEndsAt, FreshAt: e.To.FreshAt,
	})
	// The token before buys nothing, not even within the grace; the new one does.
	_, err = w.Store.RotateFamily(t.Context(), w.rotation(r, 1))
	assert.ErrorIs(t, err, session.ErrNoSession)
	_, err = w.Store.ReplayFamily(t.Context(), w.replay(r, 1, e.At))
	assert.ErrorIs(t, err, session.ErrNoSession)
	n := w.rotation(r, 2)
	n.Parent = e.To.Verifier
	family, err := w.Store.RotateFamily(t.Context(), n)
	assert.NoError(t, err)
	assert.Equal(t, family.Generation, 4)
}

func elevateRefuses(t *testing.T, w *world) {
	for name, change := range map[string]func(r session.Record, e *session.Elevation){
		"another user":       func(_ session.Record, e *session.Elevation) { e.UserID = w.user(t) },
		"an unknown id":      func(_ session.Record, e *session.Elevation) { e.ID = newID() },
		"an older version":   func(_ session.Record, e *session.Elevation) { e.SecurityVersion-- },
		"a newer version":    func(_ session.Record, e *session.Elevation) { e.SecurityVersion++ },
		"another freshness":  func(_ session.Record, e *session.Elevation) { e.FreshAt = e.FreshAt.Add(-time.Microsecond) },
		"another generation": func(_ session.Record, e *session.Elevation) { e.Generation++ },
		"idled":              func(r session.Record, e *session.Elevation) { e.At = r.IdleEndsAt },
		"revoked": func(r session.Record, _ *session.Elevation) {
			w.end(t, session.Ending{UserID: r.UserID, ID: r.ID})
		},
	} {
		r := w.create(t, w.user(t), nil)
		e := w.elevation(r)
		change(r, &e)
		if err := w.Store.ElevateSession(t.Context(), e); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
		w.dead(t, e.To)
		if name != "revoked" {
			same(t, w.find(t, r).Session, r.Session)
		}
	}
	ended := w.create(t, w.user(t), func(r *session.Record) { r.IdleEndsAt = r.EndsAt })
	e := w.elevation(ended)
	e.At = ended.EndsAt
	assert.ErrorIs(t, w.Store.ElevateSession(t.Context(), e), session.ErrNoSession)
}

func elevateRace(t *testing.T, w *world) {
	r := w.create(t, w.user(t), nil)
	var (
		wg  sync.WaitGroup
		won atomic.Int64
	)
	for range 16 {
		e := w.elevation(r)
		wg.Go(func() {
			switch err := w.Store.ElevateSession(t.Context(), e); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, session.ErrNoSession):
				t.Errorf("a racer failed: %v", err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, won.Load(), 1)
	w.dead(t, r)
}

func failures(t *testing.T, w *world) {
	user := w.user(t)
	r, other := w.create(t, user, nil), w.create(t, user, nil)
	fail := func(r session.Record, want int) {
		n, err := w.Store.FailStepUp(t.Context(), user, r.ID)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	for n := range 7 {
		fail(r, n+1)
	}
	fail(other, 1)
	same(t, w.find(t, r).Session, r.Session)
	assert.NoError(t, w.Store.ElevateSession(t.Context(), w.elevation(r)))
	fail(r, 1)
	fail(other, 2)
	for _, c := range [][2]string{{w.user(t), r.ID}, {user, newID()}} {
		_, err := w.Store.FailStepUp(t.Context(), c[0], c[1])
		assert.ErrorIs(t, err, session.ErrSessionNotFound)
	}
	w.end(t, session.Ending{UserID: user, ID: r.ID})
	_, err := w.Store.FailStepUp(t.Context(), user, r.ID)
	assert.ErrorIs(t, err, session.ErrSessionNotFound)
}

func failureRace(t *testing.T, w *world) {
	r := w.create(t, w.user(t), nil)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[int]bool{}
	)
	for range 16 {
		wg.Go(func() {
			n, err := w.Store.FailStepUp(t.Context(), r.UserID, r.ID)
			mu.Lock()
			defer mu.Unlock()
			seen[n] = true
			if err != nil {
				t.Errorf("a racer failed: %v", err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, len(seen), 16)
}
