package twofactor

import "github.com/tenon-go/tenon/problem"

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one.
var (
	// ErrTrustNotFound means that the user has no such trusted device.
	ErrTrustNotFound = problem.New(problem.NotFound, "TRUSTED_DEVICE_NOT_FOUND", "There is no such trusted device.")
	// ErrSelfReset means that a superuser asked for their own second factors to be
	// reset, which they turn off like everybody.
	ErrSelfReset = problem.New(problem.Invalid, "YOU_CANNOT_RESET_YOUR_OWN_SECOND_FACTOR",
		"Turn your own second factor off in your account.")
	// ErrNotEnrolled means that there is no authenticator app to ask.
	ErrNotEnrolled = problem.New(problem.Invalid, "TOTP_NOT_ENABLED", "No authenticator app is set up, or being set up here.")
	// ErrOff means that the user has not turned a second factor on.
	ErrOff = problem.New(problem.Invalid, "TWO_FACTOR_NOT_ENABLED", "Two-factor authentication is not turned on.")
	// ErrInvalidCode answers every code of an app, or by mail, that is wrong, used,
	// or too old.
	ErrInvalidCode = problem.New(problem.Unauthenticated, "INVALID_CODE", "That code is wrong, or it was used already.")
	// ErrInvalidRecoveryCode answers every recovery code that is wrong or used.
	ErrInvalidRecoveryCode = problem.New(problem.Unauthenticated, "INVALID_BACKUP_CODE", "That recovery code is wrong, or it was used already.")
	// ErrNoRecoveryCodes means that the user has no recovery codes left.
	ErrNoRecoveryCodes = problem.New(problem.Invalid, "BACKUP_CODES_NOT_ENABLED", "There are no recovery codes left.")
	// ErrFactorLocked means that twenty wrong codes were typed within a day. Until
	// the day is over only a recovery code helps.
	ErrFactorLocked = problem.New(problem.RateLimited, "ACCOUNT_TEMPORARILY_LOCKED",
		"Too many wrong codes. Use a recovery code, or try again tomorrow.")
	// ErrMailCodesOff means that this installation does not mail codes as a second
	// step.
	ErrMailCodesOff = problem.New(problem.Invalid, "OTP_NOT_CONFIGURED", "Codes by mail are no second step here.")
	// ErrMailCodeNotOffered means that a mailed code does not continue this sign-in,
	// or proves too little for this account (rule R11).
	ErrMailCodeNotOffered = problem.New(problem.Invalid, "OTP_NOT_ENABLED", "A mailed code is not one of the ways to go on here.")
	// ErrTOTPFirst means that a mailed code was to stand beside a stronger factor.
	ErrTOTPFirst = problem.New(problem.Conflict, "TOTP_ALREADY_ENABLED",
		"The account has a stronger second factor. Turn that off first.")
	// ErrNoPasskey means that a passkey was to be the second factor, and there is
	// none.
	ErrNoPasskey = problem.New(problem.Invalid, "PASSKEY_NOT_FOUND", "Register a passkey first.")
	// ErrInvalidIssuer means that the name for the authenticator app cannot be shown.
	ErrInvalidIssuer = problem.New(problem.Invalid, "INVALID_ISSUER", "The issuer is 1 to 64 bytes without colons.")
)
