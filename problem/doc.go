// Package problem holds the error kinds of the library and their one rendering
// over HTTP: application/problem+json (RFC 9457) with the members code, message,
// errors and requestId beside the registered ones.
//
// A package declares its sentinels once and callers compare with errors.Is:
//
//	var ErrInvitationNotPending = problem.New(problem.Conflict,
//		"INVITATION_NOT_PENDING", "The invitation is no longer open.")
//
//	return fmt.Errorf("tenancy: accept invitation: %w", ErrInvitationNotPending)
//
// # What a client sees
//
// Only what stands in the sentinel: its code, its message and its field errors,
// all of them constants of the program. The cause added by [Error.With] is for
// the log. An error without a kind is a 500 with fixed text, and so is a
// sentinel whose kind was forgotten, because [Internal] is the zero [Kind].
//
// # Concurrency
//
// Sentinels are never changed: every method that adds something returns a copy.
// All functions are safe for concurrent use.
//
// The package imports the standard library only.
package problem
