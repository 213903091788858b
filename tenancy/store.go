package tenancy

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/principal"
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
	DepartureStore
	MemberStore

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

	// HoldOrganization returns the organization and keeps it from being deleted until
	// the transaction of ctx ends (rule R3). It returns ErrNotFound if there is none,
	// and ErrNoTransaction outside a transaction.
	HoldOrganization(ctx context.Context, id string) (Organization, error)
	// SetSecondFactorPolicy sets what the organization demands of its members. It
	// returns ErrNotFound, and changes nothing, if ownerID does not own it now.
	SetSecondFactorPolicy(ctx context.Context, id, ownerID string, p principal.SecondFactorPolicy, now time.Time) error
}

// MemberStore keeps places in organizations.
type MemberStore interface {
	// HoldMembership is Membership that keeps the organization from being deleted and
	// the membership as it is until the transaction of ctx ends, in this order. It
	// returns ErrNoTransaction outside a transaction.
	HoldMembership(ctx context.Context, organizationID, userID string) (Organization, Member, error)

	// AddMember inserts every field of m, whose organization the transaction of ctx
	// holds. It returns ErrNoTransaction outside one, and ErrAlreadyMember, changes
	// nothing and leaves the transaction
	// usable if the user has a place there; of any number of concurrent calls for one
	// user, one succeeds.
	AddMember(ctx context.Context, m Member) error
}

// DepartureStore lets a user go. All but Members and Share return ErrNoTransaction
// outside a transaction.
type DepartureStore interface {
	// LockOwned returns the organizations that the user owns, in the order of their
	// ids, and keeps everybody else from changing, joining or deleting them until
	// the transaction of ctx ends.
	LockOwned(ctx context.Context, userID string) ([]Organization, error)

	// Members returns the organization's members, the longest-standing first.
	Members(ctx context.Context, organizationID string) ([]Member, error)

	// Transfer makes the member to the owner in place of from, who becomes an admin.
	// It returns ErrNotFound, and changes nothing, if from does not own the
	// organization or to is not a member of it.
	Transfer(ctx context.Context, organizationID, from, to string, now time.Time) error

	// DeleteOrganization deletes the organization and its members. It returns
	// ErrNotFound if there is none.
	DeleteOrganization(ctx context.Context, id string) error

	// RemoveMemberships ends all memberships of a user who owns nothing, and returns
	// those that there were.
	RemoveMemberships(ctx context.Context, userID string) ([]Member, error)

	// Share reports whether one organization has both users as members.
	Share(ctx context.Context, userID, otherID string) (bool, error)
}
