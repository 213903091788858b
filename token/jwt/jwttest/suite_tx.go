package jwttest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

var errStop = errors.New("jwttest: stop")

// calls are all methods on a store with a published key and a signing one.
func (w *world) calls(next, old jwt.Key) map[string]func(ctx context.Context) error {
	added := w.key(jwt.StateRetired)
	return map[string]func(ctx context.Context) error{
		"ListKeys": func(ctx context.Context) error { _, err := w.Store.ListKeys(ctx); return err },
		"AddKey":   func(ctx context.Context) error { _, err := w.Store.AddKey(ctx, added); return err },
		"PromoteKey": func(ctx context.Context) error {
			_, err := w.Store.PromoteKey(ctx, w.promotion(old.ID, next.ID))
			return err
		},
		"DeleteKey": func(ctx context.Context) error { _, err := w.Store.DeleteKey(ctx, old.ID); return err },
		"PruneKeys": func(ctx context.Context) error { _, err := w.Store.PruneKeys(ctx, w.now); return err },
	}
}

func txClauses() []clause {
	return []clause{
		{"an outage is an error and no answer", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			w.Break()
			for name, call := range w.calls(next, old) {
				err := call(t.Context())
				assert.True(t, err != nil && !errors.Is(err, jwt.ErrUnknownKey) && !errors.Is(err, jwt.ErrInvalid), name)
			}
		}},
		{"a cancelled context changes nothing", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for name, call := range w.calls(next, old) {
				assert.True(t, call(ctx) != nil, name)
			}
			w.rows(t, next, old)
		}},
		{"InTransaction tells a context with a transaction", func(t *testing.T, w *world) {
			assert.False(t, w.Store.InTransaction(t.Context()), "outside")
			assert.NoError(t, w.InTx(t.Context(), func(ctx context.Context) error {
				assert.True(t, w.Store.InTransaction(ctx), "inside")
				return nil
			}))
		}},
		{"a change is undone with its transaction", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			assert.ErrorIs(t, w.InTx(t.Context(), func(ctx context.Context) error {
				done, err := w.Store.PromoteKey(ctx, w.promotion(old.ID, next.ID))
				assert.NoError(t, err)
				assert.True(t, done, "promoted")
				done, err = w.Store.DeleteKey(ctx, old.ID)
				assert.NoError(t, err)
				assert.True(t, done, "deleted")
				return errStop
			}), errStop)
			w.rows(t, next, old)
		}},
		{"a transaction goes on after a refusal", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			third := w.key(jwt.StateRetired)
			assert.NoError(t, w.InTx(t.Context(), func(ctx context.Context) error {
				done, err := w.Store.AddKey(ctx, w.key(jwt.StateSigning))
				assert.NoError(t, err)
				assert.False(t, done, "added")
				done, err = w.Store.PromoteKey(ctx, w.promotion(old.ID, "unknown"))
				assert.NoError(t, err)
				assert.False(t, done, "promoted")
				_, err = w.Store.AddKey(ctx, third)
				return err
			}))
			w.rows(t, next, third, old)
		}},
	}
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

func raceClauses() []clause {
	return []clause{
		{"of 16 who add a signing key one wins", func(t *testing.T, w *world) {
			var keys []jwt.Key
			for range racers {
				keys = append(keys, w.key(jwt.StateSigning))
			}
			assert.Equal(t, race(t, func(i int) (bool, error) { return w.Store.AddKey(t.Context(), keys[i]) }), 1)
			got, err := w.Store.ListKeys(t.Context())
			assert.NoError(t, err)
			assert.Len(t, got, 1)
		}},
		{"of 16 who promote one wins", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			assert.Equal(t, race(t, func(int) (bool, error) {
				return w.Store.PromoteKey(t.Context(), w.promotion(old.ID, next.ID))
			}), 1)
			next.State, next.SigningAt = jwt.StateSigning, w.now
			old.State, old.RetiredAt = jwt.StateRetired, w.now
			w.rows(t, next, old)
		}},
		{"of 16 who add or promote a first signing key one wins", func(t *testing.T, w *world) {
			next := w.add(t, jwt.StatePublished)
			var keys []jwt.Key
			for range racers {
				keys = append(keys, w.key(jwt.StateSigning))
			}
			assert.Equal(t, race(t, func(i int) (bool, error) {
				if i%2 == 0 {
					return w.Store.AddKey(t.Context(), keys[i])
				}
				return w.Store.PromoteKey(t.Context(), w.promotion("", next.ID))
			}), 1)
		}},
	}
}
