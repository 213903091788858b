package faketx_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/faketx"
)

var errNo = errors.New("no")

func counter() *faketx.DB[int] {
	return faketx.New(0, func(n int) int { return n })
}

func add(db *faketx.DB[int], ctx context.Context, n int) error {
	return db.Do(ctx, func(state *int) error { *state += n; return nil })
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fn   func(db *faketx.DB[int], ctx context.Context) error
		want int
	}{
		"commit":   {func(db *faketx.DB[int], ctx context.Context) error { return add(db, ctx, 1) }, 1},
		"rollback": {func(db *faketx.DB[int], ctx context.Context) error { _ = add(db, ctx, 1); return errNo }, 0},
		"savepoint taken back": {func(db *faketx.DB[int], ctx context.Context) error {
			_ = add(db, ctx, 1)
			_ = db.InTx(ctx, func(ctx context.Context) error { _ = add(db, ctx, 10); return errNo })
			return nil
		}, 1},
		"failed call inside": {func(db *faketx.DB[int], ctx context.Context) error {
			_ = db.Do(ctx, func(state *int) error { *state = 99; return errNo })
			return nil
		}, 0},
	} {
		db := counter()
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			assert.True(t, db.InTransaction(ctx), "the transaction is in ctx")
			return c.fn(db, ctx)
		})
		if err != nil {
			assert.ErrorIs(t, err, errNo)
		}
		if db.State() != c.want {
			t.Errorf("%s: %d, want %d", name, db.State(), c.want)
		}
	}
}

func TestPanicTakesBack(t *testing.T) {
	t.Parallel()
	db := counter()
	func() {
		defer func() { assert.Equal(t, recover(), any("stop")) }()
		_ = db.InTx(t.Context(), func(ctx context.Context) error {
			_ = add(db, ctx, 1)
			panic("stop")
		})
	}()
	assert.Equal(t, db.State(), 0)
	assert.NoError(t, add(db, t.Context(), 1))
}

func TestOutageCancelledAndFinished(t *testing.T) {
	t.Parallel()
	db := counter()
	db.Fail(errNo)
	assert.ErrorIs(t, add(db, t.Context(), 1), errNo)
	db.Fail(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, add(db, ctx, 1), context.Canceled)
	var leaked context.Context
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error { leaked = ctx; return nil }))
	assert.ErrorIs(t, add(db, leaked, 1), sql.ErrTxDone)
	assert.Equal(t, db.State(), 0)
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	db := counter()
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() { assert.NoError(t, add(db, t.Context(), 1)) })
	}
	group.Wait()
	assert.Equal(t, db.State(), 64)
}

func TestAfterCommitIsCalledForWhatIsKept(t *testing.T) {
	t.Parallel()
	db := counter()
	var calls []string
	call := func(ctx context.Context, name string) { db.AfterCommit(ctx, func() { calls = append(calls, name) }) }
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		call(ctx, "outer")
		_ = db.InTx(ctx, func(ctx context.Context) error { call(ctx, "taken back"); return errNo })
		assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error { call(ctx, "inner"); return nil }))
		assert.Len(t, calls, 0)
		return nil
	}))
	assert.ErrorIs(t, db.InTx(t.Context(), func(ctx context.Context) error { call(ctx, "rolled back"); return errNo }), errNo)
	call(t.Context(), "none")
	assert.Equal(t, calls, []string{"outer", "inner", "none"})
}
