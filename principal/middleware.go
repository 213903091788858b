package principal

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/problem"
)

// ErrSecondFactorRequired means that the session rests on fewer factors than what
// was asked for demands. A step-up with the second factor, or its enrolment, is due.
var ErrSecondFactorRequired = problem.New(problem.PermissionDenied, "SECOND_FACTOR_REQUIRED",
	"This needs a second factor. Set one up, or prove yours with POST step-up, and try again.")

// RequireUser returns the user who calls: problem.ErrUnauthenticated where
// nobody does, problem.ErrForbidden where the caller is a key without a user.
func RequireUser(ctx context.Context) (*Principal, error) {
	p, ok := FromContext(ctx)
	switch {
	case !ok:
		return nil, problem.ErrUnauthenticated
	case p.UserID == "":
		return nil, problem.ErrForbidden
	}
	return p, nil
}

// RequireSuperuser is RequireUser for superusers: everybody else, an API key of
// a superuser and an impersonated superuser included (R22), gets
// problem.ErrForbidden. A superuser with a second factor who did not prove it in this
// session gets ErrSecondFactorRequired. Freshness is the business of the caller.
func RequireSuperuser(ctx context.Context) (*Principal, error) {
	p, err := RequireUser(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case p.IsSuperuser():
		return p, nil
	case p.mayBeSuperuser():
		return nil, ErrSecondFactorRequired
	}
	return nil, problem.ErrForbidden
}

// Require returns middleware that lets a request pass where check finds its
// caller, and answers with check's error otherwise:
//
//	mux.Handle("POST /projects", principal.Require(principal.RequireUser)(create))
func Require(check func(context.Context) (*Principal, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := check(r.Context()); err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
