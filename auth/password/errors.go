package password

import (
	"errors"

	"github.com/tenon-go/tenon/problem"
)

// What a caller may test for with errors.Is.
var (
	// ErrTooShort means fewer characters than the policy asks for; the message says
	// how many those are.
	ErrTooShort = problem.New(problem.Invalid, "PASSWORD_TOO_SHORT", "The password is too short. Use at least 8 characters; a few unrelated words work well.")
	// ErrTooLong means more than MaxLength characters or MaxBytes bytes.
	ErrTooLong = problem.New(problem.Invalid, "PASSWORD_TOO_LONG", "The password is too long. Use at most 256 characters.")
	// ErrNotText means text that cannot be typed the same way twice: control
	// characters, unassigned characters, invalid UTF-8.
	ErrNotText = problem.New(problem.Invalid, "INVALID_PASSWORD", "The password has characters that cannot be used, such as tabs or line breaks. Use letters, digits, spaces and symbols.")
	// ErrTooCommon means that the password, or one that differs in trivial ways, is
	// on the list of package common (ASVS 6.2.4).
	ErrTooCommon = problem.New(problem.Invalid, "PASSWORD_TOO_COMMON", "The password is one of the first that are guessed. Choose one that nobody else uses; a few unrelated words work well.")
	// ErrTooSimilar means that the password contains what is known about its owner
	// or the product (ASVS 6.2.11). The message says which.
	ErrTooSimilar = problem.New(problem.Invalid, "PASSWORD_TOO_SIMILAR", "The password contains something that is known about you. Choose one that has nothing to do with you; a few unrelated words work well.")
	// ErrCompromised means that the password was found in stolen data (ASVS 6.2.12).
	ErrCompromised = problem.New(problem.Invalid, "PASSWORD_COMPROMISED", "The password is known from a data breach elsewhere. Choose one that you use nowhere else; a few unrelated words work well.")
	// ErrOverloaded means that no slot came free in time, or that too many wait
	// already. Nothing was hashed.
	ErrOverloaded = problem.New(problem.Unavailable, "OVERLOADED", "Too many sign-ins at once. Try again shortly.")
	// ErrBadHash means that a stored string is no canonical hash within the caps.
	// It proves nothing about the password.
	ErrBadHash = errors.New("password: the stored hash is malformed or beyond the caps")
	// ErrNotImportable means that a hash from another system is of no form that is
	// known, not written as that form wants it, or beyond the caps.
	ErrNotImportable = problem.New(problem.Invalid, "INVALID_PASSWORD_HASH", "The password hash is of no form that can be imported, or its parameters are too high.")
	// ErrFirebase means that a hash is Firebase's and Config.Firebase is not set.
	ErrFirebase = errors.New("password: a Firebase hash needs Config.Firebase")
	// ErrFIPS means that the enforcement of FIPS 140 refuses to verify an imported
	// hash: PBKDF2 with SHA-1, or PBKDF2 or scrypt with a salt below 16 bytes.
	ErrFIPS = errors.New("password: FIPS 140 refuses to verify this hash")
)
