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
// changes nothing. What says that it holds or locks returns ErrNoTransaction outside a
// transaction, and so does what needs such a lock of its caller's.
//
// At every commit each organization's owner is a member of it with RoleOwner,
// and no other member has that role. The store refuses what would break this
// (rule R31).
type Store interface {
	Database
	OrganizationStore
	MemberStore
	ChoiceStore
	DepartureStore
	OwnershipStore
	RoleStore
}

// OrganizationStore keeps organizations.
type OrganizationStore interface {
	// CreateOrganization inserts every field of o and of its owner, whose
	// OrganizationID, UserID and Role fit o. It returns ErrSlugTaken if another
	// organization has the slug, and then has changed nothing and leaves the
	// caller's transaction usable. Of any number of concurrent calls with one
	// slug, one succeeds.
	CreateOrganization(ctx context.Context, o Organization, owner Member) error

	// HoldOrganization returns the organization and keeps it from being deleted until
	// the transaction of ctx ends (rule R3). It returns ErrNotFound if there is none.
	HoldOrganization(ctx context.Context, id string) (Organization, error)

	// LockOrganization is Membership that keeps everybody else from locking the
	// organization, from changing or deleting it, until the transaction of ctx ends.
	// What is read is what was committed before. Users may join meanwhile. For who is
	// not a member it locks nothing and returns ErrNotFound.
	LockOrganization(ctx context.Context, organizationID, userID string) (Organization, Member, error)

	// UpdateOrganization sets the name, slug, logo, metadata and UpdatedAt of the
	// organization with o's id. It returns ErrSlugTaken as CreateOrganization does, and
	// ErrNotFound if there is none.
	UpdateOrganization(ctx context.Context, o Organization) error

	// SetSecondFactorPolicy sets what the organization demands of its members. It
	// returns ErrNotFound, and changes nothing, if ownerID does not own it now.
	SetSecondFactorPolicy(ctx context.Context, id, ownerID string, p principal.SecondFactorPolicy, now time.Time) error

	// Organizations returns those that the user is a member of, in the order in which
	// they joined, limit at most.
	Organizations(ctx context.Context, userID string, limit int) ([]Organization, error)

	// SlugTaken reports whether an organization has the slug.
	SlugTaken(ctx context.Context, slug string) (bool, error)
}

// MemberStore keeps places in organizations.
type MemberStore interface {
	// Membership returns the organization with the user's place in it, or
	// ErrNotFound if the user has none, whether or not the organization exists.
	Membership(ctx context.Context, organizationID, userID string) (Organization, Member, error)

	// MembershipBySlug is Membership by the organization's slug.
	MembershipBySlug(ctx context.Context, slug, userID string) (Organization, Member, error)

	// HoldMembership is Membership that keeps the organization from being deleted and
	// the membership as it is until the transaction of ctx ends, in this order.
	HoldMembership(ctx context.Context, organizationID, userID string) (Organization, Member, error)

	// AddMember inserts every field of m, whose organization the transaction of ctx
	// holds. It returns ErrAlreadyMember, changes nothing and leaves the transaction
	// usable if the user has a place there; of any number of concurrent calls for one
	// user, one succeeds.
	AddMember(ctx context.Context, m Member) error

	// FindMember returns the organization's member with that id, or ErrMemberNotFound.
	FindMember(ctx context.Context, organizationID, memberID string) (Member, error)

	// ListMembers returns the members that q asks for, and how many there would be
	// without Limit and Offset.
	ListMembers(ctx context.Context, q MemberQuery) (page []Member, total int, err error)

	// SetRole gives the member with m's id and organization the role in place of
	// m.Role. It returns ErrMemberNotFound, and changes nothing, if there is no such
	// member with m.Role now, or if it is RoleOwner. The transaction of ctx has locked
	// the organization.
	SetRole(ctx context.Context, m Member, role string) error

	// RemoveMember ends the membership with m's id and organization. It returns
	// ErrMemberNotFound, and changes nothing, if there is none, or if it is the owner's.
	// The transaction of ctx has locked the organization.
	RemoveMember(ctx context.Context, m Member) error
}

