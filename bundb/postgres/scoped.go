package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
)

// idle is what pgconn tells of a connection outside of transactions.
const idle = 'I'

// scopedConnector makes connections that give each transaction, and each statement
// outside of one, the scope of its ctx. It works below database/sql, so that no
// query of Bun's or of the host's on this pool goes past it.
type scopedConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c scopedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	own, ok := inner.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errForeign, inner.Close())
	}
	return &scopedConn{own}, nil
}

// scopedConn is a connection whose statements see the rows of their scope.
type scopedConn struct{ *stdlib.Conn }

// BeginTx implements driver.ConnBeginTx. An empty scope is set too: a value that
// somebody gave to the session must not show through.
func (c *scopedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	query, args := bundb.ScopeOf(ctx).Setting()
	if _, err := c.raw().Exec(ctx, query, args...); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// ExecContext implements driver.ExecerContext.
func (c *scopedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	tx, err := c.alone(ctx)
	if err != nil {
		return nil, err
	}
	if tx == nil {
		return c.Conn.ExecContext(ctx, query, args)
	}
	result, err := c.Conn.ExecContext(ctx, query, args)
	if err != nil {
		_ = tx.Rollback() // a connection that cannot is not used again
		return nil, err
	}
	return result, tx.Commit()
}

// QueryContext implements driver.QueryerContext.
func (c *scopedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	tx, err := c.alone(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if tx == nil {
		return rows, err
	}
	own, ok := rows.(*stdlib.Rows)
	if err == nil && !ok {
		err = errors.Join(errForeign, rows.Close())
	}
	if err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return &scopedRows{Rows: own, tx: tx}, nil
}

// alone begins a transaction for one statement, where it has a scope and is not
// part of a transaction already.
func (c *scopedConn) alone(ctx context.Context) (driver.Tx, error) {
	if !bundb.ScopeOf(ctx).Open() || c.raw().IsClosed() || c.raw().PgConn().TxStatus() != idle {
		return nil, nil //nolint:nilnil // no transaction is what was asked for
	}
	return c.BeginTx(ctx, driver.TxOptions{})
}

func (c *scopedConn) raw() *pgx.Conn { return c.Conn.Conn() }

// scanScoped sends the scope and the statement as one pipeline, which PostgreSQL runs
// in one transaction: one round trip instead of four. The statement is not prepared.
func scanScoped(ctx context.Context, conn *pgx.Conn, query string, args, dest []any) error {
	if len(args) > 0 {
		if _, ok := args[0].(pgx.QueryExecMode); ok { // a batch takes none
			args = args[1:]
		}
	}
	var batch pgx.Batch
	setting, values := bundb.ScopeOf(ctx).Setting()
	batch.Queue(setting, values...)
	batch.Queue(query, args...)
	results := conn.SendBatch(ctx, &batch)
	_, err := results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(dest...)
	}
	if closing := results.Close(); err == nil {
		err = closing // that of the commit
	}
	return err
}

// scopedRows are the rows of a statement with a transaction of its own, which ends
// with them.
type scopedRows struct {
	*stdlib.Rows
	tx    driver.Tx
	err   error // of a row
	ended bool
}

// Next implements driver.Rows.
func (r *scopedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if !errors.Is(err, io.EOF) {
		r.err = errors.Join(r.err, err)
	}
	return err
}

// Close implements driver.Rows. database/sql closes rows that are read to their end
// and keeps the error for Err.
func (r *scopedRows) Close() error {
	err := r.Rows.Close()
	if r.ended {
		return err
	}
	r.ended = true
	if err != nil || r.err != nil {
		return errors.Join(err, r.tx.Rollback())
	}
	return r.tx.Commit()
}
