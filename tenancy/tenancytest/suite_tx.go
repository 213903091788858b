package tenancytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

func txClauses() []clause {
	return []clause{
		{"a transaction commits", func(t *testing.T, w *world) {
			o, m := w.describe(newID())
			assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
				assert.True(t, w.Store.InTransaction(ctx), "this is the transaction")
				return w.Store.CreateOrganization(ctx, o, m)
			}))
			assert.False(t, w.Store.InTransaction(t.Context()), "it is over")
			w.same(t, o, m)
		}},
		{"an error rolls everything back", txRollsBack},
		{"a panic rolls everything back and goes on", txPanics},
		{"a swallowed inner error leaves no trace", txNests},
		{"a ctx that outlived its transaction is an error", txLeaks},
		{"a cancelled ctx changes nothing", txCancelled},
		{"an outage is an error and never an absence", outage},
		{"R32 the clock is UTC in microseconds", func(t *testing.T, w *world) {
			now := w.Store.Now()
			assert.Equal(t, now, now.UTC().Truncate(time.Microsecond))
		}},
	}
}

var errStop = errors.New("stop here")

func txRollsBack(t *testing.T, w *world) {
	o, m := w.describe(newID())
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Store.CreateOrganization(ctx, o, m); err != nil {
			return err
		}
		return errStop
	})
	assert.ErrorIs(t, err, errStop)
	w.absent(t, o.ID, m.UserID)
}

func txPanics(t *testing.T, w *world) {
	o, m := w.describe(newID())
	func() {
		defer func() { assert.True(t, recover() != nil, "the panic reaches the caller") }()
		_ = w.Store.InTx(t.Context(), func(ctx context.Context) error {
			if err := w.Store.CreateOrganization(ctx, o, m); err != nil {
				t.Errorf("create: %v", err)
			}
			var crash func() error
			return crash()
		})
	}()
	w.absent(t, o.ID, m.UserID)
}

func txNests(t *testing.T, w *world) {
	outer, outerOwner := w.describe(newID())
	inner, innerOwner := w.describe(newID())
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Store.CreateOrganization(ctx, outer, outerOwner); err != nil {
			return err
		}
		err := w.Store.InTx(ctx, func(ctx context.Context) error {
			if err := w.Store.CreateOrganization(ctx, inner, innerOwner); err != nil {
				return err
			}
			return errStop
		})
		assert.ErrorIs(t, err, errStop)
		return nil
	}))
	w.same(t, outer, outerOwner)
	w.absent(t, inner.ID, innerOwner.UserID)
}

func txLeaks(t *testing.T, w *world) {
	o, m := w.describe(newID())
	var leaked context.Context
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		leaked = ctx
		return nil
	}))
	assert.Error(t, w.Store.CreateOrganization(leaked, o, m))
	_, err := w.Store.HoldFirst(leaked, m.UserID)
	assert.Error(t, err)
	assert.False(t, errors.Is(err, tenancy.ErrNotFound), "a dead transaction says nothing about members")
	w.absent(t, o.ID, m.UserID)
}

func txCancelled(t *testing.T, w *world) {
	o, m := w.describe(newID())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, w.Store.CreateOrganization(ctx, o, m))
	_, err := w.holdFirst(ctx, m.UserID)
	assert.Error(t, err)
	assert.False(t, errors.Is(err, tenancy.ErrNotFound), "a cancelled read says nothing about members")
	w.absent(t, o.ID, m.UserID)
}

func outage(t *testing.T, w *world) {
	o, m := w.create(t, newID())
	fresh, owner := w.describe(newID())
	w.Break()
	ctx := t.Context()
	_, firstErr := w.holdFirst(ctx, m.UserID)
	_, _, memberErr := w.Store.Membership(ctx, o.ID, m.UserID)
	for name, err := range map[string]error{
		"create":     w.Store.CreateOrganization(ctx, fresh, owner),
		"hold first": firstErr,
		"membership": memberErr,
		"hold":       w.Store.InTx(ctx, func(ctx context.Context) error { _, err := w.Store.HoldOrganization(ctx, o.ID); return err }),
	} {
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, tenancy.ErrNotFound) {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
}
