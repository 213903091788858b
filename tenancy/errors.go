package tenancy

import (
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// Errors of the package.
var (
	// ErrNotFound means that there is no such organization, or that the user is
	// not a member of it; the two are never told apart.
	ErrNotFound = problem.New(problem.NotFound, "ORGANIZATION_NOT_FOUND", "There is no such organization.")
	// ErrNotOwner means that the member may not do what is for the owner.
	ErrNotOwner = problem.New(problem.PermissionDenied, "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
		"Only the owner of the organization may do this.")
	// ErrMemberNotFound means that the organization has no such member.
	ErrMemberNotFound = problem.New(problem.NotFound, "MEMBER_NOT_FOUND", "The organization has no such member.")
	// ErrRoleNotFound means that the organization has no such role.
	ErrRoleNotFound = problem.New(problem.NotFound, "ROLE_NOT_FOUND", "The organization has no such role.")
	// ErrAlreadyMember means that the user is a member already.
	ErrAlreadyMember = problem.New(problem.Conflict, "USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION",
		"This user is a member of the organization already.")
	// ErrUseTransfer means that ownership was asked for as if it were a role (rule R31).
	ErrUseTransfer = problem.New(problem.Conflict, "USE_TRANSFER_OWNERSHIP",
		"An organization has one owner. Use organization/transfer-ownership to hand it over.")
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

// NotAllowed returns the error for members whose role does not allow the action on the
// resource: of kind problem.PermissionDenied, with the code that the official client
// knows for it, or principal.ErrNotPermitted where it knows none.
func NotAllowed(resource, action string) error {
	code := ""
	switch resource + ":" + action {
	case "organization:update":
		code = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION"
	case "organization:delete":
		code = "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_ORGANIZATION"
	case "member:update":
		code = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_MEMBER"
	case "member:delete":
		code = "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_MEMBER"
	case "invitation:create":
		code = "YOU_ARE_NOT_ALLOWED_TO_INVITE_USERS_TO_THIS_ORGANIZATION"
	case "invitation:cancel":
		code = "YOU_ARE_NOT_ALLOWED_TO_CANCEL_THIS_INVITATION"
	case "team:create":
		code = "YOU_ARE_NOT_ALLOWED_TO_CREATE_TEAMS_IN_THIS_ORGANIZATION"
	case "team:update":
		code = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_TEAM"
	case "team:delete":
		code = "YOU_ARE_NOT_ALLOWED_TO_DELETE_TEAMS_IN_THIS_ORGANIZATION"
	case "ac:create":
		code = "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_ROLE"
	case "ac:read":
		code = "YOU_ARE_NOT_ALLOWED_TO_READ_A_ROLE"
	case "ac:update":
		code = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_A_ROLE"
	case "ac:delete":
		code = "YOU_ARE_NOT_ALLOWED_TO_DELETE_A_ROLE"
	default:
		return principal.ErrNotPermitted
	}
	return problem.New(problem.PermissionDenied, code, principal.ErrNotPermitted.Message)
}
