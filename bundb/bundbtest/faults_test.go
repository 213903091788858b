package bundbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func rowsSchema() []bundb.Schema {
	files := fstest.MapFS{}
	for _, dir := range []string{"postgres", "sqlite"} {
		files[dir+"/0001_init.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE tenon_rows (id text PRIMARY KEY); CREATE TABLE tenon_others (id text);")}
		files[dir+"/0001_init.down.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE tenon_rows; DROP TABLE tenon_others;")}
	}
	return []bundb.Schema{{Name: "rows", FS: files}}
}

func each(t *testing.T, fn func(t *testing.T, db *bundb.DB)) {
	t.Helper()
	t.Parallel()
	Each(t, rowsSchema(), fn)
}

func insert(ctx context.Context, db *bundb.DB, id string) error {
	_, err := db.Statement("INSERT INTO tenon_rows (id) VALUES (?)").Exec(ctx, id)
	return err
}

func count(t *testing.T, db *bundb.DB) (n int) {
	t.Helper()
	ctx := unseen(context.Background())
	assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_rows").QueryRow(ctx).Scan(&n))
	return n
}

// pair inserts two rows in one transaction, the second in a savepoint.
func pair(ctx context.Context, db *bundb.DB, a, b string) error {
	return db.InTx(ctx, func(ctx context.Context) error {
		if err := insert(ctx, db, a); err != nil {
			return err
		}
		return db.InTx(ctx, func(ctx context.Context) error { return insert(ctx, db, b) })
	})
}

func TestFailAtFailsThatStatementOnce(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		FaultsOf(db).FailAt(2)
		assert.NoError(t, insert(t.Context(), db, "a"))
		assert.ErrorIs(t, insert(t.Context(), db, "b"), ErrInjected)
		assert.NoError(t, insert(t.Context(), db, "c"))
		FaultsOf(db).FailAt(2) // savepoints are not counted
		assert.ErrorIs(t, pair(t.Context(), db, "d", "e"), ErrInjected)
		assert.Equal(t, count(t, db), 2)
		FaultsOf(db).FailAt(1)
		FaultsOf(db).Disarm()
		assert.NoError(t, insert(t.Context(), db, "f"))
	})
}

func TestFailedStatementAbortsTheTransactionAsOnARealDatabase(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		FaultsOf(db).FailAt(1)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_ = insert(ctx, db, "a")
			return insert(ctx, db, "b")
		})
		if db.Dialect() == bundb.Postgres {
			assert.Error(t, err)
			assert.Equal(t, count(t, db), 0)
			return
		}
		assert.NoError(t, err)
		assert.Equal(t, count(t, db), 1)
	})
}

func TestFailedCommitLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		FaultsOf(db).FailCommit()
		assert.ErrorIs(t, pair(t.Context(), db, "a", "b"), ErrInjected)
		assert.Equal(t, count(t, db), 0)
		assert.NoError(t, pair(t.Context(), db, "a", "b"))
	})
}

func TestLostCommitIsCommittedAndLooksBroken(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		FaultsOf(db).LoseCommit()
		assert.ErrorIs(t, pair(t.Context(), db, "a", "b"), problem.ErrUnavailable)
		assert.Equal(t, count(t, db), 2)
	})
}

func TestCutConnectionLosesTheTransactionAndIsReplaced(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		FaultsOf(db).CutAt(2)
		err := bundb.Wrap("pair", pair(t.Context(), db, "a", "b"))
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		assert.Equal(t, count(t, db), 0)
		assert.NoError(t, pair(t.Context(), db, "a", "b"))
		FaultsOf(db).CutAt(1)
		assert.ErrorIs(t, bundb.Wrap("insert", insert(t.Context(), db, "c")), problem.ErrUnavailable)
		assert.Equal(t, count(t, db), 2)
	})
}

