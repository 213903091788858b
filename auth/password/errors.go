package password

import (
	"errors"

	"github.com/tenon-go/tenon/problem"
)

// What a caller may test for with errors.Is.
var (
	// ErrTooShort means fewer than MinLength characters.
	ErrTooShort = problem.New(problem.Invalid, "PASSWORD_TOO_SHORT", "The password is too short. Use at least 8 characters; a few unrelated words work well.")
	// ErrTooLong means more than MaxLength characters or MaxBytes bytes.
	ErrTooLong = problem.New(problem.Invalid, "PASSWORD_TOO_LONG", "The password is too long. Use at most 256 characters.")
	// ErrNotText means text that cannot be typed the same way twice: control
	// characters, unassigned characters, invalid UTF-8.
	ErrNotText = problem.New(problem.Invalid, "INVALID_PASSWORD", "The password has characters that cannot be used, such as tabs or line breaks. Use letters, digits, spaces and symbols.")
	// ErrOverloaded means that no slot came free in time, or that too many wait
	// already. Nothing was hashed.
	ErrOverloaded = problem.New(problem.Unavailable, "OVERLOADED", "Too many sign-ins at once. Try again shortly.")
	// ErrBadHash means that a stored string is no canonical hash within the caps.
	// It proves nothing about the password.
	ErrBadHash = errors.New("password: the stored hash is malformed or beyond the caps")
)
