package totp

import (
	"errors"

	"github.com/tenon-go/tenon/problem"
)

// What a caller may test for with errors.Is.
var (
	// ErrFIPS says that a scheme wants SHA-1 where FIPS 140 is enforced
	// (GODEBUG=fips140=only).
	ErrFIPS = problem.New(problem.Unavailable, "TOTP_NOT_AVAILABLE", "Codes of this authenticator cannot be checked here.")

	// ErrSecret says that a text is no secret: not base32, or not 16 to 64 bytes.
	ErrSecret = errors.New("totp: a secret is base32 of 16 to 64 bytes")

	// ErrLabel says that an issuer or an account cannot stand in a URI.
	ErrLabel = errors.New("totp: an issuer is 1 to 64 bytes of UTF-8, an account 1 to 254, without colons and control characters")

	// ErrURI says that a text is too long for a QR code.
	ErrURI = errors.New("totp: the text does not fit into a QR code")
)

var errConfig = errors.New("totp: SHA1, SHA256 or SHA512, 6 or 8 digits, a period of 15 to 120 whole seconds")
