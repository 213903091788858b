package admin

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// Store is what the administration needs of the users beyond auth.Store.
//
// authtest.TestAdminStore holds an implementation to these comments. An outage is
// an error that wraps problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx runs fn in one transaction; nested calls are savepoints.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// InTransaction reports whether ctx carries a transaction of this database.
	InTransaction(ctx context.Context) bool
	// Record returns a user with everything that superusers see, or
	// auth.ErrUserNotFound.
	Record(ctx context.Context, userID string) (Record, error)
	// Records returns the users that q selects, in its order, and how many there
	// are without its limit and offset.
	Records(ctx context.Context, q Query) ([]Record, int, error)
	// SetProfile replaces name and image, or returns auth.ErrUserNotFound.
	SetProfile(ctx context.Context, userID, name, image string, now time.Time) error
	// SetBan bans the user, in place of an earlier ban. It returns
	// auth.ErrUserNotFound if there is no such user, and an error without a
	// transaction.
	SetBan(ctx context.Context, b Ban) error
	// LiftBan ends a ban and reports whether there was one. It returns
	// auth.ErrUserNotFound if there is no such user.
	LiftBan(ctx context.Context, userID string, now time.Time) (bool, error)
	// SetSuperuser makes the user a superuser or takes that away, and reports
	// whether it changed anything. It returns ErrLastSuperuser rather than leave
	// an installation without a superuser who is not banned, whatever runs
	// concurrently, and auth.ErrUserNotFound if there is no such user. It needs a
	// transaction.
	SetSuperuser(ctx context.Context, userID string, superuser bool, now time.Time) (bool, error)
}

// Record is a user as superusers see them.
type Record struct {
	auth.User
	// BannedAt is zero for a user who is not banned.
	BannedAt time.Time
	// BannedUntil is zero for a ban without an end. A ban whose end has passed
	// stays recorded until the user signs in or it is lifted; see [Record.Banned].
	BannedUntil time.Time
	BanReason   string
	BannedBy    string
}

// Banned reports whether the ban holds at now.
func (r Record) Banned(now time.Time) bool {
	return !r.BannedAt.IsZero() && (r.BannedUntil.IsZero() || now.Before(r.BannedUntil))
}

// Ban keeps a user out.
type Ban struct {
	UserID string
	// ActorID is the superuser who bans.
	ActorID string
	// Reason is for the trail and other superusers; the user is not shown it.
	Reason string
	At     time.Time
	// Until is zero for a ban without an end.
	Until time.Time
}

// Field is a column that a list can be searched, filtered and sorted by.
type Field string

// The fields of a [Query].
const (
	FieldID        Field = "id"
	FieldEmail     Field = "email"
	FieldName      Field = "name"
	FieldRole      Field = "role"
	FieldBanned    Field = "banned"
	FieldVerified  Field = "emailVerified"
	FieldCreatedAt Field = "createdAt"
	FieldUpdatedAt Field = "updatedAt"
)

// Match is how a [Condition] compares.
type Match string

// The ways to compare. Contains, StartsWith and EndsWith are for texts and do
// not tell upper from lower case.
const (
	Contains       Match = "contains"
	StartsWith     Match = "starts_with"
	EndsWith       Match = "ends_with"
	Equal          Match = "eq"
	NotEqual       Match = "ne"
	Less           Match = "lt"
	LessOrEqual    Match = "lte"
	Greater        Match = "gt"
	GreaterOrEqual Match = "gte"
)

// Condition selects users by one field. Value is a string, a bool for FieldBanned
// and FieldVerified, or a time.Time for the times.
type Condition struct {
	Field Field
	Match Match
	Value any
}

// Query selects and orders users. Where conditions hold together.
type Query struct {
	Where []Condition
	// OrderBy defaults to FieldCreatedAt. Ties are ordered by id.
	OrderBy    Field
	Descending bool
	// Limit is the number of users at most, and Offset how many are passed over.
	Limit, Offset int
	// Now is the time at which bans are judged.
	Now time.Time
}
