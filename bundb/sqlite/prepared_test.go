package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/internal/assert"
)

type row struct {
	text   string
	flag   bool
	number int64
	bytes  []byte
	at     time.Time
}

func open(t *testing.T) *bundb.DB {
	t.Helper()
	db := assert.Must(sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), bundb.Config{}))(t)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err := db.Raw(t.Context()).ExecContext(t.Context(),
		"CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT, flag BOOLEAN, number INTEGER, bytes BLOB, at TIMESTAMP)")
	assert.NoError(t, err)
	_, err = db.Statement("INSERT INTO things VALUES (1, ?, ?, ?, ?, ?)").Exec(t.Context(), `\' ü ?`, true, int64(1)<<60, []byte{0, 1, 255}, moment())
	assert.NoError(t, err)
	return db
}

func moment() time.Time { return time.Date(2026, 11, 1, 5, 30, 0, 123456000, time.UTC) }

// A statement that stays prepared reads what the ordinary way reads, many times, from
// many goroutines, and inside a transaction.
func TestAPreparedStatementReadsWhatQueryRowReads(t *testing.T) {
	t.Parallel()
	db := open(t)
	statement := db.Statement("SELECT text, flag, number, bytes, at FROM things WHERE id = ?")
	scan := func(scan func(dest ...any) error) row {
		var r row
		assert.NoError(t, scan(&r.text, &r.flag, &r.number, &r.bytes, bundb.ScanTime(&r.at)))
		return r
	}
	want := scan(statement.QueryRow(t.Context(), 1).Scan)
	assert.Equal(t, want, row{text: `\' ü ?`, flag: true, number: 1 << 60, bytes: []byte{0, 1, 255}, at: moment()})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 20 {
				got := scan(func(dest ...any) error { return statement.Scan(t.Context(), []any{1}, dest...) })
				assert.Equal(t, got, want)
			}
		})
	}
	wg.Wait()
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		assert.Equal(t, scan(func(dest ...any) error { return statement.Scan(ctx, []any{1}, dest...) }), want)
		return nil
	}))
	var nothing string
	none := db.Statement("SELECT text FROM things WHERE id = ?")
	assert.ErrorIs(t, none.Scan(t.Context(), []any{2}, &nothing), sql.ErrNoRows)
}

// A statement sees what was committed a moment ago, and a schema that changed under
// it: a migration while the process runs must not leave it behind.
func TestAPreparedStatementSeesChanges(t *testing.T) {
	t.Parallel()
	db := open(t)
	statement := db.Statement("SELECT number FROM things WHERE id = ?")
	read := func() (n int64) {
		assert.NoError(t, statement.Scan(t.Context(), []any{1}, &n))
		return n
	}
	assert.Equal(t, read(), int64(1)<<60)
	change := func(query string) {
		_, err := db.Raw(t.Context()).ExecContext(t.Context(), query)
		assert.NoError(t, err)
	}
	change("UPDATE things SET number = 2")
	assert.Equal(t, read(), 2)
	change("ALTER TABLE things ADD COLUMN more TEXT")
	change("CREATE INDEX things_number ON things (number)")
	assert.Equal(t, read(), 2)
	change("ALTER TABLE things RENAME COLUMN number TO gone")
	var n int64
	assert.Error(t, statement.Scan(t.Context(), []any{1}, &n))
	change("ALTER TABLE things RENAME COLUMN gone TO number")
	assert.Equal(t, read(), 2)
	change("DROP TABLE things") // nothing that is prepared holds it
}

func TestAPreparedStatementEndsWithItsContextAndItsPool(t *testing.T) {
	t.Parallel()
	db := assert.Must(sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), bundb.Config{}))(t)
	statement := db.Statement("SELECT ?")
	var n int64
	assert.NoError(t, statement.Scan(t.Context(), []any{7}, &n))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := statement.Scan(over, []any{7}, &n); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	assert.NoError(t, db.Close())
	assert.Error(t, statement.Scan(t.Context(), []any{7}, &n))
}
