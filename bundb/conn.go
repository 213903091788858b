package bundb

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
)

// Queryer runs SQL with the placeholders of its database. *sql.DB, *sql.Conn and
// *sql.Tx have its methods.
type Queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Conn returns the connection for a Bun query: the transaction in ctx, else the
// pool. Every query that Bun builds goes through it. A ctx that outlived its
// transaction yields a connection on which everything fails with sql.ErrTxDone.
func (d *DB) Conn(ctx context.Context) bun.IConn { return d.conn(ctx) }

// Raw returns the database/sql handle below Bun: the transaction in ctx, else
// the pool. Placeholders are those of the database, $1 on PostgreSQL and ? on
// SQLite; a [Statement] hides the difference. Times given to it must be UTC in
// microseconds, as [DB.Now] returns them.
func (d *DB) Raw(ctx context.Context) Queryer { return d.conn(ctx) }

func (d *DB) conn(ctx context.Context) Queryer {
	if s := d.scope(ctx); s != nil {
		return txConn{s}
	}
	d.clock.refresh(ctx)
	return d.pool(ctx)
}

// txConn is a transaction as the statements of one scope see it.
type txConn struct{ s *scope }

func (c txConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	res, err := c.s.tx.ExecContext(c.s.guard(ctx), query, args...)
	c.s.noticed(err)
	return res, err
}

func (c txConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.s.tx.QueryContext(c.s.guard(ctx), query, args...)
	c.s.noticed(err)
	return rows, err
}

func (c txConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row := c.s.tx.QueryRowContext(c.s.guard(ctx), query, args...)
	c.s.noticed(row.Err())
	return row
}

// finished is the context of a statement that came after the end of its
// transaction, or does not belong in it. database/sql looks at it first, so the
// statement fails with err before it reaches a connection.
type finished struct {
	context.Context //nolint:containedctx // it is a context, with another end
	done            chan struct{}
	err             error
}

func newFinished(ctx context.Context, err error) finished {
	done := make(chan struct{})
	close(done)
	return finished{ctx, done, err}
}

func (f finished) Done() <-chan struct{} { return f.done }

func (f finished) Err() error { return f.err }
