package bundb

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// Statement is a hot statement: it runs with placeholders, below Bun, on the
// transaction in ctx or on the pool, and PostgreSQL keeps it prepared on each
// connection, the host's own transaction included. Make it once and keep it. It
// is safe for concurrent use.
type Statement struct {
	db    *DB
	query string
}

// Statement prepares the text of a query whose placeholders are question marks.
// They become $1, $2 … on PostgreSQL. A question mark inside quotes or comments
// is left alone; an operator with one is written with two (??).
func (d *DB) Statement(query string) Statement {
	return Statement{db: d, query: rebind(d.dialect, query)}
}

// QueryRow runs the statement and returns its first row. Its Scan returns
// sql.ErrNoRows where there is none. Times are given in any zone and stored as
// UTC in microseconds; scan them with [ScanTime].
func (s Statement) QueryRow(ctx context.Context, args ...any) *sql.Row {
	return s.db.conn(ctx).QueryRowContext(ctx, s.query, s.args(args)...)
}

// Scan runs the statement and scans its first row into dest, or returns
// sql.ErrNoRows. It is QueryRow for the hottest paths: outside a transaction it
// may go past database/sql, straight to the driver.
func (s Statement) Scan(ctx context.Context, args []any, dest ...any) error {
	d := s.db
	if d.scanRow == nil || d.InTransaction(ctx) {
		return s.QueryRow(ctx, args...).Scan(dest...)
	}
	d.clock.refresh(ctx)
	return d.scanRow(ctx, d.pool(ctx), s.query, s.args(args), dest)
}

// Query runs the statement and returns its rows, which the caller closes.
func (s Statement) Query(ctx context.Context, args ...any) (*sql.Rows, error) {
	return s.db.conn(ctx).QueryContext(ctx, s.query, s.args(args)...)
}

// Exec runs the statement without reading rows.
func (s Statement) Exec(ctx context.Context, args ...any) (sql.Result, error) {
	return s.db.conn(ctx).ExecContext(ctx, s.query, s.args(args)...)
}

// String returns the text as it is sent.
func (s Statement) String() string { return s.query }

func (s Statement) args(args []any) []any {
	all := make([]any, 0, len(s.db.prefix)+len(args))
	all = append(all, s.db.prefix...)
	for _, a := range args {
		all = append(all, normalize(a))
	}
	return all
}

// normalize makes equal moments equal text on SQLite, where times are compared
// as text.
func normalize(arg any) any {
	switch v := arg.(type) {
	case time.Time:
		return stored(v)
	case *time.Time:
		if v != nil {
			return stored(*v)
		}
	case sql.NullTime:
		v.Time = stored(v.Time)
		return v
	case sql.Null[time.Time]:
		v.V = stored(v.V)
		return v
	}
	return arg
}

func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func rebind(dialect Dialect, query string) string {
	var b strings.Builder
	n := 0
	for len(query) > 0 {
		size := opaque(query)
		switch {
		case size > 0:
			b.WriteString(query[:size])
		case strings.HasPrefix(query, "??"):
			b.WriteByte('?')
			size = 2
		case query[0] == '?' && dialect == Postgres:
			n++
			b.WriteString("$" + strconv.Itoa(n))
			size = 1
		default:
			b.WriteByte(query[0])
			size = 1
		}
		query = query[size:]
	}
	return b.String()
}

// opaque returns the length of the quoted text or comment that begins at the
// start of query, 0 where none does.
func opaque(query string) int {
	switch c := query[0]; {
	case c == '\'' || c == '"':
		return through(query, 1, query[:1])
	case strings.HasPrefix(query, "--"):
		return through(query, 2, "\n")
	case strings.HasPrefix(query, "/*"):
		return through(query, 2, "*/")
	case c == '$':
		if end := strings.IndexByte(query[1:], '$'); end >= 0 && isTag(query[1:1+end]) {
			return through(query, end+2, query[:end+2])
		}
	}
	return 0
}

// through returns the length of query up to and with the first end after from.
// A doubled quote inside quotes ends one text and begins the next, which comes to
// the same.
func through(query string, from int, end string) int {
	if i := strings.Index(query[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(query)
}

// isTag reports whether s can stand between the dollars of a dollar quote.
func isTag(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}
