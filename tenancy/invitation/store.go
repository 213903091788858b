package invitation

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/tenancy"
)

// Store keeps invitations, in the database of the organizations. The comments are
// its contract; tenancytest.TestInvitations holds an implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller. An outage is an
// error that wraps problem.ErrUnavailable and never "not found". A method whose ctx
// is cancelled changes nothing. Invitations end with their organization.
type Store interface {
	tenancy.Database
	Lists

	// AddInvitation inserts every field of i, which is pending. One of the same
	// address and organization that has expired at i.CreatedAt is canceled. It returns
	// ErrAlreadyInvited if another one is pending, ErrLimitReached if limit are pending
	// in the organization that have not expired, tenancy.ErrNotFound if there is no
	// such organization, and then has changed nothing and leaves the caller's
	// transaction usable. Of any number of concurrent calls for one address one
	// succeeds, and none passes the limit.
	AddInvitation(ctx context.Context, i Invitation, limit int) error

	// RenewInvitation gives the pending invitation of i's organization and address,
	// unless it has expired at i.UpdatedAt, the role, the teams, the inviter and the
	// end of i, and returns it as it then is. It returns ErrNotFound if there is none.
	RenewInvitation(ctx context.Context, i Invitation) (Invitation, error)

	// Decide ends a pending invitation of d's organization and returns it as it then
	// is. It returns ErrNotFound, and changes nothing, if there is none, or if it has
	// expired at d.At and d does not cancel it. Of any number of concurrent calls one
	// succeeds.
	Decide(ctx context.Context, d Decision) (Invitation, error)

	// Find returns the organization's invitation, whatever its status, or ErrNotFound.
	Find(ctx context.Context, organizationID, id string) (Invitation, error)

	// Forget deletes the invitations that the user sent, accepted or rejected.
	Forget(ctx context.Context, userID string) error
}

// Lists finds invitations for those whom they concern.
type Lists interface {
	// FindForMember returns the invitation, whatever its status, of an organization
	// that the user is a member of, or ErrNotFound.
	FindForMember(ctx context.Context, userID, id string) (Invitation, error)

	// Received returns the invitations to the mailbox that can be accepted at now,
	// the oldest first; with an id that one at most.
	Received(ctx context.Context, key, id string, now time.Time) ([]Received, error)

	// Sent returns the organization's invitations, whatever their status, the oldest
	// first.
	Sent(ctx context.Context, organizationID string) ([]Invitation, error)
}

// Decision ends an invitation.
type Decision struct {
	ID, OrganizationID string
	// To is Accepted, Rejected or Canceled.
	To Status
	// UserID is who accepts or rejects.
	UserID string
	At     time.Time
}
