package bundb_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestSQLiteQueueForTheWriterIsCancellable(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, notes()...)
	inside, leave, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first <- db.InTx(t.Context(), func(ctx context.Context) error {
			close(inside)
			<-leave
			return add(ctx, db, "a")
		})
	}()
	<-inside
	assert.Equal(t, ids(t, db), "") // a reader does not wait

	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		waiting <- db.InTx(ctx, func(ctx context.Context) error { return add(ctx, db, "never") })
	}()
	cancel()
	assert.ErrorIs(t, <-waiting, context.Canceled)
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := db.InTx(ctx, func(ctx context.Context) error { return add(ctx, db, "never") })
	assert.ErrorIs(t, err, problem.ErrUnavailable)

	close(leave)
	assert.NoError(t, <-first)
	assert.Equal(t, ids(t, db), "a")
}

func TestSQLiteTransactionInsideAnotherByMistakeFailsInsteadOfHanging(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlite.Open(t.Context(), path, bundb.Config{WriterWait: time.Millisecond})
	assert.NoError(t, err)
	defer db.Close()
	outer := t.Context()
	assert.NoError(t, db.InTx(outer, func(context.Context) error {
		err := db.InTx(outer, func(context.Context) error { return nil })
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		assert.Contains(t, err.Error(), "wait for the writer")
		return nil
	}))
}

// An interrupted write makes SQLite end the transaction on its own. What comes
// after it must not be committed statement by statement.
func TestSQLiteTransactionThatTheDatabaseEndedTakesNoMoreStatements(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, notes()...)
	var path string
	assert.NoError(t, db.Statement(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(t.Context(), nil, &path))
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, add(ctx, db, "a"))
		_, err := db.Raw(ctx).ExecContext(ctx, "PRAGMA cache_size = 1") // a page: it spills at once
		assert.NoError(t, err)
		writing, cancel := context.WithCancel(ctx)
		defer cancel()
		go cancelWhenItGrows(writing, cancel, path+"-wal")
		const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
			INSERT INTO tenon_notes (id) SELECT i FROM n`
		_, err = db.Raw(writing).ExecContext(writing, endless)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, add(ctx, db, "b"), sql.ErrTxDone)
		return nil
	})
	assert.ErrorIs(t, err, sql.ErrTxDone)
	assert.Equal(t, ids(t, db), "")
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error { return add(ctx, db, "c") }))
	assert.Equal(t, ids(t, db), "c")
}

// cancelWhenItGrows cancels when a statement that writes without end is under way for
// certain: its pages have begun to spill into the file.
func cancelWhenItGrows(ctx context.Context, cancel context.CancelFunc, path string) {
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	for ctx.Err() == nil && size() == before {
		time.Sleep(time.Millisecond)
	}
	cancel()
}

func TestSQLiteStatementThatWasCancelledInTimeSparesTheTransaction(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, notes()...)
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		assert.ErrorIs(t, add(gone, db, "a"), context.Canceled)
		return add(ctx, db, "b")
	}))
	assert.Equal(t, ids(t, db), "b")
}

func TestSQLiteSettingsReachEveryConnection(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), bundb.Config{})
	assert.NoError(t, err)
	defer db.Close()
	for range 3 {
		conn, err := db.Bun().DB.Conn(t.Context())
		assert.NoError(t, err)
		defer conn.Close()
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000", "synchronous": "2",
		} {
			var got string
			assert.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			assert.Equal(t, pragma+got, pragma+want)
		}
	}
}

func TestSQLiteOpensAnyFileNameAndNoSharedMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "q?mark.db", "h#sh%41.db", "ü.db"} {
		db, err := sqlite.Open(t.Context(), filepath.Join(dir, name), bundb.Config{})
		assert.NoError(t, err)
		assert.NoError(t, db.Close())
		found, err := filepath.Glob(filepath.Join(dir, "*"))
		assert.NoError(t, err)
		assert.True(t, contains(found, filepath.Join(dir, name)), "the file has the name that was asked for: "+name)
	}
	for _, path := range []string{"", ":memory:", "file::memory:?cache=shared"} {
		_, err := sqlite.Open(t.Context(), path, bundb.Config{})
		assert.Error(t, err)
	}
	_, err := sqlite.Open(t.Context(), filepath.Join(dir, "missing", "x.db"), bundb.Config{})
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// Two processes that read and then write must not both begin as readers: one would
// fail half-way, whatever it waits.
func TestSQLiteTransactionsOfTwoProcessesReadAndWriteInTurn(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, notes()...)
	assert.NoError(t, add(t.Context(), db, "0"))
	var wg sync.WaitGroup
	for _, db := range []*bundb.DB{db, bundbtest.Reopen(t, db)} {
		wg.Go(func() {
			for range 25 {
				assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
					var n int
					assert.NoError(t, db.Statement("SELECT id FROM tenon_notes").QueryRow(ctx).Scan(&n))
					_, err := db.Statement("UPDATE tenon_notes SET id = ?").Exec(ctx, strconv.Itoa(n+1))
					return err
				}))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, ids(t, db), "50")
}

// Writers in transactions and alone share one file without SQLITE_BUSY.
func TestSQLiteTakesManyWritersAtOnce(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, notes()...)
	other := bundbtest.Reopen(t, db)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			id := strconv.Itoa(i)
			assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error { return add(ctx, db, "t"+id) }))
		})
		wg.Go(func() {
			var id string
			row := other.Statement(`INSERT INTO tenon_notes (id) VALUES (?) RETURNING id`).QueryRow(t.Context(), "s"+strconv.Itoa(i))
			assert.NoError(t, row.Scan(&id))
		})
	}
	wg.Wait()
	var n int
	assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_notes").QueryRow(t.Context()).Scan(&n))
	assert.Equal(t, n, 200)
}

func TestSQLiteHasNothingToListenTo(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t)
	assert.NoError(t, db.Listen(t.Context(), "x", func() { t.Error("heard something") }))
	assert.NoError(t, db.Notify(t.Context(), "x"))
}
