package bundb_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

var errFn = errors.New("fn failed")

// notes is a schema with one table for the tests of this package.
func notes() []bundb.Schema {
	files := fstest.MapFS{}
	for dir, at := range map[string]string{"postgres": "timestamptz", "sqlite": "TIMESTAMP"} {
		up := "CREATE TABLE tenon_notes (id text PRIMARY KEY, body text UNIQUE, at " + at + ");"
		files[dir+"/0001_init.up.sql"] = &fstest.MapFile{Data: []byte(up)}
		files[dir+"/0001_init.down.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE tenon_notes;")}
	}
	return []bundb.Schema{{Name: "notes", FS: files}}
}

func each(t *testing.T, fn func(t *testing.T, db *bundb.DB)) {
	t.Helper()
	t.Parallel()
	bundbtest.Each(t, notes(), fn)
}

func add(ctx context.Context, db *bundb.DB, id string) error {
	_, err := db.Statement(`INSERT INTO tenon_notes (id, body) VALUES (?, ?)`).Exec(ctx, id, "body "+id)
	return err
}

// ids returns all ids as one word, read from outside of any transaction.
func ids(t *testing.T, db *bundb.DB) string {
	t.Helper()
	rows, err := db.Statement(`SELECT id FROM tenon_notes ORDER BY id`).Query(bundbtest.Outside(context.Background()))
	assert.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var id string
		assert.NoError(t, rows.Scan(&id))
		all = append(all, id)
	}
	assert.NoError(t, rows.Err())
	return strings.Join(all, "")
}

func TestInTxCommitsOrRollsBackEverything(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, add(ctx, db, "a"))
			assert.Equal(t, ids(t, db), "")
			return add(ctx, db, "b")
		}))
		assert.Equal(t, ids(t, db), "ab")
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, add(ctx, db, "c"))
			return errFn
		})
		assert.Equal(t, err, errFn)
		assert.Equal(t, ids(t, db), "ab")
	})
}

func TestNestedInTxIsASavepoint(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, add(ctx, db, "a"))
			err := db.InTx(ctx, func(ctx context.Context) error {
				assert.NoError(t, add(ctx, db, "b"))
				return add(ctx, db, "a")
			})
			assert.True(t, bundb.IsUniqueViolation(err), "the second a is a unique violation")
			return db.InTx(ctx, func(ctx context.Context) error { return add(ctx, db, "c") })
		}))
		assert.Equal(t, ids(t, db), "ac")
	})
}

func TestInTxRollsBackAndPanicsOn(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		panics := func(ctx context.Context) error {
			assert.NoError(t, add(ctx, db, "a"))
			panic("boom")
		}
		caught := func() (v any) {
			defer func() { v = recover() }()
			return db.InTx(t.Context(), panics)
		}
		assert.Equal(t, caught(), any("boom"))
		assert.Equal(t, ids(t, db), "")
		err := db.InTx(t.Context(), func(ctx context.Context) (err error) {
			assert.NoError(t, add(ctx, db, "b"))
			func() {
				defer func() { _ = recover() }()
				_ = db.InTx(ctx, panics)
			}()
			return nil
		})
		assert.NoError(t, err)
		assert.Equal(t, ids(t, db), "b")
	})
}

func TestInTxRollsBackWhenTheGoroutineEnds(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = db.InTx(t.Context(), func(ctx context.Context) error {
				assert.NoError(t, add(ctx, db, "a"))
				runtime.Goexit()
				return nil
			})
		})
		wg.Wait()
		assert.Equal(t, ids(t, db), "")
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error { return add(ctx, db, "b") }))
		assert.Equal(t, ids(t, db), "b")
	})
}

