package passkey

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one.
var (
	// ErrCeremonyNotFound means that the options of a ceremony were never made for
	// this browser or session, were used, or are older than five minutes.
	ErrCeremonyNotFound = problem.New(problem.Invalid, "CHALLENGE_NOT_FOUND",
		"The request for the passkey is out of date. Start again.")
	// ErrRegistrationFailed means that what the authenticator made is not what was
	// asked for.
	ErrRegistrationFailed = problem.New(problem.Invalid, "FAILED_TO_VERIFY_REGISTRATION",
		"The passkey could not be verified. Start again.")
	// ErrAuthenticationFailed answers everything that is wrong with a sign-in by
	// passkey alike (rule R7).
	ErrAuthenticationFailed = problem.New(problem.Unauthenticated, "AUTHENTICATION_FAILED",
		"The passkey was not accepted. Try again, or sign in another way.")
	// ErrNotFound means that the caller has no such passkey, whoever else has.
	ErrNotFound = problem.New(problem.NotFound, "PASSKEY_NOT_FOUND", "There is no such passkey.")
	// ErrAlreadyRegistered means that the passkey is somebody's already.
	ErrAlreadyRegistered = problem.New(problem.Conflict, "PREVIOUSLY_REGISTERED", "This passkey is registered already.")
	// ErrTooMany means that the user has as many passkeys as one may have.
	ErrTooMany = problem.New(problem.Conflict, "TOO_MANY_PASSKEYS",
		"The account has as many passkeys as it may have. Delete one first.")
	// ErrLastWayIn means that without the passkey nobody could sign in to the
	// account.
	ErrLastWayIn = problem.New(problem.Conflict, "LAST_WAY_IN",
		"This passkey is the only way to sign in to the account. Set a password or add another passkey first.")
	// ErrLastSecondFactor means that the account's second factor depends on the
	// passkey.
	ErrLastSecondFactor = problem.New(problem.Conflict, "LAST_SECOND_FACTOR",
		"This passkey is the account's only second factor. Turn the second factor off first, or add another one.")
	// ErrNoPasskey means that a user without passkeys wanted to prove one.
	ErrNoPasskey = problem.New(problem.Conflict, "NO_PASSKEY", "The account has no passkey that could prove it.")
)
