package postgres_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
)

// dsn returns the test database's, and skips or fails the test without one.
func dsn(t testing.TB) string {
	t.Helper()
	bundbtest.Postgres(t)
	return os.Getenv("TENON_TEST_POSTGRES")
}

func open(t testing.TB, cfg bundb.Config) *bundb.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), dsn(t), cfg)
	assert.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func prepared(t *testing.T, db *bundb.DB, hot bundb.Statement) (n int) {
	t.Helper()
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		var one int
		assert.NoError(t, hot.QueryRow(ctx, 1).Scan(&one))
		row := db.Raw(ctx).QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements")
		return row.Scan(&n)
	}))
	return n
}

func TestStatementCacheCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	const query = "SELECT ?::int"
	db := open(t, bundb.Config{})
	assert.Equal(t, prepared(t, db, db.Statement(query)), 1)
	plain := open(t, bundb.Config{NoStatementCache: true})
	assert.Equal(t, prepared(t, plain, plain.Statement(query)), 0)
}

func TestHostsOwnPoolWorks(t *testing.T) {
	t.Parallel()
	conf, err := pgx.ParseConfig(dsn(t))
	assert.NoError(t, err)
	sqldb := stdlib.OpenDB(*conf)
	defer sqldb.Close()
	db, err := postgres.New(sqldb, bundb.Config{})
	assert.NoError(t, err)
	assert.NoError(t, db.Ping(t.Context()))
	var n int
	assert.NoError(t, db.Statement("SELECT ?::int + 1").QueryRow(t.Context(), 1).Scan(&n))
	assert.Equal(t, n, 2)
	assert.NoError(t, db.Bun().NewRaw("SELECT ?::int + 1", 2).Conn(db.Conn(t.Context())).Scan(t.Context(), &n))
	assert.Equal(t, n, 3)
}

func TestR32_ClockIsTheServers(t *testing.T) {
	t.Parallel()
	db := open(t, bundb.Config{})
	var before, after time.Time
	ctx := t.Context()
	const query = "SELECT clock_timestamp()"
	assert.NoError(t, db.Raw(ctx).QueryRowContext(ctx, query).Scan(&before))
	now := db.Now()
	assert.NoError(t, db.Raw(ctx).QueryRowContext(ctx, query).Scan(&after))
	assert.Equal(t, before.Location(), time.UTC)
	// The reading at Open is exact to half its round trip, which took less than the
	// second within which it is given up.
	assert.True(t, now.After(before.Add(-time.Second)) && now.Before(after.Add(time.Second)), "the clock is far from the server's")
}

func TestR32_ClockIsNeverReadInsideATransaction(t *testing.T) {
	t.Parallel()
	// With one connection a reading inside would wait for the transaction itself.
	db := open(t, bundb.Config{MaxOpenConns: 1})
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		for range 3 {
			db.Now()
			var n int
			assert.NoError(t, db.Statement("SELECT ?::int").QueryRow(ctx, 1).Scan(&n))
		}
		return nil
	}))
}

// lookup is the shape of a session check: one row by a unique key.
const lookup = "SELECT id, body, at FROM tenon_lookup WHERE body = "

// BenchmarkStatement compares the hot statement with the same SQL, columns and
// scan targets over pgxpool, interleaved in one process. "ratio" is the median of
// the rounds: run it with -benchtime 10x.
func BenchmarkStatement(b *testing.B) {
	db := open(b, bundb.Config{})
	ctx := b.Context()
	fill(b, db)
	pool, err := pgxpool.New(ctx, dsn(b))
	assert.NoError(b, err)
	defer pool.Close()
	hot := db.Statement(lookup + "?")
	var id, body string
	var at time.Time
	ours := func() error { return hot.QueryRow(ctx, "body 500").Scan(&id, &body, &at) }
	bare := func() error { return pool.QueryRow(ctx, lookup+"$1", "body 500").Scan(&id, &body, &at) }

	var ratios []float64
	var sums [2]time.Duration
	for b.Loop() {
		a, c := interleaved(b, ours, bare)
		sums[0], sums[1] = sums[0]+a, sums[1]+c
		ratios = append(ratios, float64(a)/float64(c))
	}
	slices.Sort(ratios)
	perStatement := float64(len(ratios) * roundSize)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(sums[0].Nanoseconds())/perStatement, "ns/statement")
	b.ReportMetric(float64(sums[1].Nanoseconds())/perStatement, "ns/pgxpool")
	b.ReportMetric(0, "ns/op")
}

// roundSize is how often each side runs in one round, taking turns by tens.
const roundSize = 1000

func interleaved(b *testing.B, first, second func() error) (one, two time.Duration) {
	b.Helper()
	const turn = 10
	for i := range roundSize / turn {
		if i%2 == 0 {
			one += timed(b, turn, first)
			two += timed(b, turn, second)
			continue
		}
		two += timed(b, turn, second)
		one += timed(b, turn, first)
	}
	return one, two
}

func timed(b *testing.B, n int, fn func() error) time.Duration {
	b.Helper()
	start := time.Now()
	for range n {
		if err := fn(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func fill(b *testing.B, db *bundb.DB) {
	b.Helper()
	ctx := b.Context()
	for _, query := range []string{
		"CREATE TABLE IF NOT EXISTS tenon_lookup (id text PRIMARY KEY, body text UNIQUE, at timestamptz)",
		"TRUNCATE tenon_lookup",
		"INSERT INTO tenon_lookup SELECT i, 'body ' || i, '2026-01-01' FROM generate_series(1, 1000) i",
		"ANALYZE tenon_lookup",
	} {
		_, err := db.Raw(ctx).ExecContext(ctx, query)
		assert.NoError(b, err)
	}
	b.Cleanup(func() {
		_, err := db.Raw(context.Background()).ExecContext(context.Background(), "DROP TABLE tenon_lookup")
		assert.NoError(b, err)
	})
}
