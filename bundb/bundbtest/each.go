package bundbtest

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
)

const (
	// dsnVariable names the environment variable with the data source name of a
	// PostgreSQL database in which tests may make schemas.
	dsnVariable = "TENON_TEST_POSTGRES"
	// requireVariable set to "postgres" turns a missing database into a failure.
	requireVariable = "TENON_TEST_REQUIRE"

	poolSize       = 8
	writerWait     = 20 * time.Second
	cleanupTimeout = 30 * time.Second
)

// Each runs fn once on each database, as parallel subtests "sqlite" and
// "postgres", each on an empty database of its own with the schemas applied. The
// database's clock is [ClockOf], its statements pass [FaultsOf], and everything is
// removed when the subtest ends.
//
// Without TENON_TEST_POSTGRES the second is skipped, or fails where
// TENON_TEST_REQUIRE is "postgres".
func Each(t *testing.T, schemas []bundb.Schema, fn func(t *testing.T, db *bundb.DB)) {
	t.Helper()
	t.Run(string(bundb.SQLite), func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t, schemas...))
	})
	t.Run(string(bundb.Postgres), func(t *testing.T) {
		t.Parallel()
		fn(t, Postgres(t, schemas...))
	})
}

// SQLite returns an empty SQLite database in a temporary file with the schemas
// applied.
func SQLite(t testing.TB, schemas ...bundb.Schema) *bundb.DB {
	t.Helper()
	s := source{dialect: bundb.SQLite, dsn: filepath.Join(t.TempDir(), "test.db")}
	db := s.open(t)
	if _, err := db.Migrate(unseen(context.Background()), schemas...); err != nil {
		t.Fatalf("bundbtest: migrate: %v", err)
	}
	return db
}

// Postgres returns an empty schema in the PostgreSQL database that
// TENON_TEST_POSTGRES names, with the schemas applied. It skips or fails the test
// where the variable is empty, see [Each].
func Postgres(t testing.TB, schemas ...bundb.Schema) *bundb.DB {
	t.Helper()
	dsn := os.Getenv(dsnVariable)
	if dsn == "" {
		const missing = "NO POSTGRESQL: set " + dsnVariable + ", or run the tests through tools/withpostgres"
		if strings.Contains(os.Getenv(requireVariable), string(bundb.Postgres)) {
			t.Fatal(missing)
		}
		t.Skip("SKIPPED, " + missing)
	}
	name := "tenon_test_" + strings.ToLower(rand.Text()[:16])
	s := source{dialect: bundb.Postgres, dsn: withSearchPath(dsn, name)}
	// Cleanups run last in, first out: the pool of db is closed before the drop.
	t.Cleanup(func() { s.drop(t, name) })
	db := s.open(t)
	ctx := unseen(context.Background())
	if _, err := db.Raw(ctx).ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
		t.Fatalf("bundbtest: create schema: %v", err)
	}
	script, err := db.Plan(ctx, schemas...)
	if err == nil && script != "" {
		// One round trip for everything; Migrate itself has its own tests.
		_, err = db.Raw(ctx).ExecContext(ctx, script)
	}
	if err != nil {
		t.Fatalf("bundbtest: migrate: %v", err)
	}
	return db
}

// Reopen returns another pool on the data of db, as a second process has it, with
// faults of its own and the same clock. It is closed when the test ends.
func Reopen(t testing.TB, db *bundb.DB) *bundb.DB {
	t.Helper()
	d := driverOf(db)
	s := d.source
	s.clock = d.clock
	return s.open(t)
}

// Broken returns another pool on the data of db that is closed: every statement
// fails with an error that [bundb.Wrap] makes problem.ErrUnavailable. Use it to
// show that a store reports an outage instead of "not found".
func Broken(t testing.TB, db *bundb.DB) *bundb.DB {
	t.Helper()
	broken := Reopen(t, db)
	if err := broken.Close(); err != nil {
		t.Fatalf("bundbtest: close: %v", err)
	}
	return broken
}

// Plain returns another pool on the data of db whose connections are not wrapped, as
// in production and for benchmarks: without [ClockOf], which it keeps to, and
// [FaultsOf]. It is closed when the test ends.
func Plain(t testing.TB, db *bundb.DB) *bundb.DB {
	t.Helper()
	s := driverOf(db).source
	s.clock = driverOf(db).clock
	plain := s.connect(t, nil)
	t.Cleanup(func() { _ = plain.Close() })
	return plain
}

// source says where the data of a test are.
type source struct {
	dialect bundb.Dialect
	dsn     string
	system  string // the data source name of the system's scope; empty: no row security
	clock   *Clock
}

func (s source) open(t testing.TB) *bundb.DB {
	t.Helper()
	if s.clock == nil {
		s.clock = NewClock()
	}
	faults := newFaults(t, s.dialect)
	db := s.connect(t, func(c driver.Connector) driver.Connector {
		return connector{c, &testDriver{source: s, clock: s.clock, faults: faults}}
	})
	faults.db = db
	t.Cleanup(func() {
		faults.Disarm()
		_ = db.Close() // a test may have broken it on purpose
	})
	return db
}

// connect opens the database, where wrap may stand between.
func (s source) connect(t testing.TB, wrap func(driver.Connector) driver.Connector) *bundb.DB {
	t.Helper()
	cfg := bundb.Config{Clock: s.clock.Now, MaxOpenConns: poolSize, WriterWait: writerWait, WrapConnector: wrap, CompareScopes: true}
	if s.system != "" {
		cfg.RowSecurity = &bundb.RowSecurity{SystemDSN: s.system, MaxSystemConns: poolSize}
	}
	open := sqlite.Open
	if s.dialect == bundb.Postgres {
		open = postgres.Open
	}
	db, err := open(unseen(context.Background()), s.dsn, cfg)
	if err != nil {
		t.Fatalf("bundbtest: %v", err)
	}
	return db
}

// drop removes the schema on a connection of its own, whatever the test did to
// its pool.
func (s source) drop(t testing.TB, schema string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	db, err := postgres.Open(ctx, s.dsn, bundb.Config{MaxOpenConns: 1, Clock: time.Now})
	if err != nil {
		t.Errorf("bundbtest: drop schema: %v", err)
		return
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Raw(ctx).ExecContext(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
		t.Errorf("bundbtest: drop schema: %v; did a transaction stay open?", err)
	}
}

// withSearchPath adds the schema to a data source name of either form.
func withSearchPath(dsn, schema string) string {
	if !strings.Contains(dsn, "://") {
		return dsn + " search_path=" + schema
	}
	if strings.Contains(dsn, "?") {
		return dsn + "&search_path=" + schema
	}
	return dsn + "?search_path=" + schema
}
