package problem

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

const (
	internalCode = "INTERNAL_SERVER_ERROR"
	internalText = "Something went wrong on our side. Try again later."
)

// The sentinels that every package shares.
var (
	// ErrInternal is what a client sees of any error without a kind.
	ErrInternal = New(Internal, internalCode, internalText)
	// ErrUnavailable means that a part the answer depends on, such as the
	// database, cannot be reached now. Nothing was decided.
	ErrUnavailable = New(Unavailable, "SERVICE_UNAVAILABLE", "The service is not available at the moment. Try again shortly.")
	// ErrNotFound means that there is no such thing, or not for this caller.
	ErrNotFound = New(NotFound, "NOT_FOUND", "There is nothing here.")
	// ErrUnauthenticated means that the request carries no valid session or key.
	ErrUnauthenticated = New(Unauthenticated, "UNAUTHORIZED", "Sign in to continue.")
	// ErrForbidden means that the caller is known and may not do this.
	ErrForbidden = New(PermissionDenied, "FORBIDDEN", "You are not allowed to do this.")
	// ErrValidation means that fields of the request are wrong; WithFields says
	// which.
	ErrValidation = New(Invalid, "VALIDATION_ERROR", "The request has invalid fields.")
)

// Error is an error with a kind. Declare sentinels with [New] and derive from
// them with With, WithFields, WithRetryAfter and WithAllow; do not change the
// fields of a sentinel.
type Error struct {
	// Kind decides the HTTP status.
	Kind Kind
	// Code is the stable UPPER_SNAKE name that programs compare.
	Code string
	// Message is one sentence for a person. It is a constant of the program and
	// never contains input.
	Message string
	// Fields names what is wrong with single fields of the request.
	Fields []FieldError
	// RetryAfter is how long to wait before trying again, rendered for
	// RateLimited and Unavailable in whole seconds, rounded up. Defaults to one
	// second.
	RetryAfter time.Duration
	// Allow lists the methods that the resource has, for MethodNotAllowed.
	Allow []string
	// Err is the cause. It is logged where it matters and never shown.
	Err error
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	// Field is the name on the wire, with dots and indexes below the top level:
	// "address.lines[2]".
	Field string `json:"field"`
	// Code is the stable UPPER_SNAKE name of the reason.
	Code string `json:"code"`
	// Message says the reason and the remedy without repeating the value.
	Message string `json:"message"`
}

// New makes a sentinel. The code is UPPER_SNAKE and unique; the message is one
// English sentence without input in it.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error returns the code and the cause, or the message where there is no cause.
// It is for logs, not for clients.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same code, so that a copy with
// a cause or with fields still is its sentinel.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t != nil && t.Code == e.Code && e.Code != ""
}

// With returns a copy of e with err as its cause.
func (e *Error) With(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// WithFields returns a copy of e with fields added to those it has. An Invalid
// error with fields is a 422.
func (e *Error) WithFields(fields ...FieldError) *Error {
	c := *e
	c.Fields = slices.Concat(e.Fields, fields)
	return &c
}

// WithRetryAfter returns a copy of e that asks the client to wait for d.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// WithAllow returns a copy of e that names the methods the resource has.
func (e *Error) WithAllow(methods ...string) *Error {
	c := *e
	c.Allow = slices.Clone(methods)
	return &c
}

// Status returns the HTTP status: the kind's, or 422 for an Invalid error with
// fields.
func (e *Error) Status() int {
	if e.Kind == Invalid && len(e.Fields) > 0 {
		return http.StatusUnprocessableEntity
	}
	return e.Kind.Status()
}

// code is the code a client sees: never that of an internal error, never none.
func (e *Error) code() string {
	m := e.Kind.meaning()
	if e.Code == "" || m.code == internalCode {
		return m.code
	}
	return e.Code
}

// KindOf returns the kind of err: that of the first *Error in its tree,
// Unavailable for an ended context, TooLarge for a body over its limit, else
// Internal.
func KindOf(err error) Kind { return of(err).Kind }

// CodeOf returns the code that a client would see for err, "" for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	return of(err).code()
}

// of finds the *Error that speaks for err. The result is never nil; its cause is
// err itself where err is not an *Error.
func of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		// A nil *Error in an error is a mistake of the program.
		return cmp.Or(e, ErrInternal)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ErrUnavailable.With(err)
	}
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(TooLarge, TooLarge.meaning().code, "The request body is too large.").With(big)
	}
	return ErrInternal.With(err)
}
