package main

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
)

// meter counts what a program on database/sql asks of its database: statements, and
// where transactions begin and end. On PostgreSQL each is a round trip once its text is
// prepared.
type meter struct {
	driver.Connector
	trips *atomic.Int64
}

// metering is for bundb.Config.WrapConnector.
func metering(trips *atomic.Int64) func(driver.Connector) driver.Connector {
	return func(c driver.Connector) driver.Connector { return meter{c, trips} }
}

// Connect implements driver.Connector.
func (m meter) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := m.Connector.Connect(ctx)
	return &metered{inner, m.trips}, err
}

// metered implements the optional interfaces that both drivers have.
type metered struct {
	driver.Conn
	trips *atomic.Int64
}

// BeginTx implements driver.ConnBeginTx.
func (c *metered) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.trips.Add(2) // and its end
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// ExecContext implements driver.ExecerContext.
func (c *metered) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.trips.Add(1)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *metered) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.trips.Add(1)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *metered) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// Ping implements driver.Pinger.
func (c *metered) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }

// ResetSession implements driver.SessionResetter.
func (c *metered) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}
