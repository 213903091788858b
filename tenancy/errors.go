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
	// ErrRoleTaken means that the organization, or the program, has a role of that name.
	ErrRoleTaken = problem.New(problem.Conflict, "ROLE_NAME_IS_ALREADY_TAKEN", "There is a role of this name. Choose another.")
	// ErrRoleInUse means that a member has the role.
	ErrRoleInUse = problem.New(problem.Conflict, "ROLE_IS_ASSIGNED_TO_MEMBERS",
		"Members have this role. Give them another one first.")
	// ErrBuiltInRole means that a role belongs to the program.
	ErrBuiltInRole = problem.New(problem.Conflict, "CANNOT_DELETE_A_PRE_DEFINED_ROLE", "This role can't be changed or deleted.")
	// ErrInvalidResource means that a permission is for what does not exist.
	ErrInvalidResource = problem.New(problem.Invalid, "INVALID_RESOURCE", "There is no such resource, or no such action on it.")
	// ErrTooManyRoles means that an organization has as many roles as it may.
	ErrTooManyRoles = problem.New(problem.Conflict, "TOO_MANY_ROLES", "The organization has too many roles. Delete one first.")
	// ErrOnlyOwner means that the owner is about to go.
	ErrOnlyOwner = problem.New(problem.Conflict, "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER",
		"The owner can't leave. Hand the organization over or delete it.")
	// ErrHasMembers means that Config.Deletion wants the owner to be alone.
	ErrHasMembers = problem.New(problem.Conflict, "ORGANIZATION_HAS_MEMBERS", "Remove the other members first.")
	// ErrDeletionDisabled means that Config.Deletion allows none.
	ErrDeletionDisabled = problem.New(problem.NotFound, "ORGANIZATION_DELETION_DISABLED", "Organizations can't be deleted here.")
	// ErrNoOffer means that nobody offered the organization to the caller, or not any
	// more.
	ErrNoOffer = problem.New(problem.NotFound, "NO_OWNERSHIP_OFFER", "The organization's ownership is not offered to you, or not any more.")
	// ErrTwoOrganizations means that one request names two organizations (rule R13).
	ErrTwoOrganizations = problem.New(problem.Invalid, "TWO_ORGANIZATIONS", "The request names two different organizations. Name one.")
	// ErrExists means that an organization is about to be made with a slug that another
	// one has.
	ErrExists = problem.New(problem.Conflict, "ORGANIZATION_ALREADY_EXISTS", "Another organization has this slug. Choose another.")
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