// ChoiceStore remembers which organization a user starts in.
type ChoiceStore interface {
	// HoldFirst returns the organization that the user chose last, or where they chose
	// none, that of their oldest membership, and keeps it from being deleted until the
	// transaction of ctx ends. It returns ErrNotFound if the user has no membership.
	HoldFirst(ctx context.Context, userID string) (organizationID string, err error)

	// Choose records that the user chose the organization. It returns ErrNotFound if
	// they have no place there.
	Choose(ctx context.Context, organizationID, userID string, now time.Time) error
}

// DepartureStore lets a user go.
type DepartureStore interface {
	// LockOwned returns the organizations that the user owns, in the order of their
	// ids, and keeps everybody else from changing, joining or deleting them until
	// the transaction of ctx ends.
	LockOwned(ctx context.Context, userID string) ([]Organization, error)

	// Members returns the organization's members, the longest-standing first.
	Members(ctx context.Context, organizationID string) ([]Member, error)

	// LockMembers is Members that waits for who is about to join the organization, and
	// keeps everybody else from joining it until the transaction of ctx ends. It returns
	// ErrNotFound if there is no such organization.
	LockMembers(ctx context.Context, organizationID string) ([]Member, error)

	// Transfer makes the member to the owner in place of from, who becomes an admin, and
	// withdraws every offer of the ownership. It returns ErrNotFound, and changes
	// nothing, if from does not own the organization or to is not a member of it. It
	// needs a transaction.
	Transfer(ctx context.Context, organizationID, from, to string, now time.Time) error

	// DeleteOrganization deletes the organization, its members and its roles. It returns
	// ErrNotFound if there is none. It needs a transaction.
	DeleteOrganization(ctx context.Context, id string) error

	// RemoveMemberships ends all memberships of a user who owns nothing, and returns
	// those that there were. It needs a transaction.
	RemoveMemberships(ctx context.Context, userID string) ([]Member, error)

	// Share reports whether one organization has both users as members.
	Share(ctx context.Context, userID, otherID string) (bool, error)
}

// OwnershipStore keeps the offer of an organization's ownership to one of its members.
// It ends with the membership. The transaction of ctx has locked the organization.
type OwnershipStore interface {
	// OfferOwnership replaces the organization's offer, if there is one. It returns
	// ErrMemberNotFound, and withdraws nothing, if the user is not a member or owns the
	// organization.
	OfferOwnership(ctx context.Context, o Offer) error

	// FindOffer returns the organization's offer to the user, whenever it ends, or
	// ErrNoOffer.
	FindOffer(ctx context.Context, organizationID, userID string) (Offer, error)

	// WithdrawOffer withdraws the organization's offer and reports whether there was
	// one.
	WithdrawOffer(ctx context.Context, organizationID string) (bool, error)
}

// RoleStore keeps organizations' own roles.
type RoleStore interface {
	// Roles returns the organization's own roles, by name, and the version of what was
	// read, which is that of Organization.RolesVersion. Without an organization there
	// are none, of version 0.
	Roles(ctx context.Context, organizationID string) (roles []Role, version int64, err error)

	// HoldRoles keeps those of the organization's own roles that have one of the names
	// from being deleted until the transaction of ctx ends, and returns their names.
	HoldRoles(ctx context.Context, organizationID string, names []string) (found []string, err error)

	// CreateRole inserts every field of r and raises the organization's RolesVersion. It
	// returns ErrRoleTaken, changes nothing and leaves the transaction usable if the
	// organization has a role of that name. The transaction of ctx has locked the
	// organization.
	CreateRole(ctx context.Context, r Role) error

	// UpdateRole sets the name, permissions and UpdatedAt of the role with r's id and
	// organization, and raises the organization's RolesVersion. Where the name changes,
	// who holds the role is waited for. Errors: ErrRoleTaken as for CreateRole;
	// ErrRoleNotFound. The transaction of ctx has locked the organization.
	UpdateRole(ctx context.Context, r Role) error

	// DeleteRole deletes the role with r's id, name and organization, and raises the
	// organization's RolesVersion. It returns ErrRoleNotFound if there is none, and
	// ErrRoleInUse if a member has it; then it has changed nothing. Who holds the role
	// is waited for. The transaction of ctx has locked the organization.
	DeleteRole(ctx context.Context, r Role) error

	// RoleHolders returns the ids of the members' users who have the role.
	RoleHolders(ctx context.Context, organizationID, name string) (userIDs []string, err error)
}
