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

// ErrNoOrganization means that what was asked for belongs to an organization, and
// none is the scope of the request.
var ErrNoOrganization = problem.New(problem.Invalid, "NO_ACTIVE_ORGANIZATION",
	"No organization is active. Choose one and try again.")

// RequireUser returns the user who calls: problem.ErrUnauthenticated where
// nobody does, problem.ErrForbidden where the caller is a key without a user,
// ErrSecondFactorRequired where the caller is restricted.
func RequireUser(ctx context.Context) (*Principal, error) {
	p := callerOf(ctx)
	switch {
	case p == nil:
		return nil, problem.ErrUnauthenticated
	case closed(ctx, p):
		return nil, ErrSecondFactorRequired
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

// RequireOrganization returns the caller, a user or a key, with an organization as the
// scope of the request: problem.ErrUnauthenticated where nobody calls, and otherwise the
// errors of [Principal.Organization].
func RequireOrganization(ctx context.Context) (*Principal, error) {
	p := callerOf(ctx)
	if p == nil {
		return nil, problem.ErrUnauthenticated
	}
	if _, err := p.Organization(); err != nil {
		return nil, err
	}
	return p, nil
}

// Organization returns the organization that is the scope of the request:
// ErrSecondFactorRequired where a policy demands a factor that the session lacks, the
// organization's own included (R13), ScopeErr where the request named one that is no
// scope of the caller's, and ErrNoOrganization where none is active.
func (p *Principal) Organization() (id string, err error) {
	switch {
	case p.Restricted:
		return "", ErrSecondFactorRequired
	case p.OrganizationID != "":
		return p.OrganizationID, nil
	case p.ScopeErr != nil:
		return "", p.ScopeErr
	case p.RestrictedOrganizationID != "":
		return "", ErrSecondFactorRequired
	}
	return "", ErrNoOrganization
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
