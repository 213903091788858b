package principal

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/problem"
)

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
// problem.ErrForbidden. Freshness and assurance are the business of the caller.
func RequireSuperuser(ctx context.Context) (*Principal, error) {
	p, err := RequireUser(ctx)
	if err != nil {
		return nil, err
	}
	if !p.Superuser || p.APIKeyID != "" || p.ImpersonatorID != "" {
		return nil, problem.ErrForbidden
	}
	return p, nil
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
