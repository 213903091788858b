package cryptotest

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func outsideClauses() []clause[Env] {
	return []clause[Env]{
		{"InTransaction is true inside a transaction only", testInTransaction},
		{"a commit keeps, a rollback takes back", testRollback},
		{"a nested rollback leaves the outer transaction alive", testNested},
		{"a lost race inside a transaction leaves it alive", testLostRaceInside},
		{"a panic takes back", testPanic},
		{"an ended ctx is an error and changes nothing", testCancelled},
		{"an outage is an error, never a missing row", testOutage},
	}
}

func testInTransaction(t *testing.T, e Env) {
	assert.False(t, e.Store.InTransaction(t.Context()), "in a transaction outside")
	assert.NoError(t, e.InTx(t.Context(), func(ctx context.Context) error {
		assert.True(t, e.Store.InTransaction(ctx), "not in a transaction inside")
		return nil
	}))
}

func testRollback(t *testing.T, e Env) {
	kept, undone := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	assert.NoError(t, e.InTx(t.Context(), func(ctx context.Context) error { return e.Store.InsertKeys(ctx, kept) }))
	err := e.InTx(t.Context(), func(ctx context.Context) error {
		change := crypto.StateChange{ID: kept.ID, From: kept.State, To: crypto.StateDestroyed, At: kept.CreatedAt}
		assert.NoError(t, e.Store.InsertKeys(ctx, undone))
		assert.NoError(t, e.Store.ChangeStates(ctx, change))
		assert.NoError(t, e.Store.AddSeals(ctx, map[string]int64{kept.ID: 5}))
		got, err := e.Store.Key(ctx, undone.ID)
		assert.NoError(t, err)
		assert.Equal(t, got, undone)
		return errUndo
	})
	assert.ErrorIs(t, err, errUndo)
	requireKey(t, e, kept)
	_, err = e.Store.Key(t.Context(), undone.ID)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
}

func testNested(t *testing.T, e Env) {
	kept, undone := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	assert.NoError(t, e.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, e.Store.InsertKeys(ctx, kept))
		err := e.InTx(ctx, func(ctx context.Context) error {
			assert.NoError(t, e.Store.InsertKeys(ctx, undone))
			return errUndo
		})
		assert.ErrorIs(t, err, errUndo)
		return nil
	}))
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{}), []string{kept.ID})
}

func testLostRaceInside(t *testing.T, e Env) {
	first, after := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, first)
	assert.NoError(t, e.InTx(t.Context(), func(ctx context.Context) error {
		err := e.Store.InsertKeys(ctx, newRow(t, "data", "", crypto.StateActive))
		assert.ErrorIs(t, err, crypto.ErrActiveKeyExists)
		return e.Store.InsertKeys(ctx, after)
	}))
	requireKey(t, e, after)
}

func testPanic(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateActive)
	func() {
		defer func() { assert.NotEqual(t, recover(), nil) }()
		_ = e.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, e.Store.InsertKeys(ctx, row))
			panic("on purpose")
		})
	}()
	_, err := e.Store.Key(t.Context(), row.ID)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
}

// calls is every method that does I/O.
func calls(t *testing.T, s crypto.Store, row, fresh crypto.Key) map[string]func(context.Context) error {
	t.Helper()
	w := crypto.Wrapped{KEK: "memory:other", Bytes: random(t, 60)}
	return map[string]func(context.Context) error{
		"Key":             func(ctx context.Context) error { _, err := s.Key(ctx, row.ID); return err },
		"ActiveKey":       func(ctx context.Context) error { _, err := s.ActiveKey(ctx, row.Purpose, row.Tenant); return err },
		"ListKeys":        func(ctx context.Context) error { _, err := s.ListKeys(ctx, crypto.KeyFilter{}); return err },
		"InsertKeys":      func(ctx context.Context) error { return s.InsertKeys(ctx, fresh) },
		"ChangeStates":    func(ctx context.Context) error { return s.ChangeStates(ctx, retire(t, row)) },
		"ReplaceWrapping": func(ctx context.Context) error { return s.ReplaceWrapping(ctx, row.ID, row.Wrapped, w) },
		"AddSeals":        func(ctx context.Context) error { return s.AddSeals(ctx, map[string]int64{row.ID: 1}) },
	}
}

func testCancelled(t *testing.T, e Env) {
	row, fresh := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, row)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(t, e.Store, row, fresh) {
		err := call(ended)
		assert.True(t, err != nil, name+" ignored the end of ctx")
		assert.ErrorIs(t, err, context.Canceled)
	}
	requireKey(t, e, row)
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{}), []string{row.ID})
}

func testOutage(t *testing.T, e Env) {
	row, fresh := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, row)
	e.Break()
	for name, call := range calls(t, e.Store, row, fresh) {
		err := call(t.Context())
		assert.True(t, err != nil, name+" succeeded without a database")
		assert.ErrorIs(t, err, problem.ErrUnavailable)
	}
}
