package session

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
)

// Record is a session with what recognises its token.
type Record struct {
	Session
	// Selector is the unique, public part of the token.
	Selector string
	// Verifier recognises the rest. That of a bearer session is its newest refresh
	// token's.
	Verifier token.Verifier
	// Generation counts the refresh tokens of a bearer session, from 1. It is 0 for
	// the others, and tells the two apart: Session.Bearer is no column.
	Generation int64
}

// Found is what a lookup reads: the session, who its user is now, and the
// verifier that the token must match before any of it is believed.
type Found struct {
	Identity
	Verifier token.Verifier
	// RolesVersion says of which version of the organization's own roles Role is.
	RolesVersion int64
	// SecondFactorPolicy is the active organization's, zero where the user is no member
	// of one.
	SecondFactorPolicy principal.SecondFactorPolicy

	actor *Session // of the superuser who acts as the user
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
	// KeepLatest spares the user's KeepLatest live sessions that were used last.
	// Sessions that ended by themselves are neither counted nor touched then.
	KeepLatest int
	// At is the time of the ending.
	At time.Time
	// PastGeneration, if it is not 0, spares sessions whose newest refresh token is
	// not past this generation, and those where it is the very next one and was
	// made between Grace before At and At.
	PastGeneration int64
	Grace          time.Duration
}

// Rotation exchanges the newest refresh token of a family, which is a bearer
// session's row, for the next one.
type Rotation struct {
	// ID is the session's, and Generation the parent's.
	ID         string
	Generation int64
	// Parent and Child recognise the two.
	Parent, Child token.Verifier
	// Salt made the child of the parent.
	Salt []byte
	At   time.Time
	// IdleEndsAt becomes the session's idle end, but never later than its absolute
	// end. IdleEndsAt2 does in its place where the session's assurance is 2.
	IdleEndsAt, IdleEndsAt2 time.Time
}

// Replay asks for the successor of a refresh token once more.
type Replay struct {
	// ID is the session's, and Generation the parent's.
	ID         string
	Generation int64
	At         time.Time
	// Grace is how long before At the rotation may lie, and Limit how many replays
	// it may have seen at most with this one.
	Grace time.Duration
	Limit int
}

// Family is what a bearer session's row knows of its refresh tokens.
type Family struct {
	UserID          string
	SecurityVersion int64
	// Generation is the newest token's, and Verifier recognises it.
	Generation int64
	Verifier   token.Verifier
	// Salt made it of its parent at RotatedAt; the first token has none, and a zero
	// time.
	Salt      []byte
	RotatedAt time.Time
	// Replays counts how often the parent was answered since.
	Replays    int
	IdleEndsAt time.Time
	// FreshAt is the session's.
	FreshAt time.Time
}

// Elevation replaces a session's token and says what was proven meanwhile.
type Elevation struct {
	ID, UserID string
	// SecurityVersion and FreshAt are what the session must still have.
	// So is Generation, which is 0 for a session with a cookie.
	SecurityVersion int64
	FreshAt         time.Time
	Generation      int64
	// To is the session as it becomes: its Channels, FreshAt, FreshChannels,
	// LastSeenAt, IdleEndsAt and EndsAt, and what recognises the new token, with
	// its generation.
	To Record
	// Replays counts as that many replays of the refresh token before: with as many
	// as there may be, it buys nothing.
	Replays int
	// At is the time of the elevation.
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
	// FindSession returns the unrevoked session with that selector that has a
	// cookie (rule R16), its user and the user's role in the active organization, with
	// that one's policy and the version of its roles, by one statement. It returns
	// ErrNoSession if there is none, if the user is banned or gone, or if the
	// user's security version is not the session's. It does not judge times.
	FindSession(ctx context.Context, selector string) (Found, error)

	// FindSessionByID is FindSession by the session's id, for bearer sessions.
	FindSessionByID(ctx context.Context, id string) (Found, error)

	// FindActor is FindSession for the session, with a cookie, in which a
	// superuser began to act as somebody: by its id.
	FindActor(ctx context.Context, id string) (Found, error)

	// SessionOwner returns whose unrevoked session has that id, or
	// ErrSessionNotFound.
	SessionOwner(ctx context.Context, id string) (userID string, err error)

	// TouchSession sets the session's last-seen time and idle end, if it is
	// unrevoked, has not ended at SeenAt, and was last seen at Before or
	// earlier; otherwise it does nothing. Inside a transaction a failure does
	// not harm what else the transaction does.
	TouchSession(ctx context.Context, t Touch) error

	// ListSessions returns the user's sessions that a lookup would find live at
	// now, the most recently seen first, limit at most.
	ListSessions(ctx context.Context, userID string, now time.Time, limit int) ([]Session, error)
}

// Scopes is the part of a [Store] that keeps which organization, and which team of it,
// is active in a session.
type Scopes interface {
	// SetOrganization makes the organization active in the user's unrevoked
	// session, or none if organizationID is empty. A team is active no longer, unless it
	// is the organization that was active before. It returns ErrSessionNotFound if the
	// user has no such session.
	SetOrganization(ctx context.Context, userID, id, organizationID string) error

	// SetTeam makes the team active in the user's unrevoked session, or none if teamID is
	// empty. It returns ErrSessionNotFound if the user has no such session in which the
	// organization is active.
	SetTeam(ctx context.Context, userID, id, organizationID, teamID string) error

	// LeaveOrganization takes the organization, and its team, from every session of the
	// users in which it is active.
	LeaveOrganization(ctx context.Context, organizationID string, userIDs []string) error

	// LeaveTeam takes the team from every session of the users in which it is active.
	LeaveTeam(ctx context.Context, teamID string, userIDs []string) error
}