func TestStalledStatementWaitsForTheTest(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		barrier := FaultsOf(db).StallAt(1)
		done := make(chan error, 1)
		go func() { done <- insert(t.Context(), db, "a") }()
		barrier.Wait(t)
		assert.Equal(t, count(t, db), 0)
		assert.NoError(t, insert(t.Context(), db, "b"))
		barrier.Release()
		barrier.Release()
		assert.NoError(t, <-done)
		assert.Equal(t, count(t, db), 2)

		FaultsOf(db).StallAt(1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, pair(ctx, db, "c", "d"), context.Canceled)
	})
}

func TestBarrierGathersRacers(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		barrier := FaultsOf(db).StallOn("INSERT INTO tenon_rows", 4)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = insert(t.Context(), db, "same") })
		}
		barrier.Wait(t)
		assert.Equal(t, count(t, db), 0)
		FaultsOf(db).Disarm() // releases, too
		wg.Wait()
		winners := 0
		for _, err := range errs {
			if err == nil {
				winners++
				continue
			}
			assert.True(t, bundb.IsUniqueViolation(err), fmt.Sprint(err))
		}
		assert.Equal(t, winners, 1)

		barrier = FaultsOf(db).StallOn("COMMIT", 1)
		wg.Go(func() { assert.NoError(t, pair(t.Context(), db, "a", "b")) })
		barrier.Wait(t)
		assert.Equal(t, count(t, db), 1)
		barrier.Release()
		wg.Wait()
		assert.Equal(t, count(t, db), 3)
	})
}

func TestRecordTellsWhatReachedTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		queries := FaultsOf(db).Record(func() { assert.NoError(t, pair(t.Context(), db, "a", "b")) })
		assert.Len(t, queries, 2)
		assert.True(t, strings.HasPrefix(queries[0], "INSERT INTO tenon_rows"), queries[0])
		assert.Equal(t, FaultsOf(db).Count(func() { assert.NoError(t, insert(t.Context(), db, "c")) }), 1)
		assert.Equal(t, FaultsOf(db).Count(func() {}), 0)
	})
}

// listener hears what would have failed the test.
type listener struct {
	mu    sync.Mutex
	heard []string
}

func (l *listener) Helper() {}

func (l *listener) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
}

func (l *listener) Fatalf(format string, args ...any) { l.Errorf(format, args...) }

func TestStatementThatEscapesItsTransactionFailsTheTest(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		heard := &listener{}
		FaultsOf(db).report = heard
		outer := t.Context()
		escape := func(ctx context.Context) { assert.ErrorIs(t, insert(ctx, db, "x"), errEscaped) }
		assert.NoError(t, db.InTx(outer, func(ctx context.Context) error {
			escape(outer)
			escape(context.Background())
			assert.NoError(t, insert(ctx, db, "in"))
			return db.InTx(ctx, func(context.Context) error { escape(outer); return nil })
		}))
		assert.Len(t, heard.heard, 3)
		assert.Contains(t, heard.heard[0], "INSERT INTO tenon_rows")
		assert.Equal(t, count(t, db), 1)
		assert.NoError(t, insert(outer, db, "after"))
		assert.Len(t, heard.heard, 3)
	})
}

func TestFlowIsWatchedAcrossGoroutinesAndForTheHostsTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		heard := &listener{}
		FaultsOf(db).report = heard
		flow := Flow(t.Context())
		tx, err := db.Bun().DB.BeginTx(flow, nil)
		assert.NoError(t, err)
		ctx, _ := db.WithSQLTx(flow, tx)
		assert.NoError(t, insert(ctx, db, "in"))
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, insert(flow, db, "x"), errEscaped) })
		wg.Wait()
		assert.Len(t, heard.heard, 1)
		assert.NoError(t, tx.Rollback())
		assert.NoError(t, insert(flow, db, "after"))
	})
}

