package token

import (
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/problem"
)

// What a caller may test for with errors.Is.
var (
	// ErrInvalid is the one answer to a one-time token that does not work,
	// whether it is unknown, forged, expired, used or of another purpose.
	ErrInvalid = problem.New(problem.Invalid, "INVALID_TOKEN", "This link or code is not valid any more. Ask for a new one.")

	// ErrMalformed says that a text is no token of the wanted kind. It is an
	// ErrInvalid too.
	ErrMalformed = fmt.Errorf("token: malformed: %w", ErrInvalid)

	// ErrMismatch says that a token is not the one a verifier was made from, or
	// that the verifier belongs to another row, purpose or tenant.
	ErrMismatch = errors.New("token: mismatch")

	// ErrNotFound is a Store's answer when it has no such row.
	ErrNotFound = problem.New(problem.NotFound, "TOKEN_NOT_FOUND", "There is no such token.")

	// ErrTooManyAttempts says that the attempts of a one-time token are used up.
	ErrTooManyAttempts = problem.New(problem.RateLimited, "TOO_MANY_ATTEMPTS", "Too many attempts. Ask for a new link or code.")

	// ErrInTransaction says that Charge was called inside a transaction, whose
	// rollback would make the guess free.
	ErrInTransaction = problem.New(problem.Internal, "IN_TRANSACTION", "The call cannot be part of a transaction.")

	// ErrSecretAsValue is what database/sql gets instead of a Secret.
	ErrSecretAsValue = errors.New("token: a secret is not a database value")
)

var (
	errKind    = errors.New("token: a kind is three lower-case letters")
	errPurpose = errors.New("token: a purpose is 1 to 40 lower-case letters, digits and hyphens, with or without a kind and a colon before them")
	errBinding = errors.New("token: a hash needs a token, a purpose and a row")
	errTTL     = errors.New("token: a lifetime is between one second and 90 days")
	errSubject = errors.New("token: a subject is 1 to 255 bytes of UTF-8 without NUL, a tenant at most as long")
	errPayload = errors.New("token: a payload is a JSON value of at most 2048 bytes")
)
