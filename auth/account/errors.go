package account

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one.
var (
	// ErrNotFresh means that the caller's last proof is too old, or too weak, for
	// what they want to do (rule R12).
	ErrNotFresh = problem.New(problem.PermissionDenied, "SESSION_NOT_FRESH",
		"Confirm that it is you: prove your password, or your second factor if you have one, at step-up and try again.")
	// ErrSessionEnded means that a password, a code or a passkey was wrong once too
	// often, and that the session in which it was tried is over (rule R12).
	ErrSessionEnded = problem.New(problem.Unauthenticated, "SESSION_ENDED",
		"That was wrong too often. Sign in again.")
	// ErrPasswordAlreadySet means that an account that has a password was to get a
	// first one.
	ErrPasswordAlreadySet = problem.New(problem.Invalid, "PASSWORD_ALREADY_SET",
		"The account has a password. Change it instead.")
	// ErrSameEmail means that a user asked to move to the address they have.
	ErrSameEmail = problem.New(problem.Invalid, "EMAIL_UNCHANGED", "That is your address already.")
	// ErrEmailByUpdate answers an address among the fields of a profile.
	ErrEmailByUpdate = problem.New(problem.Invalid, "EMAIL_CAN_NOT_BE_UPDATED",
		"The address is not changed here. Use change-email, which asks both mailboxes.")
	// ErrNothingToUpdate means that a profile was to be changed and no field was
	// named.
	ErrNothingToUpdate = problem.New(problem.Invalid, "NO_FIELDS_TO_UPDATE", "Name at least one field to update.")
	// ErrProofMissing means that a step-up names nothing that could prove anything.
	ErrProofMissing = problem.New(problem.Invalid, "PROOF_REQUIRED", "Send one of the password, a code of your authenticator app or a recovery code; or a mailed code if the account has none of them.")
	// ErrCodeUnavailable means that this installation, or this account, does not
	// step up by mailed code.
	ErrCodeUnavailable = problem.New(problem.PermissionDenied, "CODE_NOT_AVAILABLE",
		"A mailed code does not prove enough for this account. Use the password or the second factor.")
	// ErrSignInFirst means that a link to delete an account was opened where that
	// user is not signed in.
	ErrSignInFirst = problem.New(problem.Unauthenticated, "SIGN_IN_FIRST",
		"Sign in to the account that the link belongs to, then open it again.")
	// ErrUserNotFound answers for users who do not exist and for those who are none
	// of the caller's business, alike (promise 7).
	ErrUserNotFound = problem.New(problem.NotFound, "USER_NOT_FOUND", "There is no such user.")
)
