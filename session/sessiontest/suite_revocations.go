package sessiontest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

func revocationClauses() []clause {
	return []clause{
		{"the log has what was appended, the latest first", logKeepsAll},
		{"the log is read from a time on, up to a limit", logWindow},
		{"R17 who watches is called after the commit", logTells},
		{"R17 a rollback logs nothing and calls nobody", logRollsBack},
		{"prune deletes what was logged before, up to a limit", logPrunes},
		{"a log that is down or cancelled says so", logOutage},
	}
}

// append logs a revocation without a transaction.
func (w *world) append(t *testing.T, r session.Revocation, at time.Time) {
	t.Helper()
	assert.NoError(t, w.Store.AppendRevocation(t.Context(), r, at))
}

// logged returns what is in the log since a time.
func (w *world) logged(t *testing.T, since time.Time, limit int) []session.LoggedRevocation {
	t.Helper()
	list, err := w.Store.RecentRevocations(t.Context(), since, limit)
	assert.NoError(t, err)
	return list
}

func logKeepsAll(t *testing.T, w *world) {
	want := []session.Revocation{{}, {UserID: "u1"}, {UserID: "u1", SessionID: newID()}, {UserID: "u1"}}
	for _, r := range want {
		w.append(t, r, w.now)
	}
	got := w.logged(t, w.now, 10)
	assert.Len(t, got, len(want))
	for i, r := range got {
		assert.Equal(t, r.Revocation, want[len(want)-1-i])
		sameTime(t, "At", r.At, w.now)
		assert.True(t, i == 0 || r.ID < got[i-1].ID, "ids rise")
	}
}

func logWindow(t *testing.T, w *world) {
	for i := range 5 {
		w.append(t, session.Revocation{UserID: "u1"}, w.now.Add(time.Duration(i)*time.Second))
	}
	assert.Len(t, w.logged(t, w.now.Add(2*time.Second), 10), 3)
	assert.Len(t, w.logged(t, w.now.Add(2*time.Second+time.Microsecond), 10), 2)
	assert.Len(t, w.logged(t, w.now.Add(5*time.Second), 10), 0)
	newest := w.logged(t, w.now, 2)
	assert.Len(t, newest, 2)
	sameTime(t, "At", newest[0].At, w.now.Add(4*time.Second))
}

// told collects what a store calls its watchers with.
type told struct {
	mu   sync.Mutex
	list []session.Revocation
}

func (w *world) watch() *told {
	to := &told{}
	w.Store.WatchRevocations(func(r session.Revocation) {
		to.mu.Lock()
		defer to.mu.Unlock()
		to.list = append(to.list, r)
	})
	return to
}

func (to *told) want(t *testing.T, want ...session.Revocation) {
	t.Helper()
	to.mu.Lock()
	defer to.mu.Unlock()
	assert.Len(t, to.list, len(want))
	for i := range want {
		assert.Equal(t, to.list[i], want[i])
	}
}

func logTells(t *testing.T, w *world) {
	a, b := w.watch(), w.watch()
	r1, r2 := session.Revocation{UserID: "u1"}, session.Revocation{UserID: "u2", SessionID: newID()}
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Store.AppendRevocation(ctx, r1, w.now); err != nil {
			return err
		}
		a.want(t)
		return nil
	}))
	a.want(t, r1)
	w.append(t, r2, w.now)
	a.want(t, r1, r2)
	b.want(t, r1, r2)
}

func logRollsBack(t *testing.T, w *world) {
	to := w.watch()
	kept, undone := session.Revocation{UserID: "kept"}, session.Revocation{UserID: "undone"}
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(w.Store.AppendRevocation(ctx, undone, w.now), errStop)
	}), errStop)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(w.Store.AppendRevocation(ctx, undone, w.now), errStop)
		}), errStop)
		return w.Store.AppendRevocation(ctx, kept, w.now)
	}))
	to.want(t, kept)
	assert.Len(t, w.logged(t, w.now, 10), 1)
}

func logPrunes(t *testing.T, w *world) {
	for i := range 5 {
		w.append(t, session.Revocation{UserID: "u1"}, w.now.Add(time.Duration(i)*time.Second))
	}
	before := w.now.Add(3 * time.Second)
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneRevocations(t.Context(), before, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	left := w.logged(t, w.now, 10)
	assert.Len(t, left, 2)
	w.append(t, session.Revocation{UserID: "u1"}, w.now)
	assert.True(t, w.logged(t, w.now, 1)[0].ID > left[0].ID, "an id is never used again")
}

func logOutage(t *testing.T, w *world) {
	to := w.watch()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func(ctx context.Context) error{
		"append": func(ctx context.Context) error {
			return w.Store.AppendRevocation(ctx, session.Revocation{UserID: "u1"}, w.now)
		},
		"recent": func(ctx context.Context) error { _, err := w.Store.RecentRevocations(ctx, w.now, 9); return err },
		"prune":  func(ctx context.Context) error { _, err := w.Store.PruneRevocations(ctx, w.now, 9); return err },
	}
	for name, call := range calls {
		if err := call(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled ctx: %v", name, err)
		}
	}
	assert.Len(t, w.logged(t, w.now, 9), 0)
	w.Break()
	for name, call := range calls {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
	to.want(t)
}
