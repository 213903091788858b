package tenancy

import "github.com/tenon-go/tenon/problem"

// Errors of the package.
var (
	// ErrNotFound means that there is no such organization, or that the user is
	// not a member of it; the two are never told apart.
	ErrNotFound = problem.New(problem.NotFound, "ORGANIZATION_NOT_FOUND", "There is no such organization.")
	// ErrNotOwner means that the member may not do what is for the owner.
	ErrNotOwner = problem.New(problem.PermissionDenied, "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
		"Only the owner of the organization may do this.")
	// ErrSlugTaken means that another organization has the slug.
	ErrSlugTaken = problem.New(problem.Conflict, "ORGANIZATION_SLUG_ALREADY_TAKEN", "Another organization has this slug. Choose another.")
	// ErrOwnsOrganization means that a user cannot be deleted because others are
	// members of an organization that the user owns.
	ErrOwnsOrganization = problem.New(problem.Conflict, "OWNS_ORGANIZATION",
		"You own an organization that has other members. Hand it to one of them, or remove them, and try again.")
	// ErrNoTransaction means that a call that is only right as a part of a
	// larger change was made outside a transaction.
	ErrNoTransaction = problem.New(problem.Internal, "NO_TRANSACTION", "This call needs a transaction.")
)
