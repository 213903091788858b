package auth

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one.
var (
	// ErrInvalidEmail means that an address can't be one.
	ErrInvalidEmail = problem.New(problem.Invalid, "INVALID_EMAIL",
		"The e-mail address is not valid. Write it like name@example.com.")
	// ErrInvalidName means that a name is empty, too long or not printable.
	ErrInvalidName = problem.New(problem.Invalid, "INVALID_NAME",
		"The name must have 1 to 128 printable characters.")
	// ErrInvalidImage means that an image is neither a web address nor a small picture.
	ErrInvalidImage = problem.New(problem.Invalid, "INVALID_IMAGE",
		"The image must be an http or https address, or a PNG, JPEG, GIF or WebP data URL of at most 64 kB.")
	// ErrInvalidCredentials answers a wrong password, an unknown address and an
	// address that was never confirmed alike (rule R4).
	ErrInvalidCredentials = problem.New(problem.Unauthenticated, "INVALID_EMAIL_OR_PASSWORD",
		"The e-mail address or password is wrong, or the address is not confirmed yet.")
	// ErrTooManyAttempts means that a guess was refused before it was checked
	// (rule R8). It says when the next one is welcome.
	ErrTooManyAttempts = problem.New(problem.RateLimited, "TOO_MANY_ATTEMPTS",
		"There were too many attempts. Wait a moment and try again.")
	// ErrLocked means that strangers guessed too often, and none is heard until the
	// account is unlocked (rule R9). It is the same for addresses that are nobody's.
	ErrLocked = problem.New(problem.RateLimited, "SIGN_IN_LOCKED",
		"There were too many attempts, so signing in from new devices is locked. If the address is yours, "+
			"open the link that was mailed to it, or use a device on which you signed in before.")
	// ErrDeviceNotFound is for stores: no device that is alive has that selector.
	ErrDeviceNotFound = problem.New(problem.NotFound, "DEVICE_NOT_FOUND", "There is no such device.")
	// ErrInTransaction means that a call that guesses a secret was made inside a
	// transaction, where its charge could be rolled back (rule R8).
	ErrInTransaction = problem.New(problem.Internal, "IN_TRANSACTION",
		"This call must not run inside a transaction.")
	// ErrNoTransaction means that a call needs the transaction of its cause.
	ErrNoTransaction = problem.New(problem.Internal, "NO_TRANSACTION", "This call must run inside a transaction.")
	// ErrSignUpProofRequired means that a link was opened in another browser
	// than the one that signed up, and needs the password or a new one (rule R5).
	ErrSignUpProofRequired = problem.New(problem.PermissionDenied, "SIGN_UP_PROOF_REQUIRED",
		"The link was opened in another browser. Send the password you chose at sign-up, or a new one.")
	// ErrLinkReplaced means that another link was opened in the browser while the
	// page of the first one waited for an answer.
	ErrLinkReplaced = problem.New(problem.Conflict, "LINK_REPLACED",
		"Another link was opened in the meantime. Look at the address and confirm again.")
	// ErrWrongSignUpPassword means that a link was opened in another browser, with
	// another password than the one of the sign-up.
	ErrWrongSignUpPassword = problem.New(problem.Unauthenticated, "INVALID_PASSWORD",
		"That is not the password that was chosen at sign-up.")
	// ErrNotAdmitted means that between proof and session the account changed,
	// or that it may not sign in (rule R1).
	ErrNotAdmitted = problem.New(problem.Unauthenticated, "INVALID_EMAIL_OR_PASSWORD",
		"The e-mail address or password is wrong, or the address is not confirmed yet.")
	// ErrNoChallenge answers every token of a second step that does not, or no
	// longer, continue a sign-in.
	ErrNoChallenge = problem.New(problem.Unauthenticated, "INVALID_TWO_FACTOR_COOKIE",
		"This sign-in is over: it waited too long, or too many codes were tried. Start again.")
	// ErrInvalidPassword means that a signed-in user typed a wrong password.
	ErrInvalidPassword = problem.New(problem.Invalid, "INVALID_PASSWORD", "That is not your password.")
	// ErrStale means that the account changed since the change was permitted
	// (rule R1).
	ErrStale = problem.New(problem.Conflict, "ACCOUNT_CHANGED",
		"The account was changed in the meantime. Start again.")
	// ErrTwoPasswords means that a new user was given both a password and the hash of
	// one.
	ErrTwoPasswords = problem.New(problem.Invalid, "TWO_PASSWORDS", "Give a password or the hash of one, not both.")
	// ErrImpersonateSuperuser means that somebody wanted to act as a superuser.
	ErrImpersonateSuperuser = problem.New(problem.PermissionDenied, "YOU_CANNOT_IMPERSONATE_ADMINS",
		"Nobody may act as a superuser.")
	// ErrUserNotFound is for stores: no user has that id or address.
	ErrUserNotFound = problem.New(problem.NotFound, "USER_NOT_FOUND", "There is no such user.")
	// ErrAddressTaken is for stores: another user has proven that address.
	ErrAddressTaken = problem.New(problem.Conflict, "EMAIL_TAKEN", "The address belongs to a user.")
	// ErrSignUpNotFound is for stores: no such sign-up waits.
	ErrSignUpNotFound = problem.New(problem.NotFound, "SIGN_UP_NOT_FOUND", "No such sign-up is waiting.")
)
