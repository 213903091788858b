package team

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/tenancy"
)

// Store keeps teams, in the database of the organizations. The comments are its
// contract; tenancytest.TestTeams holds an implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller. An outage is an
// error that wraps problem.ErrUnavailable and never "not found". A method whose ctx
// is cancelled changes nothing. Teams end with their organization, places in them
// with the team and with the place in the organization.
type Store interface {
	tenancy.Database
	MemberStore

	// CreateTeam inserts every field of t. It returns ErrNameTaken if another team of
	// the organization has the name, ErrTooManyTeams if the organization has limit
	// teams, where limit is not zero, tenancy.ErrNotFound if there is no such
	// organization, and then has changed nothing and leaves the caller's transaction
	// usable. No number of concurrent calls passes the limit.
	CreateTeam(ctx context.Context, t Team, limit int) error

	// RenameTeam gives the organization's team another name and returns it as it then
	// is. Errors: ErrNotFound, ErrNameTaken; then nothing has changed, and the caller's
	// transaction stays usable.
	RenameTeam(ctx context.Context, organizationID, id, name string, now time.Time) (Team, error)

	// DeleteTeam deletes the organization's team and returns the ids of the users who
	// were in it; who is about to be is waited for. It returns ErrNotFound if there is
	// none.
	DeleteTeam(ctx context.Context, organizationID, id string) (userIDs []string, err error)

	// Teams returns the organization's teams, the oldest first; with ids, those that
	// are among them.
	Teams(ctx context.Context, organizationID string, ids ...string) ([]Team, error)

	// FindForMember returns the team of an organization that the user is a member of,
	// or ErrNotFound.
	FindForMember(ctx context.Context, userID, id string) (Team, error)
}

// MemberStore keeps who is in which team.
type MemberStore interface {
	// AddMember inserts every field of m and returns it, or returns the place that the
	// user has in the team already. It returns ErrNotFound if the organization has no
	// such team, tenancy.ErrNotFound if the user is not a member of the organization,
	// ErrTeamFull if the team has limit members, where limit is not zero. No number of
	// concurrent calls passes the limit.
	AddMember(ctx context.Context, m Member, limit int) (Member, error)

	// HoldMember returns the user's place in the organization's team and keeps it until
	// the transaction of ctx ends, or returns ErrNotMember if there is none. It returns
	// tenancy.ErrNoTransaction outside a transaction.
	HoldMember(ctx context.Context, organizationID, teamID, userID string) (Member, error)

	// RemoveMember ends the user's place in the organization's team and returns it, or
	// ErrNotMember if there is none.
	RemoveMember(ctx context.Context, organizationID, teamID, userID string) (Member, error)

	// Members returns who is in the organization's team, the longest-standing first.
	Members(ctx context.Context, organizationID, teamID string) ([]Member, error)

	// TeamsOf returns the teams that the user is in, of one organization if
	// organizationID is not empty, the oldest first.
	TeamsOf(ctx context.Context, userID, organizationID string) ([]Team, error)
}
