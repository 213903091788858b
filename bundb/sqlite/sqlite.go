// Package sqlite opens an embedded SQLite database for bundb. It links the
// driver modernc.org/sqlite, which is plain Go.
//
//	db, err := sqlite.Open(ctx, "app.db", bundb.Config{})
//
// Open switches on the write-ahead log (readers do not wait for the writer),
// foreign keys, a busy timeout of ten seconds, a sync to disk with every commit
// (what a user was told is done survives a power cut) and transactions that begin
// as writers. The settings are part of the data source name, because a PRAGMA would
// reach one connection of the pool only. A host that opens the pool itself takes
// [DSN] for sql.Open("sqlite", ...) and gives the pool to [New].
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	moderncsqlite "modernc.org/sqlite"
)

const (
	defaultMaxOpenConns = 8
	connMaxIdleTime     = 5 * time.Minute
)

// errPath means that the path cannot be that of a database shared by a pool.
var errPath = errors.New("sqlite: the path must name a file; each connection to :memory: would be a database of its own")

// Open opens or creates the database file at path and reads its clock. The file
// is created readable for its owner and others as the umask says; its directory
// must exist. An in-memory database cannot be opened: use a temporary file. A
// file that cannot be opened is problem.ErrUnavailable.
func Open(ctx context.Context, path string, cfg bundb.Config) (*bundb.DB, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errPath
	}
	var c driver.Connector = connector{dsn: DSN(path)}
	if cfg.WrapConnector != nil {
		c = cfg.WrapConnector(c)
	}
	sqldb := sql.OpenDB(c)
	size := cfg.MaxOpenConns
	if size == 0 {
		size = defaultMaxOpenConns
	}
	sqldb.SetMaxOpenConns(size)
	sqldb.SetMaxIdleConns(size)
	sqldb.SetConnMaxIdleTime(connMaxIdleTime)
	db, err := New(sqldb, cfg)
	if err == nil {
		err = db.Ping(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open: %w", err), sqldb.Close())
	}
	return db, nil
}

// New makes a DB of a pool that the host opened with the driver modernc.org/sqlite
// and with [DSN]. It does no I/O. RowSecurity is bundb.ErrRowSecurity. MaxOpenConns and WrapConnector have no effect.
func New(sqldb *sql.DB, cfg bundb.Config) (*bundb.DB, error) {
	if cfg.WrapConnector == nil { // what is wrapped wants to see every statement
		cfg.ScanRow = (&prepared{statements: map[string]*sql.Stmt{}}).scanRow
	}
	return bundb.New(sqldb, sqlitedialect.New(), cfg)
}

// DSN returns the data source name with the settings that the library relies on.
func DSN(path string) string {
	settings := url.Values{
		"_pragma":      {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock":      {"immediate"},
		"_time_format": {"sqlite"},
		"_timezone":    {"UTC"},
	}
	// The driver hands a name that begins with "file:" to SQLite as a URI, in which
	// a path may contain any character.
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}

type connector struct{ dsn string }

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return &moderncsqlite.Driver{} }
