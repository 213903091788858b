package principal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

func TestContextCarriesThePrincipalItself(t *testing.T) {
	t.Parallel()
	_, ok := principal.FromContext(t.Context())
	assert.False(t, ok, "an empty context has a principal")

	p := &principal.Principal{UserID: "u1"}
	ctx := principal.NewContext(t.Context(), p)
	got, ok := principal.FromContext(ctx)
	assert.True(t, ok && got == p, "the context returns the pointer it was given")

	_, ok = principal.FromContext(principal.NewContext(ctx, nil))
	assert.False(t, ok, "nil hides the outer caller")
}

func TestR22_SuperuserIsNeitherAKeyNorImpersonated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		p               *principal.Principal
		user, superuser error
	}{
		{"nobody", nil, problem.ErrUnauthenticated, problem.ErrUnauthenticated},
		{"user", &principal.Principal{UserID: "u"}, nil, problem.ErrForbidden},
		{"organization's key", &principal.Principal{APIKeyID: "k"}, problem.ErrForbidden, problem.ErrForbidden},
		{"superuser", &principal.Principal{UserID: "u", Superuser: true}, nil, nil},
		{"superuser's key", &principal.Principal{UserID: "u", Superuser: true, APIKeyID: "k"}, nil, problem.ErrForbidden},
		{"impersonated", &principal.Principal{UserID: "u", Superuser: true, ImpersonatorID: "s"}, nil, problem.ErrForbidden},
	} {
		ctx := principal.NewContext(t.Context(), c.p)
		_, err := principal.RequireUser(ctx)
		assert.Equal(t, problem.CodeOf(err), codeOf(c.user))
		_, err = principal.RequireSuperuser(ctx)
		assert.Equal(t, problem.CodeOf(err), codeOf(c.superuser))
		assert.Equal(t, serve(ctx, principal.RequireSuperuser), c.superuser == nil)
	}
}

func codeOf(err error) string { return problem.CodeOf(err) }

// serve reports whether a request with ctx passes the middleware.
func serve(ctx context.Context, check func(context.Context) (*principal.Principal, error)) bool {
	passed := false
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })
	w := httptest.NewRecorder()
	principal.Require(check)(next).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	return passed && w.Code == http.StatusOK
}

// own is a context that carries a caller by itself.
type own struct {
	context.Context //nolint:containedctx // it is a context
	p               *principal.Principal
}

func (c own) Value(key any) any {
	if principal.IsKey(key) {
		return c.p
	}
	return c.Context.Value(key)
}

func TestAContextOfItsOwnCarriesACaller(t *testing.T) {
	t.Parallel()
	p := &principal.Principal{UserID: "u1"}
	got, ok := principal.FromContext(own{t.Context(), p})
	assert.True(t, ok && got == p, "FromContext asks by the key of IsKey")
	assert.False(t, principal.IsKey("contextKey") || principal.IsKey(nil) || principal.IsKey(struct{}{}), "other keys are not it")
	got, ok = principal.FromContext(principal.NewContext(own{t.Context(), p}, &principal.Principal{UserID: "u2"}))
	assert.True(t, ok && got.UserID == "u2", "the inner context wins")
}
