package postgres_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
)

// row is one value of each type that hot statements read.
type row struct {
	text    string
	flag    bool
	number  int64
	bytes   []byte
	at, not time.Time
}

func (r *row) targets() []any {
	return []any{&r.text, &r.flag, &r.number, &r.bytes, bundb.ScanTime(&r.at), bundb.ScanTime(&r.not)}
}

func openOne(t *testing.T) *bundb.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), dsn(t), bundb.Config{MaxOpenConns: 1})
	assert.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// Past database/sql the same values arrive as through it.
func TestScanReadsWhatQueryRowReads(t *testing.T) {
	t.Parallel()
	db := openOne(t)
	moment := time.Date(2026, 11, 1, 5, 30, 0, 123456000, time.UTC)
	statement := db.Statement(`SELECT CAST(? AS text), CAST(? AS boolean), CAST(? AS bigint), CAST(? AS bytea),
		CAST(? AS timestamptz), CAST(NULL AS timestamptz)`)
	args := []any{`\' ü ?`, true, int64(1) << 60, []byte{0, 1, 255}, moment}
	var fast, plain, inside row
	assert.NoError(t, statement.Scan(t.Context(), args, fast.targets()...))
	assert.NoError(t, statement.QueryRow(t.Context(), args...).Scan(plain.targets()...))
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		return statement.Scan(ctx, args, inside.targets()...)
	}))
	assert.Equal(t, fast, row{text: `\' ü ?`, flag: true, number: 1 << 60, bytes: []byte{0, 1, 255}, at: moment})
	assert.Equal(t, plain, fast)
	assert.Equal(t, inside, fast)
}

// A host's own pool gives times in the machine's zone and speaks in its
// session's: the moment is the same and comes as UTC.
func TestScanOnAHostsPoolInAnotherZone(t *testing.T) {
	t.Parallel()
	conf := assert.Must(pgx.ParseConfig(dsn(t)))(t)
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	conf.RuntimeParams["timezone"] = "Pacific/Chatham"
	pool := stdlib.OpenDB(*conf)
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	db := assert.Must(postgres.New(pool, bundb.Config{}))(t)
	assert.NoError(t, db.Ping(t.Context()))
	moment := time.Date(2026, 4, 4, 14, 30, 0, 123456000, time.UTC) // an hour that Chatham has twice
	statement := db.Statement("SELECT CAST(? AS timestamptz), CAST(NULL AS timestamptz)")
	var fast, plain row
	args := []any{moment.In(time.FixedZone("east", 5*3600))}
	assert.NoError(t, statement.Scan(t.Context(), args, bundb.ScanTime(&fast.at), bundb.ScanTime(&fast.not)))
	assert.NoError(t, statement.QueryRow(t.Context(), args...).Scan(bundb.ScanTime(&plain.at), bundb.ScanTime(&plain.not)))
	assert.Equal(t, fast, row{at: moment})
	assert.Equal(t, plain, fast)
}

func TestScanSaysNoRowsAndOutages(t *testing.T) {
	t.Parallel()
	db := openOne(t)
	var n int
	err := db.Statement("SELECT 1 WHERE false").Scan(t.Context(), nil, &n)
	assert.ErrorIs(t, err, sql.ErrNoRows)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, db.Statement("SELECT 1").Scan(ctx, nil, &n), context.Canceled)
	assert.NoError(t, db.Statement("SELECT 1").Scan(t.Context(), nil, &n))
}

// A wait for the pool's one connection ends with ctx.
func TestScanDoesNotWaitForThePoolBeyondItsContext(t *testing.T) {
	t.Parallel()
	db := openOne(t)
	assert.NoError(t, db.InTx(t.Context(), func(context.Context) error {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			var n int
			done <- db.Statement("SELECT 1").Scan(ctx, nil, &n)
		}()
		cancel()
		assert.ErrorIs(t, <-done, context.Canceled)
		return nil
	}))
}

// A cancelled query costs its connection, and a connection that the server cut
// is replaced: neither outlives the moment.
func TestScanRecoversFromALostConnection(t *testing.T) {
	t.Parallel()
	db, other := openOne(t), openOne(t)
	ctx, cancel := context.WithCancel(t.Context())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		var n int
		done <- db.Statement("SELECT 1 FROM pg_sleep(30)").Scan(ctx, nil, &n)
	}()
	<-started
	cancel()
	assert.Error(t, <-done)
	var pid, n int
	assert.NoError(t, db.Statement("SELECT pg_backend_pid()").Scan(t.Context(), nil, &pid))
	_, err := other.Statement("SELECT pg_terminate_backend(CAST(? AS integer))").Exec(t.Context(), pid)
	assert.NoError(t, err)
	for range 2 { // the first may meet the cut, the second must not
		err = db.Statement("SELECT 1").Scan(t.Context(), nil, &n)
	}
	assert.NoError(t, err)
	assert.Equal(t, n, 1)
}
