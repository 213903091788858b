package bundb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"
	bundialect "github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Dialect names the kind of database behind a [DB].
type Dialect string

// The databases that Tenon runs on.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Config is how a database is used. Its zero value is right for production.
type Config struct {
	// Clock replaces the database's clock, for tests. Defaults to the time of
	// the database, see [DB.Now].
	Clock func() time.Time
	// Logger is told when the database's clock cannot be read. Defaults to
	// slog.Default().
	Logger *slog.Logger
	// MaxOpenConns bounds the pool that an Open function makes. Defaults to 8 on
	// SQLite and to 4 per core, at least 16, on PostgreSQL.
	MaxOpenConns int
	// WriterWait is how long a transaction on SQLite waits for the one writer
	// before it fails with problem.ErrUnavailable; the caller's context may end
	// the wait sooner. Defaults to 30 s. PostgreSQL has no such queue.
	WriterWait time.Duration
	// NoStatementCache makes hot statements run without preparing them on the
	// connection, for PostgreSQL behind a pooler that hands out connections per
	// transaction. Defaults to caching.
	NoStatementCache bool
	// WrapConnector, where set, wraps the driver's connector that an Open
	// function uses, for tracing or fault injection. The connections it makes
	// must pass on the optional interfaces of the driver's own, foremost
	// driver.NamedValueChecker.
	WrapConnector func(driver.Connector) driver.Connector
	// StatementArgs go before the arguments of every [Statement]. It belongs to
	// the package of the driver, which asks for a prepared statement with it;
	// hosts leave it empty.
	StatementArgs []any
	// ScanRow, where set, runs the query of [Statement.Scan] on the pool and scans
	// its first row. Like StatementArgs it belongs to the package of the driver.
	ScanRow func(ctx context.Context, pool *sql.DB, query string, args, dest []any) error
	// RowSecurity, where set, switches row-level security on, which is
	// PostgreSQL's alone: on SQLite it is refused with ErrRowSecurity. Defaults to
	// off.
	RowSecurity *RowSecurity
	// CompareScopes makes calls that would leave the scope of their transaction fail with
	// ErrScope without row security too, for tests on any database. With row security
	// they always do. Defaults to false.
	CompareScopes bool
	// Listen, where set, is what [DB.Listen] does. It belongs to the package of the
	// driver, too.
	Listen func(ctx context.Context, pool *sql.DB, channel string, heard func()) error
}

// RowSecurity is how row-level security is used.
type RowSecurity struct {
	// SystemDSN names the same database with the role that the system's scope runs
	// as. The role of the pool itself must not be a member of it.
	SystemDSN string
	// MaxSystemConns bounds the pool of the system's scope. Defaults to 16.
	MaxSystemConns int
	// System is that pool. It belongs to the package of the driver, which makes it
	// of SystemDSN; hosts leave it empty.
	System *sql.DB
}

// DB is one database with its transactions, its clock and its migrations. Make
// one with sqlite.Open, postgres.Open or, on a pool that the host has already,
// with their New. It is safe for concurrent use.
type DB struct {
	sqldb   *sql.DB
	system  *sql.DB // of the system's scope; nil where row security is off
	strict  bool    // scopes are compared
	bun     *bun.DB
	dialect Dialect
	prefix  []any
	scanRow func(ctx context.Context, pool *sql.DB, query string, args, dest []any) error
	listen  func(ctx context.Context, pool *sql.DB, channel string, heard func()) error
	clock   *clock
	writer  *queue
}

// New makes a DB of an open pool and Bun's dialect for it. Hosts call it through
// the packages sqlite and postgres, which know the driver. It does no I/O; the
// clock is that of the process until the first statement or [DB.Ping].
func New(sqldb *sql.DB, dialect schema.Dialect, cfg Config) (*DB, error) {
	if sqldb == nil || dialect == nil {
		return nil, fmt.Errorf("bundb: New needs a pool and a dialect")
	}
	if cfg.WriterWait < 0 || cfg.MaxOpenConns < 0 {
		return nil, fmt.Errorf("bundb: WriterWait and MaxOpenConns must not be negative")
	}
	d := &DB{sqldb: sqldb, prefix: cfg.StatementArgs, scanRow: cfg.ScanRow, listen: cfg.Listen, strict: cfg.CompareScopes || cfg.RowSecurity != nil}
	switch name := dialect.Name(); name {
	case bundialect.SQLite:
		d.dialect = SQLite
		d.writer = newQueue(cfg.WriterWait)
		d.clock = newClock(cfg, processTime)
	case bundialect.PG:
		d.dialect = Postgres
		d.clock = newClock(cfg, d.serverTime)
	default:
		return nil, fmt.Errorf("bundb: there is no support for the dialect %s", name)
	}
	if err := d.secure(cfg.RowSecurity); err != nil {
		return nil, err
	}
	d.bun = bun.NewDB(sqldb, dialect)
	return d, nil
}

// Bun returns the Bun handle that builds queries. Give every query its
// connection: d.Bun().NewSelect().Conn(d.Conn(ctx)); without it the query runs
// outside the transaction in ctx.
func (d *DB) Bun() *bun.DB { return d.bun }

// Dialect returns the kind of database.
func (d *DB) Dialect() Dialect { return d.dialect }

// Ping reports whether the database answers as the library needs it, and reads its
// clock. An outage is problem.ErrUnavailable; settings of PostgreSQL under which
// queries would be misread are ErrSettings, and roles under which row security
// would hold nobody back are ErrRowSecurity.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.sqldb.PingContext(ctx); err != nil {
		return Wrap("bundb: ping", err)
	}
	if err := d.checkSettings(ctx); err != nil {
		return Wrap("bundb: check the settings", err)
	}
	if err := d.checkRoles(ctx); err != nil {
		return Wrap("bundb: check the roles", err)
	}
	return Wrap("bundb: read the clock", d.clock.sync(ctx))
}

// Close closes the pools. A host that made the pool itself may close it instead.
func (d *DB) Close() error {
	err := d.bun.Close()
	if d.secured() {
		err = errors.Join(err, d.system.Close())
	}
	return err
}
