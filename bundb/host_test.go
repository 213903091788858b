package bundb_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// TestHostsOwnTransactionJoins does one thing of each kind in a transaction that
// the host began, with database/sql and with Bun.
func TestHostsOwnTransactionJoins(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		work := func(ctx context.Context) {
			assert.NoError(t, add(ctx, db, "a"))
			_, err := db.Bun().NewRaw("INSERT INTO tenon_notes (id) VALUES ('b')").Conn(db.Conn(ctx)).Exec(ctx)
			assert.NoError(t, err)
			assert.ErrorIs(t, db.InTx(ctx, func(ctx context.Context) error {
				assert.NoError(t, add(ctx, db, "c"))
				return errFn
			}), errFn)
			var n int
			row := db.Statement("SELECT count(*) FROM tenon_notes WHERE id < ?").QueryRow(ctx, "x")
			assert.NoError(t, row.Scan(&n))
			assert.Equal(t, n, 2)
			assert.Equal(t, ids(t, db), "")
		}
		sqlTx, err := db.Bun().DB.BeginTx(t.Context(), nil)
		assert.NoError(t, err)
		ctx, _ := db.WithSQLTx(t.Context(), sqlTx)
		work(ctx)
		assert.NoError(t, sqlTx.Rollback())
		assert.Equal(t, ids(t, db), "")
		assert.ErrorIs(t, add(ctx, db, "late"), sql.ErrTxDone)

		bunTx, err := db.Bun().BeginTx(t.Context(), nil)
		assert.NoError(t, err)
		ctx, committed := db.WithBunTx(t.Context(), bunTx)
		work(ctx)
		assert.NoError(t, bunTx.Commit())
		committed()
		assert.Equal(t, ids(t, db), "ab")
		assert.ErrorIs(t, add(ctx, db, "late"), sql.ErrTxDone)
	})
}

func TestHotStatementsArePreparedOnceOnEveryKindOfConnection(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, notes()...)
	hot := db.Statement("SELECT count(*) FROM tenon_notes WHERE id = ?")
	prepared := func(ctx context.Context) (n int) {
		var count int
		for range 3 {
			assert.NoError(t, hot.QueryRow(ctx, "a").Scan(&count))
		}
		// This one is of Bun's kind and is not prepared itself.
		query := "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT count(*) FROM tenon_notes%'"
		assert.NoError(t, db.Raw(ctx).QueryRowContext(ctx, query).Scan(&n))
		return n
	}
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		assert.Equal(t, prepared(ctx), 1)
		return nil
	}))
	tx, err := db.Bun().DB.BeginTx(t.Context(), nil)
	assert.NoError(t, err)
	ctx, _ := db.WithSQLTx(t.Context(), tx)
	assert.Equal(t, prepared(ctx), 1)
	assert.NoError(t, tx.Rollback())
	assert.Equal(t, prepared(t.Context()), 1)
}

func TestAfterCommitRunsInOrderAfterTheOutermostCommitOnly(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		var log strings.Builder
		later := func(ctx context.Context, word string) {
			db.AfterCommit(ctx, func(ctx context.Context) {
				assert.False(t, db.InTransaction(ctx), "the callback's ctx carries no transaction")
				assert.NoError(t, ctx.Err())
				log.WriteString(word)
				// A transaction of its own must find the writer's place free.
				assert.NoError(t, db.InTx(ctx, func(context.Context) error { return nil }))
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		work := func(ctx context.Context) error {
			later(ctx, "a")
			_ = db.InTx(ctx, func(ctx context.Context) error { later(ctx, "undone"); return errFn })
			_ = db.InTx(ctx, func(ctx context.Context) error { later(ctx, "b"); return nil })
			later(ctx, "c")
			assert.Equal(t, log.String(), "")
			return nil
		}
		assert.NoError(t, db.InTx(ctx, work))
		assert.Equal(t, log.String(), "abc")

		log.Reset()
		_ = db.InTx(ctx, func(ctx context.Context) error { _ = work(ctx); return errFn })
		bundbtest.FaultsOf(db).FailCommit()
		assert.ErrorIs(t, db.InTx(ctx, work), bundbtest.ErrInjected)
		assert.Equal(t, log.String(), "")

		later(ctx, "alone")
		assert.Equal(t, log.String(), "alone")

		log.Reset()
		tx, err := db.Bun().DB.BeginTx(ctx, nil)
		assert.NoError(t, err)
		txCtx, committed := db.WithSQLTx(ctx, tx)
		assert.NoError(t, work(txCtx))
		assert.NoError(t, tx.Commit())
		committed()
		committed()
		assert.Equal(t, log.String(), "abc")
		later(txCtx, "too late")
		assert.Equal(t, log.String(), "abc")
	})
}

func TestCallbackKnowsNeitherTransactionNorCancellation(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		called := 0
		check := func(ctx context.Context) {
			called++
			assert.NoError(t, ctx.Err())
			assert.False(t, db.InTransaction(ctx), "the callback's ctx carries a transaction")
		}
		assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error {
			db.AfterCommit(ctx, func(context.Context) { cancel() })
			db.AfterCommit(ctx, check)
			// A second transaction joined on top of the first one's ctx.
			tx, err := db.Bun().DB.BeginTx(bundbtest.Outside(t.Context()), &sql.TxOptions{ReadOnly: true})
			assert.NoError(t, err)
			joined, committed := db.WithSQLTx(ctx, tx)
			db.AfterCommit(joined, check)
			assert.NoError(t, tx.Commit())
			committed()
			return nil
		}))
		db.AfterCommit(ctx, check)
		assert.Equal(t, called, 3)
	})
}

func TestPanicInOneCallbackDoesNotSkipTheOthers(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		called := 0
		caught := func() (v any) {
			defer func() { v = recover() }()
			return db.InTx(t.Context(), func(ctx context.Context) error {
				db.AfterCommit(ctx, func(context.Context) { panic("boom") })
				db.AfterCommit(ctx, func(context.Context) { called++ })
				return add(ctx, db, "a")
			})
		}
		assert.Equal(t, caught(), any("boom"))
		assert.Equal(t, called, 1)
		assert.Equal(t, ids(t, db), "a")
	})
}
