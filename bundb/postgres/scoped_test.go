package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
)

// secured returns a pool as in production on a table with rows of two organizations.
func secured(t testing.TB) *bundb.DB {
	t.Helper()
	return withPolicies(t, things(t))
}

// things returns a database with a table of two organizations, as its owner.
func things(t testing.TB) *bundb.DB {
	t.Helper()
	owner := bundbtest.Postgres(t)
	_, err := owner.Raw(t.Context()).ExecContext(t.Context(), `CREATE TABLE things (org text, n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO things SELECT 'red', n FROM generate_series(1, 10) AS n; INSERT INTO things VALUES ('blue', 11)`)
	assert.NoError(t, err)
	return owner
}

// withPolicies returns the database as the application, with row security.
func withPolicies(t testing.TB, owner *bundb.DB) *bundb.DB {
	t.Helper()
	return bundbtest.Plain(t, bundbtest.Secured(t, owner, bundb.SecuredTable{Table: "things", Organization: "org"}))
}

func TestR29_StatementsOfUnwrappedConnectionsHaveTheirScope(t *testing.T) {
	t.Parallel()
	db := secured(t)
	ctx := t.Context()
	count := db.Statement("SELECT count(*) FROM things WHERE n > ?")
	for _, c := range []struct {
		scope bundb.RowScope
		want  int
	}{{bundb.RowScope{}, 0}, {bundb.RowScope{Organization: "red"}, 10}, {bundb.RowScope{Organization: "blue"}, 1}, {bundb.RowScope{System: true}, 11}} {
		ctx := bundb.ForOrganization(ctx, c.scope.Organization)
		if c.scope.System {
			ctx = bundb.ForSystem(ctx)
		}
		for range 3 {
			var scanned, queried int
			assert.NoError(t, count.Scan(ctx, []any{0}, &scanned))
			assert.NoError(t, count.QueryRow(ctx, 0).Scan(&queried))
			assert.Equal(t, []int{scanned, queried}, []int{c.want, c.want})
		}
	}
}

// An error that comes with the commit, as that of a deferred key, is not lost.
func TestR29_AStatementAloneReportsItsCommit(t *testing.T) {
	t.Parallel()
	db := secured(t)
	red := bundb.ForOrganization(t.Context(), "red")
	again := db.Statement("INSERT INTO things VALUES ('red', 1) RETURNING n")
	var n int
	_, err := again.Exec(red)
	assert.True(t, bundb.IsUniqueViolation(err), "Exec")
	assert.True(t, bundb.IsUniqueViolation(again.QueryRow(red).Scan(&n)), "QueryRow")
	assert.True(t, bundb.IsUniqueViolation(again.Scan(red, nil, &n)), "Scan")
	rows, err := again.Query(red)
	assert.NoError(t, err)
	defer rows.Close()
	for rows.Next() { //nolint:revive // to the end
	}
	assert.True(t, bundb.IsUniqueViolation(rows.Err()), "Query")
	assert.Error(t, db.Statement("SELECT max(1/(n-5)) FROM things").Scan(red, nil, &n))
	assert.NoError(t, db.Statement("SELECT max(n) FROM things").Scan(red, nil, &n))
	assert.Equal(t, n, 10)
}

func TestR29_AStatementThatIsGivenUpLeavesTheConnectionClean(t *testing.T) {
	t.Parallel()
	db := secured(t)
	db.Bun().SetMaxOpenConns(1)
	for range 5 {
		red, cancel := context.WithCancel(bundb.ForOrganization(t.Context(), "red"))
		rows, err := db.Statement("SELECT n FROM things").Query(red)
		assert.NoError(t, err)
		assert.True(t, rows.Next(), "a row")
		cancel()
		_ = rows.Close() //nolint:sqlclosecheck // the next turn needs the one connection
		_ = rows.Err()
		var n int
		assert.NoError(t, db.Statement("SELECT count(*) FROM things").Scan(t.Context(), nil, &n))
		assert.Equal(t, n, 0)
	}
}

func TestR29_AHostsPoolIsRefused(t *testing.T) {
	t.Parallel()
	pool := sql.OpenDB(stdlib.GetConnector(*assert.Must(pgx.ParseConfig(dsn(t)))(t)))
	_, err := postgres.New(pool, bundb.Config{RowSecurity: &bundb.RowSecurity{SystemDSN: dsn(t)}})
	assert.ErrorIs(t, err, bundb.ErrRowSecurity)
	assert.NoError(t, pool.Close())
}

// BenchmarkScope tells what row security costs: the same work on the same rows, in turns,
// off and on, with the quotient of the two. A session is looked up in the system's scope,
// which sets nothing.
func BenchmarkScope(b *testing.B) {
	owner := things(b)
	off, on := bundbtest.Plain(b, owner), withPolicies(b, owner)
	red := func(ctx context.Context) context.Context { return bundb.ForOrganization(ctx, "red") }
	for _, c := range []struct {
		name  string
		scope func(context.Context) context.Context
		run   func(ctx context.Context, db *bundb.DB) error
	}{
		{"lookup of the system", bundb.ForSystem, scanOne},
		{"lookup by Scan", red, scanOne},
		{"lookup by Query", red, queryOne},
		{"transaction of four", red, func(ctx context.Context, db *bundb.DB) error {
			return db.InTx(ctx, func(ctx context.Context) error {
				for range 4 {
					if err := queryOne(ctx, db); err != nil {
						return err
					}
				}
				return nil
			})
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var without, with time.Duration
			scoped := c.scope(b.Context())
			for b.Loop() {
				start := b.Elapsed()
				err := c.run(b.Context(), off)
				middle := b.Elapsed()
				err = errors.Join(err, c.run(scoped, on))
				without, with = without+middle-start, with+b.Elapsed()-middle
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(without.Nanoseconds())/float64(b.N), "off-ns")
			b.ReportMetric(float64(with.Nanoseconds())/float64(b.N), "on-ns")
			b.ReportMetric(float64(with)/float64(without), "on/off")
		})
	}
}

const oneSQL = "SELECT org FROM things WHERE n = ?"

func scanOne(ctx context.Context, db *bundb.DB) error {
	var org string
	return db.Statement(oneSQL).Scan(ctx, []any{1}, &org)
}

func queryOne(ctx context.Context, db *bundb.DB) error {
	var org string
	return db.Statement(oneSQL).QueryRow(ctx, 1).Scan(&org)
}
