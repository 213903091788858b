package admin

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Codes are the official client's where it has one.
var (
	// ErrSelfBan means that a superuser wanted to ban themselves.
	ErrSelfBan = problem.New(problem.Invalid, "YOU_CANNOT_BAN_YOURSELF", "You cannot ban yourself.")
	// ErrSelfRemoval means that a superuser wanted to remove themselves.
	ErrSelfRemoval = problem.New(problem.Invalid, "YOU_CANNOT_REMOVE_YOURSELF",
		"You cannot remove yourself here. Delete your own account instead.")
	// ErrSelfDemotion means that a superuser wanted to give up the role.
	ErrSelfDemotion = problem.New(problem.Invalid, "YOU_CANNOT_DEMOTE_YOURSELF",
		"You cannot take the role from yourself. Ask another superuser.")
	// ErrLastSuperuser means that nobody would be left to administer.
	ErrLastSuperuser = problem.New(problem.Conflict, "LAST_SUPERUSER",
		"This is the last superuser. Make somebody else one first.")
	// ErrRoleUnknown means that a role is neither "user" nor "admin".
	ErrRoleUnknown = problem.New(problem.Invalid, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE",
		`There is no such role. Use "user" or "admin".`)
	// ErrNothingToUpdate means that an update names no field.
	ErrNothingToUpdate = problem.New(problem.Invalid, "NO_DATA_TO_UPDATE", "Nothing was given to update.")
	// ErrPasswordInUpdate means that an update names a password.
	ErrPasswordInUpdate = problem.New(problem.Invalid, "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER",
		"A password is not part of a profile. Use set-user-password.")
	// ErrAddressInUse means that the address belongs to another user. Superusers
	// may know.
	ErrAddressInUse = problem.New(problem.Conflict, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
		"The address belongs to another user.")
	// ErrTypedPassword means that a superuser typed a password for somebody else
	// where the installation does not allow it.
	ErrTypedPassword = problem.New(problem.PermissionDenied, "TYPED_PASSWORDS_NOT_ALLOWED",
		"Superusers do not choose passwords here. Leave the password out, and its owner is mailed a link to set one.")
	// ErrVouchedAddress means that a superuser declared somebody else's address
	// proven where the installation does not take their word.
	ErrVouchedAddress = problem.New(problem.PermissionDenied, "VERIFIED_EMAILS_NOT_ALLOWED",
		"Superusers do not vouch for addresses here. Leave emailVerified out: the mailed link proves the address.")
	// ErrUnprovenPassword means that a superuser typed a password for an address
	// that nobody has proven: it would never work (rule R4).
	ErrUnprovenPassword = problem.New(problem.Invalid, "PASSWORD_NEEDS_VERIFIED_EMAIL",
		"A password works only with a proven address. Leave it out, and its owner is mailed a link to choose one, or vouch for the address with data.emailVerified.").
		WithFields(problem.FieldError{Field: "password", Code: "NEEDS_VERIFIED_EMAIL", Message: "needs data.emailVerified to be true; leave it out otherwise"})
	// ErrBanned means that the user is banned, and nobody acts as them.
	ErrBanned = problem.New(problem.Conflict, "USER_IS_BANNED", "The user is banned. Lift the ban first.")
	// ErrInvalidBan means that a ban would end before it begins or has a reason
	// that is too long.
	ErrInvalidBan = problem.New(problem.Invalid, "INVALID_BAN",
		"A ban needs an end in the future, or none, and a reason of at most 500 characters.")
)
