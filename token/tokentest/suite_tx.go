package tokentest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

var errStop = errors.New("tokentest: stop")

// calls are all methods but InTx, on a row that the store has.
func (w *world) calls(r token.Row) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"AddToken": func(ctx context.Context) error { return w.Store.AddToken(ctx, w.row(subject("new")), 5) },
		"TokenBySelector": func(ctx context.Context) error {
			_, err := w.Store.TokenBySelector(ctx, r.Purpose, r.Selector)
			return err
		},
		"ConsumeToken": func(ctx context.Context) error {
			_, err := w.Store.ConsumeToken(ctx, r.Purpose, r.ID, w.now)
			return err
		},
		"ChargeToken": func(ctx context.Context) error {
			_, err := w.Store.ChargeToken(ctx, r.Purpose, r.ID, 9, w.now)
			return err
		},
		"DropTokens": func(ctx context.Context) error {
			_, err := w.Store.DropTokens(ctx, r.Purpose, r.Subject, r.Tenant)
			return err
		},
		"PruneTokens": func(ctx context.Context) error { _, err := w.Store.PruneTokens(ctx, r.ExpiresAt, 9); return err },
	}
}

func faultClauses() []clause {
	return []clause{
		{"an outage is an error and no answer", func(t *testing.T, w *world) {
			r := w.add(t)
			w.Break()
			for name, call := range w.calls(r) {
				err := call(t.Context())
				assert.True(t, err != nil && !sentinel(err), name)
			}
			assert.Error(t, w.Store.InTx(t.Context(), func(context.Context) error { return nil }))
		}},
		{"a cancelled context changes nothing", func(t *testing.T, w *world) {
			r := w.add(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for name, call := range w.calls(r) {
				err := call(ctx)
				assert.True(t, err != nil && !sentinel(err), name)
			}
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
		}},
	}
}

func txClauses() []clause {
	return []clause{
		{"what a transaction did is there after its commit", func(t *testing.T, w *world) {
			r, n := w.add(t), w.row(subject("u2"))
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.change(ctx, t, r, n) }))
			w.changed(t, r, n, true)
		}},
		{"what a transaction did is gone after its rollback", func(t *testing.T, w *world) {
			r, n := w.add(t), w.row(subject("u2"))
			assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.NoError(t, w.change(ctx, t, r, n))
				return errStop
			}), errStop)
			w.changed(t, r, n, false)
		}},
		{"what a transaction did is gone after a panic", func(t *testing.T, w *world) {
			r, n := w.add(t), w.row(subject("u2"))
			func() {
				defer func() { assert.True(t, recover() != nil, "the panic reaches the caller") }()
				_ = w.Store.InTx(t.Context(), func(ctx context.Context) error {
					assert.NoError(t, w.change(ctx, t, r, n))
					panic("stop")
				})
			}()
			w.changed(t, r, n, false)
		}},
	}
}

func nestedClauses() []clause {
	return []clause{
		{"a nested transaction is undone alone", func(t *testing.T, w *world) {
			r, n, kept := w.add(t), w.row(subject("u2")), w.row(subject("u3"))
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.NoError(t, w.Store.AddToken(ctx, kept, 5))
				assert.ErrorIs(t, w.Store.InTx(ctx, func(ctx context.Context) error {
					assert.NoError(t, w.change(ctx, t, r, n))
					return errStop
				}), errStop)
				return nil
			}))
			w.changed(t, r, n, false)
			_, ok := w.find(t.Context(), t, kept)
			assert.True(t, ok, "the outer row is there")
		}},
		{"a refused AddToken leaves the transaction usable", func(t *testing.T, w *world) {
			r, n := w.add(t), w.row(subject("u2"))
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.Error(t, w.Store.AddToken(ctx, r, 5))
				return w.change(ctx, t, r, n)
			}))
			w.changed(t, r, n, true)
		}},
		{"a context that outlived its transaction is an error", func(t *testing.T, w *world) {
			r := w.add(t)
			var leaked context.Context
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { leaked = ctx; return nil }))
			for name, call := range w.calls(r) {
				err := call(leaked)
				assert.True(t, err != nil && !sentinel(err), name)
			}
		}},
	}
}

