package tenancy

import (
	"context"
	"time"
)

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

// Store keeps organizations and their members. The comments are its contract;
// tenancytest.TestStore holds an implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller; no
// statement asks the database for one. An outage is an error that wraps
// problem.ErrUnavailable and never "not found". A method whose ctx is cancelled
// changes nothing.
//
// At every commit each organization's owner is a member of it with RoleOwner,
// and no other member has that role. The store refuses what would break this
// (rule R31).
type Store interface {
	Database

	// CreateOrganization inserts every field of o and of its owner, whose
	// OrganizationID, UserID and Role fit o. It returns ErrSlugTaken if another
	// organization has the slug, and then has changed nothing and leaves the
	// caller's transaction usable. Of any number of concurrent calls with one
	// slug, one succeeds.
	CreateOrganization(ctx context.Context, o Organization, owner Member) error

	// HoldFirst returns the organization of the user's oldest membership and
	// keeps it from being deleted until the transaction of ctx ends. It returns
	// ErrNotFound if the user has no membership, and ErrNoTransaction outside a
	// transaction.
	HoldFirst(ctx context.Context, userID string) (organizationID string, err error)

	// Membership returns the organization with the user's place in it, or
	// ErrNotFound if the user has none, whether or not the organization exists.
	Membership(ctx context.Context, organizationID, userID string) (Organization, Member, error)

	// HoldOrganization keeps the organization from being deleted until the
	// transaction of ctx ends (rule R3). It returns ErrNotFound if there is none,
	// and ErrNoTransaction outside a transaction.
	HoldOrganization(ctx context.Context, id string) error
}