// Elevations is the part of a [Store] that keeps what was proven in sessions
// since they started.
type Elevations interface {
	// SessionByID returns the user's session with that id, with a cookie or a
	// bearer's. It returns ErrNoSession where FindSession does, and for a session
	// of another user. It does not judge times.
	SessionByID(ctx context.Context, userID, id string) (Session, error)

	// ElevateSession gives the session a new token and sets what Elevation.To
	// names; it takes its step-up failures back. A bearer session's refresh token
	// counts as rotated at At, without a salt. It does so by one statement and only
	// if the session is unrevoked, has not ended at At, and still has that version,
	// generation and FreshAt, which say that no other elevation, and no rotation,
	// came between; otherwise it returns ErrNoSession and changes nothing. Another
	// session's selector is an error.
	ElevateSession(ctx context.Context, e Elevation) error

	// FailStepUp counts a failure in the user's unrevoked session and returns how
	// many there are since the last elevation. It returns ErrSessionNotFound if
	// there is no such session. Concurrent calls return different numbers.
	FailStepUp(ctx context.Context, userID, id string) (failures int, err error)
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
	Families
	Elevations
	Scopes
	Endings
	RevocationLog

	// CreateSession inserts every field of r. It returns ErrDuplicate if the id
	// or the selector exists, and leaves the old row as it was.
	CreateSession(ctx context.Context, r Record) error
}

// Endings is the part of a [Store] by which sessions end and go.
type Endings interface {
	// EndSessions revokes the unrevoked sessions that e names and returns their
	// ids. Of any number of concurrent calls for one session, one returns its
	// id. A revoked session never lives again.
	EndSessions(ctx context.Context, e Ending) ([]string, error)

	// PruneSessions deletes at most limit sessions that were revoked, or ended
	// by themselves, before the given time, and returns how many.
	PruneSessions(ctx context.Context, before time.Time, limit int) (int, error)

	// DeleteSessions deletes every session of the user, ended or not.
	DeleteSessions(ctx context.Context, userID string) error
}

// Families is the part of a [Store] that keeps the refresh tokens of bearer
// sessions. A session that was not started as one is never found or changed by a
// method of it (rule R16).
type Families interface {
	// RotateFamily makes the child the newest token, by one guarded update and no
	// other statement: if the session is unrevoked and has neither idled nor ended
	// at r.At, its newest token is the parent by generation and by verifier, and
	// its user is one whom FindSessionByID would return. It sets the rotation's
	// time, the last-seen time and the idle end, and forgets the replays. Otherwise
	// it changes nothing and returns ErrNoSession. Of any number of concurrent calls
	// for one parent, one succeeds.
	RotateFamily(ctx context.Context, r Rotation) (Family, error)

	// ReplayFamily counts a replay and returns the family, by one guarded update
	// and no other statement: if the session and its user are as RotateFamily wants
	// them, the newest token is the one that follows r.Generation, it was made
	// between r.Grace before r.At and r.At, both included, and fewer than r.Limit
	// replays were counted since. Otherwise it changes nothing and returns
	// ErrNoSession.
	ReplayFamily(ctx context.Context, r Replay) (Family, error)

	// FindFamily returns the family of the unrevoked session with that id, whatever
	// its times and its user, or ErrNoSession.
	FindFamily(ctx context.Context, id string) (Family, error)
}

// Revocation says that what lookups read of a session is not true any more: the
// session or its user ended or changed. Whoever remembers it forgets it.
type Revocation struct {
	// UserID is whose sessions; everybody's if it is empty.
	UserID string
	// SessionID is which one; all of the user's if it is empty.
	SessionID string
}

// LoggedRevocation is a Revocation as the log has it.
type LoggedRevocation struct {
	Revocation
	// ID is its place in the log. Revocations become visible in the order of their
	// commits, which need not be that of their ids.
	ID int64
	// At is when it was appended, a moment before the commit.
	At time.Time
}

// RevocationLog is the part of a [Store] that tells other processes, and others in
// this one, what was revoked.
type RevocationLog interface {
	// AppendRevocation logs r, at the given time, in the transaction in ctx. Once
	// that has committed, the funcs of WatchRevocations are called with r; after a
	// rollback nothing is logged and nobody is called.
	AppendRevocation(ctx context.Context, r Revocation, at time.Time) error

	// WatchRevocations has fn called after the commit of every revocation that is
	// appended through this store. It may be called by many at once, and must be
	// quick.
	WatchRevocations(fn func(Revocation))

	// RecentRevocations returns what was logged at since or later, whoever logged
	// it: limit at most, those with the highest ids first.
	RecentRevocations(ctx context.Context, since time.Time, limit int) ([]LoggedRevocation, error)

	// PruneRevocations deletes at most limit revocations that were logged before the
	// given time, and returns how many.
	PruneRevocations(ctx context.Context, before time.Time, limit int) (int, error)
}
