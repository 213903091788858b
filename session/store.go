package session

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/token"
)

// Record is a session with what recognises its token.
type Record struct {
	Session
	// Selector is the unique, public part of the token.
	Selector string
	// Verifier recognises the rest.
	Verifier token.Verifier
}

// Found is what a lookup reads: the session, who its user is now, and the
// verifier that the token must match before any of it is believed.
type Found struct {
	Identity
	Verifier token.Verifier
}

// Touch records that a session was used.
type Touch struct {
	ID string
	// SeenAt becomes the session's last-seen time.
	SeenAt time.Time
	// IdleEndsAt becomes its idle end, but never later than its absolute end.
	IdleEndsAt time.Time
	// Before limits how often: a session seen later than this stays as it is.
	Before time.Time
}

// Ending says which of a user's sessions end. The zero value of a field but
// UserID and At does not restrict.
type Ending struct {
	// UserID owns the sessions; those of others are never touched.
	UserID string
	// ID ends this session only.
	ID string
	// KeepID spares this session.
	KeepID string
	// KeepVersion is the user's new security version. The kept session moves to
	// it if it carries the one just before; a session that was already dead
	// under an older one does not come back to life, it ends (rule R1).
	KeepVersion int64
	// At is the time of the ending.
	At time.Time
}

// Database is what a store lends to its service besides its rows.
type Database interface {
	// InTx runs fn in one transaction: commits if fn returns nil, rolls back on
	// an error or a panic. Nested calls are savepoints, so an inner error that
	// the caller swallows leaves no trace.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// InTransaction reports whether ctx carries a transaction of this database,
	// the host's own included.
	InTransaction(ctx context.Context) bool
	// Now returns the database's time in UTC microseconds (rule R32).
	Now() time.Time
}

// LookupStore is the part of a [Store] that requests use.
type LookupStore interface {
	// FindSession returns the unrevoked session with that selector, its user and
	// the user's role in the active organization, by one statement. It returns
	// ErrNoSession if there is none, if the user is banned or gone, or if the
	// user's security version is not the session's. It does not judge times.
	FindSession(ctx context.Context, selector string) (Found, error)

	// FindSessionByID is FindSession by the session's id.
	FindSessionByID(ctx context.Context, id string) (Found, error)

	// TouchSession sets the session's last-seen time and idle end, if it is
	// unrevoked, has not ended at SeenAt, and was last seen at Before or
	// earlier; otherwise it does nothing. Inside a transaction a failure does
	// not harm what else the transaction does.
	TouchSession(ctx context.Context, t Touch) error
}

// Store keeps sessions. The comments are its contract; sessiontest.TestStore
// holds an implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller; no
// statement asks the database for one. An outage is an error that wraps
// problem.ErrUnavailable and never "not found". A method whose ctx is cancelled
// changes nothing.
type Store interface {
	Database
	LookupStore

	// CreateSession inserts every field of r. It returns ErrDuplicate if the id
	// or the selector exists, and leaves the old row as it was.
	CreateSession(ctx context.Context, r Record) error

	// ListSessions returns the user's sessions that a lookup would find live at
	// now, the most recently seen first, limit at most.
	ListSessions(ctx context.Context, userID string, now time.Time, limit int) ([]Session, error)

	// EndSessions revokes the unrevoked sessions that e names and returns their
	// ids. Of any number of concurrent calls for one session, one returns its
	// id. A revoked session never lives again.
	EndSessions(ctx context.Context, e Ending) ([]string, error)

	// SetOrganization makes the organization active in the user's unrevoked
	// session, or none if organizationID is empty. It returns
	// ErrSessionNotFound if the user has no such session.
	SetOrganization(ctx context.Context, userID, id, organizationID string) error

	// PruneSessions deletes at most limit sessions that were revoked, or ended
	// by themselves, before the given time, and returns how many.
	PruneSessions(ctx context.Context, before time.Time, limit int) (int, error)
}