// change consumes and charges r, and adds n, and sees both inside.
func (w *world) change(ctx context.Context, t *testing.T, r, n token.Row) error {
	t.Helper()
	if _, err := w.Store.ChargeToken(ctx, r.Purpose, r.ID, 5, w.now); err != nil {
		return err
	}
	if _, err := w.Store.ConsumeToken(ctx, r.Purpose, r.ID, w.now); err != nil {
		return err
	}
	if err := w.Store.AddToken(ctx, n, 5); err != nil {
		return err
	}
	got, _ := w.find(ctx, t, r)
	assert.Equal(t, got.ConsumedAt, w.now)
	_, ok := w.find(ctx, t, n)
	assert.True(t, ok, "a transaction sees its own row")
	return nil
}

func (w *world) changed(t *testing.T, r, n token.Row, want bool) {
	t.Helper()
	got, _ := w.find(t.Context(), t, r)
	assert.Equal(t, !got.ConsumedAt.IsZero(), want)
	assert.Equal(t, got.Attempts == 1, want)
	_, ok := w.find(t.Context(), t, n)
	assert.Equal(t, ok, want)
}

const racers = 16

// race runs fn in 16 goroutines at once and returns how many said true.
func race(t *testing.T, fn func(i int) (bool, error)) int {
	t.Helper()
	var winners atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			won, err := fn(i)
			if err != nil {
				t.Errorf("racer %d: %v", i, err)
			}
			if won {
				winners.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(winners.Load())
}

// take consumes a row and drops its siblings in one transaction.
func (w *world) take(ctx context.Context, r token.Row) (won bool, err error) {
	err = w.Store.InTx(ctx, func(ctx context.Context) error {
		var err error
		if won, err = w.Store.ConsumeToken(ctx, r.Purpose, r.ID, w.now); err != nil || !won {
			return err
		}
		_, err = w.Store.DropTokens(ctx, r.Purpose, r.Subject, r.Tenant)
		return err
	})
	return won && err == nil, err
}

func raceClauses() []clause {
	return []clause{
		{"of 16 consumers of a row one wins", func(t *testing.T, w *world) {
			r := w.add(t)
			assert.Equal(t, race(t, func(int) (bool, error) {
				return w.Store.ConsumeToken(t.Context(), r.Purpose, r.ID, w.now)
			}), 1)
		}},
		{"of 16 consumers of 16 siblings one wins and none deadlocks", func(t *testing.T, w *world) {
			var rows []token.Row
			for range racers {
				rows = append(rows, w.add(t))
			}
			assert.Equal(t, race(t, func(i int) (bool, error) { return w.take(t.Context(), rows[i]) }), 1)
		}},
		{"of 16 chargers of a row as many win as the limit", func(t *testing.T, w *world) {
			r := w.add(t)
			assert.Equal(t, race(t, func(int) (bool, error) {
				return w.Store.ChargeToken(t.Context(), r.Purpose, r.ID, 5, w.now)
			}), 5)
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got.Attempts, 5)
		}},
		{"adding, consuming, dropping and pruning at once do not deadlock", func(t *testing.T, w *world) {
			var rows []token.Row
			for range 2 * racers {
				rows = append(rows, w.row())
			}
			for _, r := range rows[racers:] {
				assert.NoError(t, w.Store.AddToken(t.Context(), r, 100))
			}
			race(t, func(i int) (bool, error) {
				switch i % 4 {
				case 0:
					return w.take(t.Context(), rows[racers+i])
				case 1:
					_, err := w.Store.DropTokens(t.Context(), verify, "u1", "o1")
					return false, err
				case 2:
					_, err := w.Store.PruneTokens(t.Context(), rows[0].ExpiresAt, 5)
					return false, err
				}
				return false, w.Store.AddToken(t.Context(), rows[i], 3)
			})
		}},
	}
}
