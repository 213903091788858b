package jwt

import "github.com/tenon-go/tenon/problem"

// The errors of this package. None of them, and nothing they wrap, carries a token or a key. An outage of the database
// or of the keyring is none of them: it wraps problem.ErrUnavailable, and nothing was decided.
var (
	// ErrInvalid means that a token is not one of ours, or not any more. Whatever is wrong with it is this one error;
	// the wrapping text says what, for logs.
	ErrInvalid = problem.New(problem.Unauthenticated, "INVALID_ACCESS_TOKEN", "The access token is not valid.")
	// ErrClaims means that Mint or MintFor was asked for a token that Verify would refuse, or that would be taken for
	// one of another kind. It is a mistake of the program.
	ErrClaims = problem.New(problem.Internal, "JWT_CLAIMS", "The claims are not acceptable.")
	// ErrConfig means that a Config is not acceptable; the wrapping text says which field.
	ErrConfig = problem.New(problem.Internal, "JWT_CONFIG", "The configuration is not acceptable.")
	// ErrNoSigningKey means that no key may sign: none was made yet, or the one there is does not open. Keys are not
	// made anew in silence (R28): Init makes the first, Revoke replaces a broken one. It passes as an outage does.
	ErrNoSigningKey = problem.New(problem.Unavailable, "JWT_NO_SIGNING_KEY",
		"The service is temporarily unavailable.").With(problem.ErrUnavailable)
	// ErrUnknownKey means that there is no key with this id to revoke.
	ErrUnknownKey = problem.New(problem.NotFound, "JWT_UNKNOWN_KEY", "There is no such key.")
	// ErrInTransaction means that a call which makes or changes keys found a transaction of the store in ctx: a
	// rollback would take back a key that has signed.
	ErrInTransaction = problem.New(problem.Internal, "JWT_IN_TRANSACTION", "Keys do not change inside a transaction.")
)
