package passwordless

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one.
var (
	// ErrInvalidCode is the one answer to a code that does not work: wrong, used,
	// too old, tried too often, asked for elsewhere or for something else.
	ErrInvalidCode = problem.New(problem.Invalid, "INVALID_OTP",
		"The code is wrong or does not work any more. Look at it again, or ask for a new one.")
	// ErrTooManyCodes means that the guesses at codes of an address are used up
	// (rule R10). It says when the next one is welcome; links work meanwhile.
	ErrTooManyCodes = problem.New(problem.RateLimited, "TOO_MANY_ATTEMPTS",
		"Too many codes were tried for this address. Use a mailed link instead.")
	// ErrPurpose means that codes for this are not available here.
	ErrPurpose = problem.New(problem.Invalid, "INVALID_OTP_TYPE",
		"Codes of this type are not available here.")
	// ErrSameEmail means that a user asked to move to the address they have.
	ErrSameEmail = problem.New(problem.Invalid, "EMAIL_UNCHANGED", "That is your address already.")
	// ErrOtherBrowser means that a script wants to use a link that another browser
	// asked for, without a person who was told so (rule R24).
	ErrOtherBrowser = problem.New(problem.PermissionDenied, "OTHER_BROWSER",
		"The link was asked for in another browser. Show the person whose account it is, and send confirm: true.")
)
