package bundb

import "context"

// minToListen is how many connections a pool must have to give one away for good.
const minToListen = 4

// Notify wakes those who [DB.Listen] to the channel, in all processes on the
// database. It is a hint: nothing of value may depend on its arrival. It does not
// join the transaction in ctx, and does nothing on SQLite.
func (d *DB) Notify(ctx context.Context, channel string) error {
	if d.dialect != Postgres {
		return nil
	}
	// Without the transaction: PostgreSQL lets all transactions that notify commit
	// one after the other.
	ctx = unscoped(d.withScope(ctx, nil))
	_, err := d.conn(ctx).ExecContext(ctx, "SELECT pg_notify($1, '')", channel)
	return Wrap("bundb: notify", err)
}

// Listen calls heard for every [DB.Notify] of the channel, and once when it begins
// to listen. It blocks until ctx ends or the connection is lost, and takes one
// connection of the pool all the while. It returns nil at once where there is
// nothing to listen to: on SQLite, behind a pooler (Config.NoStatementCache),
// through wrapped connections, and where the pool has fewer than four.
func (d *DB) Listen(ctx context.Context, channel string, heard func()) error {
	if size := d.sqldb.Stats().MaxOpenConnections; d.listen == nil || size != 0 && size < minToListen {
		return nil
	}
	return Wrap("bundb: listen", d.listen(ctx, d.sqldb, channel, heard))
}
