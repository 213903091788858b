package problem_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestDerivedErrorsAreTheirSentinel(t *testing.T) {
	t.Parallel()
	sentinel := problem.New(problem.Conflict, "TAKEN", "The name is taken.")
	cause := errors.New("unique violation")
	err := fmt.Errorf("tenancy: create: %w", sentinel.With(cause).WithFields(problem.FieldError{Field: "name"}))

	assert.ErrorIs(t, err, sentinel)
	assert.ErrorIs(t, err, cause)
	assert.False(t, errors.Is(err, problem.ErrNotFound), "another code is another error")
	assert.False(t, errors.Is(&problem.Error{}, &problem.Error{Kind: problem.Invalid}), "two errors without a code are alike")
	assert.Equal(t, problem.KindOf(err), problem.Conflict)
	assert.Equal(t, problem.CodeOf(err), "TAKEN")
	assert.Equal(t, err.Error(), "tenancy: create: TAKEN: unique violation")
}

func TestSentinelsAreNeverChanged(t *testing.T) {
	t.Parallel()
	sentinel := problem.New(problem.Invalid, "WRONG", "Wrong.")
	first := sentinel.WithFields(problem.FieldError{Field: "a"})
	left := first.WithFields(problem.FieldError{Field: "left"})
	right := first.WithFields(problem.FieldError{Field: "right"})
	methods := []string{"GET"}
	allow := sentinel.WithRetryAfter(time.Second).WithAllow(methods...).With(errors.New("cause"))
	methods[0] = "PUT"

	assert.Equal(t, *sentinel, problem.Error{Kind: problem.Invalid, Code: "WRONG", Message: "Wrong."})
	assert.Equal(t, left.Fields[1].Field, "left")
	assert.Equal(t, right.Fields[1].Field, "right")
	assert.Equal(t, allow.Allow, []string{"GET"})
}

func TestEveryKindHasItsStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range map[problem.Kind]int{
		problem.Internal: 500, problem.Invalid: 400, problem.Unauthenticated: 401, problem.PermissionDenied: 403,
		problem.NotFound: 404, problem.Conflict: 409, problem.TooLarge: 413, problem.UnsupportedMedia: 415,
		problem.QuotaExceeded: 403, problem.RateLimited: 429, problem.Unavailable: 503,
		problem.MethodNotAllowed: 405, problem.Misdirected: 421, problem.Misdirected + 1: 500, -1: 500,
	} {
		assert.Equal(t, problem.New(kind, "X", "x").Status(), want)
		assert.NotEqual(t, kind.Title(), "")
	}
	assert.Equal(t, problem.ErrValidation.WithFields(problem.FieldError{}).Status(), http.StatusUnprocessableEntity)
	assert.Equal(t, problem.ErrNotFound.WithFields(problem.FieldError{}).Status(), http.StatusNotFound)
}

func TestKindOfErrorsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		kind problem.Kind
		code string
	}{
		{nil, problem.Internal, ""},
		{errors.New("any"), problem.Internal, "INTERNAL_SERVER_ERROR"},
		{(*problem.Error)(nil), problem.Internal, "INTERNAL_SERVER_ERROR"},
		{&problem.Error{Kind: problem.Conflict}, problem.Conflict, "CONFLICT"},
		{&problem.Error{Code: "FORGOTTEN_KIND"}, problem.Internal, "INTERNAL_SERVER_ERROR"},
		{fmt.Errorf("read: %w", context.Canceled), problem.Unavailable, "SERVICE_UNAVAILABLE"},
		{context.DeadlineExceeded, problem.Unavailable, "SERVICE_UNAVAILABLE"},
		{&http.MaxBytesError{Limit: 1}, problem.TooLarge, "PAYLOAD_TOO_LARGE"},
		{errors.Join(errors.New("any"), problem.ErrForbidden), problem.PermissionDenied, "FORBIDDEN"},
	} {
		assert.Equal(t, problem.KindOf(c.err), c.kind)
		assert.Equal(t, problem.CodeOf(c.err), c.code)
	}
}