func TestFinishedTransactionIsErrTxDone(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		var leaked, leakedInner context.Context
		use := func(ctx context.Context) {
			t.Helper()
			assert.ErrorIs(t, add(ctx, db, "late"), sql.ErrTxDone)
			_, err := db.Bun().NewRaw("DELETE FROM tenon_notes").Conn(db.Conn(ctx)).Exec(ctx)
			assert.ErrorIs(t, err, sql.ErrTxDone)
			var n int
			assert.ErrorIs(t, db.Statement("SELECT 1").QueryRow(ctx).Scan(&n), sql.ErrTxDone)
			_, err = db.Raw(ctx).QueryContext(ctx, "SELECT 1") //nolint:sqlclosecheck // there are none
			assert.ErrorIs(t, err, sql.ErrTxDone)
			assert.ErrorIs(t, db.InTx(ctx, func(context.Context) error { return nil }), sql.ErrTxDone)
			assert.True(t, db.InTransaction(ctx), "a finished transaction is still not the pool")
		}
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			leaked = ctx
			assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error {
				leakedInner = ctx
				return add(ctx, db, "a")
			}))
			use(leakedInner)
			return nil
		}))
		use(leaked)
		use(leakedInner)
		assert.Equal(t, ids(t, db), "a")
	})
}

func TestRequireTx(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.ErrorIs(t, db.RequireTx(t.Context()), bundb.ErrNoTransaction)
		assert.NoError(t, db.InTx(t.Context(), db.RequireTx))
		other := bundbtest.Reopen(t, db)
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			assert.False(t, other.InTransaction(ctx), "two databases never mix")
			return nil
		}))
	})
}

func TestOutageAtBeginAndCommitIsUnavailable(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		broken := bundbtest.Broken(t, db)
		err := broken.InTx(t.Context(), func(context.Context) error { return nil })
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		bundbtest.FaultsOf(db).LoseCommit()
		err = db.InTx(t.Context(), func(ctx context.Context) error { return add(ctx, db, "a") })
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		assert.Equal(t, ids(t, db), "a")
	})
}

func TestSavepointIsUndoneThoughItsContextHasEnded(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			short, cancel := context.WithCancel(ctx)
			err := db.InTx(short, func(ctx context.Context) error {
				assert.NoError(t, add(ctx, db, "a"))
				cancel()
				return ctx.Err()
			})
			assert.ErrorIs(t, err, context.Canceled)
			return add(ctx, db, "b")
		}))
		assert.Equal(t, ids(t, db), "b")
	})
}

// A savepoint that cannot be undone must not be committed by the transaction
// around it.
func TestSavepointThatCannotBeUndoneTakesTheTransactionWithIt(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		for _, frame := range []string{"ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"} {
			bundbtest.FaultsOf(db).FailOn(frame)
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				err := db.InTx(ctx, func(ctx context.Context) error {
					assert.NoError(t, add(ctx, db, "a"))
					return errFn
				})
				assert.ErrorIs(t, err, errFn)
				assert.Error(t, add(ctx, db, "b"))
				return nil
			})
			assert.Error(t, err)
			assert.Equal(t, ids(t, db), "")
		}
	})
}

func TestSavepointThatCannotBeReleasedIsUndone(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		bundbtest.FaultsOf(db).FailOn("RELEASE SAVEPOINT")
		called := false
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			err := db.InTx(ctx, func(ctx context.Context) error {
				db.AfterCommit(ctx, func(context.Context) { called = true })
				return add(ctx, db, "a")
			})
			assert.ErrorIs(t, err, bundbtest.ErrInjected)
			return add(ctx, db, "b")
		}))
		assert.Equal(t, ids(t, db), "b")
		assert.False(t, called, "the callback of the undone savepoint ran")
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := bundb.New(nil, nil, bundb.Config{})
	assert.Error(t, err)
	db := bundbtest.SQLite(t)
	for _, cfg := range []bundb.Config{{WriterWait: -1}, {MaxOpenConns: -1}} {
		_, err = sqlite.New(db.Bun().DB, cfg)
		assert.Error(t, err)
	}
}
