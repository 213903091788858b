package sessiontest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

func txClauses() []clause {
	return []clause{
		{"a transaction commits", func(t *testing.T, w *world) {
			r := w.record(w.user(t))
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.CreateSession(ctx, r) }))
			w.find(t, r)
		}},
		{"an error rolls everything back", txRollsBack},
		{"a panic rolls everything back and goes on", txPanics},
		{"a swallowed inner error leaves no trace", txNests},
		{"a ctx that outlived its transaction is an error", txLeaks},
		{"only a ctx of InTx is in a transaction", func(t *testing.T, w *world) {
			assert.False(t, w.Store.InTransaction(t.Context()), "no transaction was begun")
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.True(t, w.Store.InTransaction(ctx), "this is the transaction")
				return nil
			}))
		}},
		{"a cancelled ctx changes nothing", txCancelled},
		{"an outage is an error and never an absence", outage},
		{"R32 the clock is UTC in microseconds", func(t *testing.T, w *world) {
			now := w.Store.Now()
			sameTime(t, "Now", now, now.Truncate(time.Microsecond))
		}},
	}
}

var errStop = errors.New("stop here")

func txRollsBack(t *testing.T, w *world) {
	user := w.user(t)
	old, r := w.create(t, user, nil), w.record(user)
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Store.CreateSession(ctx, r); err != nil {
			return err
		}
		if _, err := w.Store.EndSessions(ctx, session.Ending{UserID: user, KeepID: r.ID, At: w.now}); err != nil {
			return err
		}
		return errStop
	})
	assert.ErrorIs(t, err, errStop)
	w.dead(t, r)
	same(t, w.find(t, old).Session, old.Session)
}

func txPanics(t *testing.T, w *world) {
	r := w.record(w.user(t))
	func() {
		defer func() { assert.True(t, recover() != nil, "the panic reaches the caller") }()
		_ = w.Store.InTx(t.Context(), func(ctx context.Context) error {
			if err := w.Store.CreateSession(ctx, r); err != nil {
				t.Errorf("create: %v", err)
			}
			var crash func() error
			return crash()
		})
	}()
	w.dead(t, r)
}

func txNests(t *testing.T, w *world) {
	user := w.user(t)
	outer, inner := w.record(user), w.record(user)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Store.CreateSession(ctx, outer); err != nil {
			return err
		}
		err := w.Store.InTx(ctx, func(ctx context.Context) error {
			if err := w.Store.CreateSession(ctx, inner); err != nil {
				return err
			}
			return w.Store.CreateSession(ctx, outer)
		})
		assert.ErrorIs(t, err, session.ErrDuplicate)
		return nil
	}))
	w.find(t, outer)
	w.dead(t, inner)
}

func txLeaks(t *testing.T, w *world) {
	r := w.record(w.user(t))
	var leaked context.Context
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		leaked = ctx
		return nil
	}))
	assert.Error(t, w.Store.CreateSession(leaked, r))
	_, err := w.Store.FindSession(leaked, r.Selector)
	assert.Error(t, err)
	assert.False(t, errors.Is(err, session.ErrNoSession), "a dead transaction says nothing about the session")
	w.dead(t, r)
}

func txCancelled(t *testing.T, w *world) {
	user := w.user(t)
	r, fresh := w.create(t, user, nil), w.record(user)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, w.Store.CreateSession(ctx, fresh))
	assert.Error(t, w.Store.TouchSession(ctx, touchAt(r, w.now.Add(5*time.Minute), time.Hour)))
	assert.Error(t, w.Store.SetOrganization(ctx, user, r.ID, newID()))
	assert.Error(t, w.Store.LeaveOrganization(ctx, newID(), []string{user}))
	assert.Error(t, w.Store.ElevateSession(ctx, w.elevation(r)))
	_, err := w.Store.FailStepUp(ctx, user, r.ID)
	assert.Error(t, err)
	_, err = w.Store.EndSessions(ctx, session.Ending{UserID: user, At: w.now})
	assert.Error(t, err)
	_, err = w.Store.FindSession(ctx, r.Selector)
	assert.Error(t, err)
	family := w.bearer(t, user)
	_, err = w.Store.RotateFamily(ctx, w.rotation(family, 0))
	assert.Error(t, err)
	assert.False(t, errors.Is(err, session.ErrNoSession), "a cancelled rotation says nothing about the token")
	assert.Equal(t, w.family(t, family).Generation, int64(1))
	assert.False(t, errors.Is(err, session.ErrNoSession), "a cancelled lookup says nothing about the session")
	w.dead(t, fresh)
	same(t, w.find(t, r).Session, r.Session)
}

func outage(t *testing.T, w *world) {
	user := w.user(t)
	r, fresh, family := w.create(t, user, nil), w.record(user), w.bearer(t, user)
	w.Break()
	calls := map[string]func(ctx context.Context) error{
		"create":             func(ctx context.Context) error { return w.Store.CreateSession(ctx, fresh) },
		"find":               func(ctx context.Context) error { _, err := w.Store.FindSession(ctx, r.Selector); return err },
		"find by id":         func(ctx context.Context) error { _, err := w.Store.FindSessionByID(ctx, r.ID); return err },
		"touch":              func(ctx context.Context) error { return w.Store.TouchSession(ctx, touchAt(r, w.now, time.Hour)) },
		"list":               func(ctx context.Context) error { _, err := w.Store.ListSessions(ctx, user, w.now, 9); return err },
		"set organization":   func(ctx context.Context) error { return w.Store.SetOrganization(ctx, user, r.ID, "") },
		"set team":           func(ctx context.Context) error { return w.Store.SetTeam(ctx, user, r.ID, "x", "") },
		"leave organization": func(ctx context.Context) error { return w.Store.LeaveOrganization(ctx, "x", []string{user}) },
		"leave team":         func(ctx context.Context) error { return w.Store.LeaveTeam(ctx, "x", []string{user}) },
		"find the user's":    func(ctx context.Context) error { _, err := w.Store.SessionByID(ctx, user, r.ID); return err },
		"elevate":            func(ctx context.Context) error { return w.Store.ElevateSession(ctx, w.elevation(r)) },
		"fail a step-up":     func(ctx context.Context) error { _, err := w.Store.FailStepUp(ctx, user, r.ID); return err },
		"prune":              func(ctx context.Context) error { _, err := w.Store.PruneSessions(ctx, w.now, 9); return err },
		"delete":             func(ctx context.Context) error { return w.Store.DeleteSessions(ctx, user) },
		"rotate": func(ctx context.Context) error {
			_, err := w.Store.RotateFamily(ctx, w.rotation(family, 0))
			return err
		},
		"replay": func(ctx context.Context) error {
			_, err := w.Store.ReplayFamily(ctx, w.replay(family, 0, w.now))
			return err
		},
		"find a family": func(ctx context.Context) error { _, err := w.Store.FindFamily(ctx, family.ID); return err },
		"end": func(ctx context.Context) error {
			_, err := w.Store.EndSessions(ctx, session.Ending{UserID: user, At: w.now})
			return err
		},
		"transaction": func(ctx context.Context) error {
			return w.Store.InTx(ctx, func(context.Context) error { return nil })
		},
	}
	for name, call := range calls {
		err := call(t.Context())
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionNotFound) {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
}
