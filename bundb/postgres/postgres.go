// Package postgres opens a PostgreSQL database for bundb. It links pgx.
//
//	db, err := postgres.Open(ctx, "postgres://app@localhost/app", bundb.Config{})
//
// Bun writes parameters into the text of its queries, so preparing each would
// fill a cache with texts that never return: Open runs them in pgx's exec mode.
// The hot statements of the library have placeholders and ask for a prepared
// statement one by one, which works on the host's transactions too.
//
// Behind a pooler that hands out connections per transaction, set
// bundb.Config.NoStatementCache.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
	"github.com/uptrace/bun/dialect/pgdialect"
)

const (
	minOpenConns    = 16
	connsPerCore    = 4
	connMaxIdleTime = 5 * time.Minute
	connMaxLifetime = time.Hour
	connectTimeout  = 10 * time.Second
)

// Open connects to the database that dsn names, a URL or a list of key=value, and
// reads its clock. Sessions run in UTC, with dates in ISO and
// standard_conforming_strings, whatever the server, the role or dsn say. Connecting takes at most ten seconds
// unless dsn has a connect_timeout; a database that does not answer is
// problem.ErrUnavailable.
func Open(ctx context.Context, dsn string, cfg bundb.Config) (*bundb.DB, error) {
	sqldb, err := openPool(dsn, cfg, cfg.MaxOpenConns, cfg.RowSecurity != nil)
	if err != nil {
		return nil, err
	}
	if cfg.RowSecurity, err = systemPool(cfg); err != nil {
		return nil, errors.Join(err, sqldb.Close())
	}
	db, err := newDB(sqldb, cfg)
	if err == nil {
		err = db.Ping(ctx)
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("postgres: open: %w", err), sqldb.Close())
		if cfg.RowSecurity != nil {
			err = errors.Join(err, cfg.RowSecurity.System.Close())
		}
		return nil, err
	}
	return db, nil
}

// systemPool returns the row security of cfg with its pool, nil where it is off.
func systemPool(cfg bundb.Config) (*bundb.RowSecurity, error) {
	if cfg.RowSecurity == nil {
		return nil, nil //nolint:nilnil // off is off
	}
	r := *cfg.RowSecurity
	size := r.MaxSystemConns
	if size == 0 {
		size = minOpenConns
	}
	var err error
	r.System, err = openPool(r.SystemDSN, cfg, size, false)
	return &r, err
}

func openPool(dsn string, cfg bundb.Config, size int, scoped bool) (*sql.DB, error) {
	conf, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	var c driver.Connector = stdlib.GetConnector(*conf, stdlib.OptionAfterConnect(timesInUTC))
	if scoped {
		c = scopedConnector{c}
	}
	if cfg.WrapConnector != nil {
		c = cfg.WrapConnector(c)
	}
	sqldb := sql.OpenDB(c)
	if size == 0 {
		size = max(minOpenConns, connsPerCore*runtime.NumCPU())
	}
	sqldb.SetMaxOpenConns(size)
	sqldb.SetMaxIdleConns(size)
	sqldb.SetConnMaxIdleTime(connMaxIdleTime)
	sqldb.SetConnMaxLifetime(connMaxLifetime)
	return sqldb, nil
}

// New makes a DB of a pool that the host opened with the database/sql driver of
// pgx v5. It does no I/O. Choose pgx.QueryExecModeExec as the pool's default mode,
// as Open does, and call Ping once: it refuses a server whose settings would let
// values out of their quotes. MaxOpenConns and WrapConnector have no effect, and
// RowSecurity, which needs connections of Open's making, is bundb.ErrRowSecurity.
func New(sqldb *sql.DB, cfg bundb.Config) (*bundb.DB, error) {
	if cfg.RowSecurity != nil {
		return nil, fmt.Errorf("postgres: row security needs Open: %w", bundb.ErrRowSecurity)
	}
	return newDB(sqldb, cfg)
}

func newDB(sqldb *sql.DB, cfg bundb.Config) (*bundb.DB, error) {
	cfg.StatementArgs, cfg.Listen = nil, nil
	if !cfg.NoStatementCache {
		cfg.StatementArgs = []any{pgx.QueryExecModeCacheStatement}
		cfg.Listen = listen
	}
	cfg.ScanRow = scanRow
	return bundb.New(sqldb, pgdialect.New(), cfg)
}

func parse(dsn string) (*pgx.ConnConfig, error) {
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The cause quotes the DSN; pgx removes the password where it understands it,
		// and a DSN that cannot be parsed is just the one it may not understand.
		return nil, errors.New("postgres: open: the data source name cannot be parsed")
	}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	// Poolers know these settings, so they may be part of the connection's start.
	insist(conf.RuntimeParams, "timezone", "UTC")
	insist(conf.RuntimeParams, "datestyle", "ISO")
	insist(conf.RuntimeParams, "standard_conforming_strings", "on")
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "tenon"
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = connectTimeout
	}
	return conf, nil
}

// insist sets a parameter however the DSN spells its name: with two spellings the
// order in a map would decide.
func insist(params map[string]string, name, value string) {
	maps.DeleteFunc(params, func(other, _ string) bool { return strings.EqualFold(other, name) })
	params[name] = value
}

// timesInUTC makes scanned times UTC instead of the machine's zone.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name:  "timestamptz",
		OID:   pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// errForeign means that a connection is not the driver's own but wrapped.
var errForeign = errors.New("postgres: the connection is wrapped")

// scanRow asks pgx itself. database/sql would start a goroutine per query to
// watch a ctx that pgx watches anyway, and convert every column twice. What may
// be tried again on another connection, and wrapped connections, take the
// ordinary way.
func scanRow(ctx context.Context, pool *sql.DB, query string, args, dest []any) error {
	err := scanRaw(ctx, pool, query, args, dest)
	if errors.Is(err, errForeign) || errors.Is(err, driver.ErrBadConn) {
		return pool.QueryRowContext(ctx, query, args...).Scan(dest...)
	}
	return err
}

func scanRaw(ctx context.Context, pool *sql.DB, query string, args, dest []any) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		own := unwrapped(c)
		if own == nil {
			return errForeign
		}
		scan := scanOne
		if _, ok := c.(*scopedConn); ok && bundb.ScopeOf(ctx).Open() {
			scan = scanScoped
		}
		err := scan(ctx, own.Conn(), query, args, natives(dest))
		if err != nil && pgconn.SafeToRetry(err) {
			return driver.ErrBadConn
		}
		return err
	})
}

// unwrapped returns the driver's own connection, nil where something else than a
// scope stands before it.
func unwrapped(c any) *stdlib.Conn {
	switch c := c.(type) {
	case *stdlib.Conn:
		return c
	case *scopedConn:
		return c.Conn
	}
	return nil
}

func scanOne(ctx context.Context, conn *pgx.Conn, query string, args, dest []any) error {
	return conn.QueryRow(ctx, query, args...).Scan(dest...)
}

// natives replaces the targets of bundb.ScanTime by ones that pgx fills without
// boxing every time first.
func natives(dest []any) []any {
	out := make([]any, len(dest))
	for i, d := range dest {
		out[i] = d
		if t, ok := d.(interface{ Target() *time.Time }); ok {
			out[i] = (*utc)(t.Target())
		}
	}
	return out
}

// utc is a time that pgx scans as UTC, and NULL as the zero time.
type utc time.Time

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (u *utc) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid {
		*u = utc{}
		return nil
	}
	if v.InfinityModifier != pgtype.Finite {
		return errors.New("postgres: a time is infinite")
	}
	*u = utc(v.Time.UTC())
	return nil
}
