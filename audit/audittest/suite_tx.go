package audittest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func txClauses() []clause {
	return []clause{
		{"a transaction commits", func(t *testing.T, w *world) {
			r := w.describe("org")
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.True(t, w.Store.InTransaction(ctx), "this is the transaction")
				return w.Store.Insert(ctx, r)
			}))
			same(t, w.list(t, "org"), []audit.Row{r})
		}},
		{"an error rolls everything back", func(t *testing.T, w *world) {
			stop := errors.New("stop here")
			assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.NoError(t, w.Store.Insert(ctx, w.describe("org")))
				return stop
			}), stop)
			assert.Len(t, w.list(t, "org"), 0)
		}},
		{"a cancelled ctx changes nothing", func(t *testing.T, w *world) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			assert.Error(t, w.Store.Insert(ctx, w.describe("org")))
			_, err := w.Store.Chain(ctx, "org")
			assert.True(t, err != nil && !errors.Is(err, audit.ErrNoChain), "a cancelled read says nothing about chains")
			assert.Len(t, w.list(t, "org"), 0)
		}},
		{"an outage is an error and never an absence", testOutage},
		{"R32 the clock is UTC in microseconds", func(t *testing.T, w *world) {
			now := w.Store.Now()
			assert.Equal(t, now, now.UTC().Truncate(time.Microsecond))
		}},
	}
}

func testOutage(t *testing.T, w *world) {
	w.insert(t, "org", 1)
	fresh := w.describe("org")
	w.Break()
	ctx, now := t.Context(), w.now
	for name, call := range map[string]func() error{
		"Insert":     func() error { return w.Store.Insert(ctx, fresh) },
		"List":       func() error { _, err := w.Store.List(ctx, audit.Filter{All: true, Limit: 1}); return err },
		"Erase":      func() error { _, err := w.Store.Erase(ctx, "x"); return err },
		"Chain":      func() error { _, err := w.Store.Chain(ctx, "org"); return err },
		"Chains":     func() error { _, err := w.Store.Chains(ctx, "", false, 1); return err },
		"Linked":     func() error { _, err := w.Store.Linked(ctx, "org", 0, 1); return err },
		"Tail":       func() error { _, err := w.Store.Tail(ctx, "org"); return err },
		"TailOfAll":  func() error { _, err := w.Store.TailOfAll(ctx); return err },
		"Roster":     func() error { _, _, err := w.Store.Roster(ctx); return err },
		"Acquire":    func() error { _, err := w.Store.Acquire(ctx, "a", now, now); return err },
		"Release":    func() error { return w.Store.Release(ctx, audit.Lease{Holder: "a", Token: 1}) },
		"Unsealed":   func() error { _, err := w.Store.Unsealed(ctx, nil, 1); return err },
		"except":     func() error { _, err := w.Store.Unsealed(ctx, []string{"x"}, 1); return err },
		"Unanchored": func() error { _, err := w.Store.Unanchored(ctx, now, now, 1); return err },
		"Anchored":   func() error { return w.Store.Anchored(ctx, head("org", 1, now), now) },
		"Extend":     func() error { return w.extend(ctx, 0, fresh) },
	} {
		if err := call(); problem.KindOf(err) != problem.Unavailable || errors.Is(err, audit.ErrNoChain) {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
}