func TestOthersAreNotTakenForEscapes(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		read := func(ctx context.Context) {
			var n int
			assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_rows").QueryRow(ctx).Scan(&n))
		}
		assert.NoError(t, db.InTx(Flow(t.Context()), func(ctx context.Context) error {
			assert.NoError(t, insert(ctx, db, "a"))
			read(Outside(t.Context()))
			var wg sync.WaitGroup
			wg.Go(func() { read(t.Context()) })
			wg.Go(func() { read(Flow(t.Context())) })
			wg.Wait()
			return nil
		}))
		tx, err := db.Bun().DB.BeginTx(t.Context(), nil)
		assert.NoError(t, err)
		read(t.Context()) // the goroutine stands for a transaction of InTx only
		assert.NoError(t, tx.Rollback())
	})
}

func TestRequireAtomicAcceptsAnAtomicOperation(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		runs := 0
		RequireAtomic(t, db, func(ctx context.Context) error {
			runs++
			return pair(ctx, db, fmt.Sprint("a", runs), fmt.Sprint("b", runs))
		})
		// Begin, insert, savepoint, insert, release, commit; then the run that succeeds.
		assert.Equal(t, runs, 7)
		assert.Equal(t, count(t, db), 2)
	})
}

func TestRequireAtomicCatchesWhatIsNot(t *testing.T) {
	for name, op := range map[string]struct {
		run  func(ctx context.Context, db *bundb.DB) error
		want string
	}{
		"two statements alone": {func(ctx context.Context, db *bundb.DB) error {
			if err := insert(ctx, db, "a"); err != nil {
				return err
			}
			return insert(ctx, db, "b")
		}, "kept a change"},
		"two transactions": {func(ctx context.Context, db *bundb.DB) error {
			if err := pair(ctx, db, "a", "b"); err != nil {
				return err
			}
			return pair(ctx, db, "c", "d")
		}, "kept a change"},
		"hidden failure": {func(ctx context.Context, db *bundb.DB) error {
			_ = insert(ctx, db, "a")
			return nil
		}, "hides"},
		"failure of its own": {func(context.Context, *bundb.DB) error { return errors.New("no") }, "by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, db *bundb.DB) {
				heard := &listener{}
				requireAtomic(t, heard, db, func(ctx context.Context) error { return op.run(ctx, db) })
				assert.Len(t, heard.heard, 1)
				assert.Contains(t, strings.Join(heard.heard, ""), op.want)
			})
		})
	}
}

func TestDumpHoldsEveryValueAsItIsStored(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, pair(t.Context(), db, "needle-1", "needle-2"))
		_, err := db.Statement("INSERT INTO tenon_others (id) VALUES (?)").Exec(t.Context(), sql.NullString{})
		assert.NoError(t, err)
		dump := string(Dump(t, db))
		assert.Contains(t, dump, "== tenon_rows\nneedle-1\t\nneedle-2\t\n")
		assert.Contains(t, dump, "== tenon_others\n<nil>\t\n")
		assert.Equal(t, string(Dump(t, db)), dump)
	})
}

func TestEachTestHasADatabaseAndClockOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.Equal(t, count(t, db), 0)
		assert.NoError(t, insert(t.Context(), db, "mine"))
		second := Reopen(t, db)
		assert.Equal(t, count(t, second), 1)
		start := db.Now()
		ClockOf(second).Advance(90 * 1e9)
		assert.Equal(t, db.Now().Sub(start).String(), "1m30s")
		ClockOf(db).Set(start)
		assert.Equal(t, second.Now(), start)
		assert.ErrorIs(t, bundb.Wrap("insert", insert(t.Context(), Broken(t, db), "x")), problem.ErrUnavailable)
	})
}

func TestSearchPathIsAddedToEitherFormOfDSN(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://h/d":           "postgres://h/d?search_path=s",
		"postgres://h/d?sslmode=x": "postgres://h/d?sslmode=x&search_path=s",
		"host=h dbname=d":          "host=h dbname=d search_path=s",
	} {
		assert.Equal(t, withSearchPath(dsn, "s"), want)
	}
}
