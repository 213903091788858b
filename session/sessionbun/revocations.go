package sessionbun

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// channel is on which hints of new revocations go out.
const channel = "tenon_session_revocations"

const pruneRevocationsSQL = `
DELETE FROM tenon_session_revocations
WHERE id IN (SELECT id FROM tenon_session_revocations WHERE at < ? ORDER BY id LIMIT ?)`

// revocations is the log and those who watch it.
type revocations struct {
	db                    *bundb.DB
	append, recent, prune bundb.Statement

	mu       sync.Mutex
	watchers []func(session.Revocation)
}

func newRevocations(db *bundb.DB) *revocations {
	return &revocations{
		db:     db,
		append: db.Statement("INSERT INTO tenon_session_revocations (user_id, session_id, at) VALUES (?, ?, ?)"),
		recent: db.Statement("SELECT id, user_id, session_id, at FROM tenon_session_revocations WHERE at >= ? ORDER BY id DESC LIMIT ?"),
		prune:  db.Statement(pruneRevocationsSQL),
	}
}

// AppendRevocation implements session.RevocationLog.
func (l *revocations) AppendRevocation(ctx context.Context, r session.Revocation, at time.Time) error {
	return l.inTx(ctx, func(ctx context.Context) error {
		if _, err := l.append.Exec(ctx, r.UserID, r.SessionID, at.UTC()); err != nil {
			return bundb.Wrap("sessionbun: append a revocation", err)
		}
		l.db.AfterCommit(ctx, func(context.Context) { l.tell(r) })
		return nil
	})
}

// inTx does without a savepoint: what fails here fails the caller.
func (l *revocations) inTx(ctx context.Context, fn func(context.Context) error) error {
	if l.db.InTransaction(ctx) {
		return fn(ctx)
	}
	return l.db.InTx(ctx, fn)
}

func (l *revocations) tell(r session.Revocation) {
	l.mu.Lock()
	watchers := slices.Clone(l.watchers)
	l.mu.Unlock()
	for _, fn := range watchers {
		fn(r)
	}
}

// WatchRevocations implements session.RevocationLog.
func (l *revocations) WatchRevocations(fn func(session.Revocation)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers = append(l.watchers, fn)
}

// RecentRevocations implements session.RevocationLog.
func (l *revocations) RecentRevocations(ctx context.Context, since time.Time, limit int) ([]session.LoggedRevocation, error) {
	rows, err := l.recent.Query(ctx, since.UTC(), limit)
	if err != nil {
		return nil, bundb.Wrap("sessionbun: recent revocations", err)
	}
	defer rows.Close()
	var list []session.LoggedRevocation
	for rows.Next() {
		var r session.LoggedRevocation
		if err := rows.Scan(&r.ID, &r.UserID, &r.SessionID, bundb.ScanTime(&r.At)); err != nil {
			return nil, bundb.Wrap("sessionbun: recent revocations", err)
		}
		list = append(list, r)
	}
	return list, bundb.Wrap("sessionbun: recent revocations", rows.Err())
}

// PruneRevocations implements session.RevocationLog.
func (l *revocations) PruneRevocations(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = l.inTx(ctx, func(ctx context.Context) error {
		result, err := l.prune.Exec(ctx, before.UTC(), limit)
		if err != nil {
			return bundb.Wrap("sessionbun: prune revocations", err)
		}
		count, err := result.RowsAffected()
		n = int(count)
		return bundb.Wrap("sessionbun: prune revocations", err)
	})
	return n, err
}

// Hints tells the other processes on a database that something was revoked, by
// PostgreSQL's NOTIFY. It implements sessioncache.Hints, and does nothing where
// there is no such thing. While it listens, it takes one connection of the pool.
type Hints struct{ db *bundb.DB }

// NewHints returns the Hints of a database.
func NewHints(db *bundb.DB) Hints { return Hints{db} }

// Send implements sessioncache.Hints.
func (h Hints) Send(ctx context.Context) error { return h.db.Notify(ctx, channel) }

// Listen implements sessioncache.Hints.
func (h Hints) Listen(ctx context.Context, heard func()) error {
	return h.db.Listen(ctx, channel, heard)
}
