package bundbtest

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/tenon-go/tenon/bundb"
)

// testDriver hangs what belongs to a test's database on its pool, where ClockOf
// and FaultsOf find it again.
type testDriver struct {
	source source
	clock  *Clock
	faults *Faults
}

func driverOf(db *bundb.DB) *testDriver {
	return db.Bun().Driver().(*testDriver) // fails loudly for a database of other making
}

// Open implements driver.Driver; the pool connects through connector.
func (*testDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("bundbtest: the driver opens no connections by name")
}

type connector struct {
	driver.Connector
	test *testDriver
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if c.test.source.dialect == bundb.SQLite {
		// No test cuts the power, and waiting for the disk is most of a commit.
		if _, err := inner.(driver.ExecerContext).ExecContext(ctx, "PRAGMA synchronous = OFF", nil); err != nil {
			return nil, errors.Join(err, inner.Close())
		}
	}
	return &conn{Conn: inner, faults: c.test.faults}, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.test }

// conn reports every event to the faults before it passes it on. Both drivers
// implement all the optional interfaces used here except NamedValueChecker.
type conn struct {
	driver.Conn
	faults *Faults
	inTx   bool
	cut    bool
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.before(ctx, begin, "BEGIN"); err != nil {
		return nil, err
	}
	inner, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	c.faults.began(ctx, c)
	return &tx{inner: inner, conn: c, ctx: ctx}, nil
}

// PrepareContext implements driver.ConnPrepareContext. The statement counts when
// it is prepared, not when it runs: on wrapped connections the library prepares none
// this way.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.before(ctx, statement, query); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.before(ctx, kindOf(query), query); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.before(ctx, kindOf(query), query); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error {
	if c.cut {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.Pinger).Ping(ctx)
}

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.cut {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid implements driver.Validator.
func (c *conn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !c.cut && (!ok || v.IsValid())
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	c.faults.ended(c)
	if c.cut {
		return nil
	}
	return c.Conn.Close()
}

func (c *conn) before(ctx context.Context, k kind, query string) error {
	if c.cut {
		return driver.ErrBadConn
	}
	return c.faults.before(ctx, c, event{k, query})
}

// sever closes the connection below the pool's feet.
func (c *conn) sever() {
	c.cut = true
	_ = c.Conn.Close()
}

type tx struct {
	inner driver.Tx
	conn  *conn
	ctx   context.Context //nolint:containedctx // database/sql gives Commit none
}

// Commit implements driver.Tx.
func (t *tx) Commit() error {
	err := t.conn.before(t.ctx, commit, "COMMIT")
	defer t.end()
	switch {
	case errors.Is(err, errLost):
		if err := t.inner.Commit(); err != nil {
			return err
		}
		t.conn.sever()
		return errCut
	case t.conn.cut:
		return err
	case err != nil:
		return errors.Join(err, t.inner.Rollback())
	}
	return t.inner.Commit()
}

// Rollback implements driver.Tx.
func (t *tx) Rollback() error {
	defer t.end()
	if err := t.conn.before(t.ctx, rollback, "ROLLBACK"); err != nil {
		return err
	}
	return t.inner.Rollback()
}

func (t *tx) end() {
	t.conn.inTx = false
	t.conn.faults.ended(t.conn)
}
