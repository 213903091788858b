package session

import "github.com/tenon-go/tenon/problem"

// Errors of the package.
var (
	// ErrNoSession is the one answer to a token that opens nothing, whether it
	// is malformed, unknown, forged, expired or revoked, or its user is banned,
	// gone or changed (rule R7). It is never an outage.
	ErrNoSession = problem.New(problem.Unauthenticated, "UNAUTHORIZED", "Sign in to continue.")
	// ErrSessionNotFound means that the caller has no live session with that id;
	// a stranger's session and one that never existed are the same.
	ErrSessionNotFound = problem.New(problem.NotFound, "SESSION_NOT_FOUND", "You have no such session.")
	// ErrNotFresh means that the caller's last proof is too old for what they want
	// to do, or not of the second factor that they have enrolled (rule R12, ASVS
	// 7.5.1, 7.5.3).
	ErrNotFresh = problem.New(problem.PermissionDenied, "SESSION_NOT_FRESH",
		"Confirm that it is you: prove your password, or your second factor if you have one, at step-up and try again.")
	// ErrNotImpersonating means that nobody acts as somebody else in the session.
	ErrNotImpersonating = problem.New(problem.Invalid, "NOT_IMPERSONATING", "You are not acting as anybody else.")
	// ErrNoRefresh is the one answer to a refresh token that buys nothing, for the
	// same reasons as ErrNoSession, or because it was used before.
	ErrNoRefresh = problem.New(problem.Unauthenticated, "INVALID_REFRESH_TOKEN", "Sign in to continue.")
	// ErrRefreshRepeated means that a refresh token was exchanged a moment ago and
	// its successor handed out often enough (rule R14). Nothing ended: the client
	// has the successor somewhere, and must not come back with the old token.
	ErrRefreshRepeated = problem.New(problem.RateLimited, "REFRESH_TOKEN_REPEATED",
		"The refresh token was exchanged a moment ago. Use the one that came of it.")
	// ErrBearerUnavailable means that there are no bearer sessions here.
	ErrBearerUnavailable = problem.New(problem.PermissionDenied, "BEARER_MODE_NOT_AVAILABLE",
		"This installation gives out no bearer tokens. Use cookies.")
	// ErrInTransaction means that a call whose trace must not be rolled back was
	// made inside a transaction (rules R8, R14).
	ErrInTransaction = problem.New(problem.Internal, "IN_TRANSACTION", "This call must not run inside a transaction.")
	// ErrNotInBrowser means that the request's cookies hold no live session with
	// that id, whatever the user's other browsers hold (rule R16).
	ErrNotInBrowser = problem.New(problem.Unauthenticated, "INVALID_SESSION_TOKEN", "This browser has no such session.")
	// ErrNoPass means that a session was asked for without a pass of the door,
	// or with one that vouches for nothing (rule R2).
	ErrNoPass = problem.New(problem.Internal, "NO_PASS", "A session needs a pass.")
	// ErrNoTransaction means that a call that is only right as a part of a
	// larger change was made outside a transaction.
	ErrNoTransaction = problem.New(problem.Internal, "NO_TRANSACTION", "This call needs a transaction.")
	// ErrDuplicate is for stores: the id or the selector exists.
	ErrDuplicate = problem.New(problem.Internal, "DUPLICATE_SESSION", "The session exists.")
)
