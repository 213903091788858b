package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// outcome is what one request's lookup came to. It is in ctx even where there is
// no session, so that an outage stays known and nobody looks twice.
type outcome struct {
	service  *Service
	identity *Identity
	err      error // an outage, never ErrNoSession
}

// settle takes what a Finder answered.
func (o *outcome) settle(identity *Identity, err error) {
	switch {
	case err == nil:
		o.identity = identity
	case !errors.Is(err, ErrNoSession):
		o.err = err
	}
}

type outcomeKey struct{}

func outcomeOf(ctx context.Context) outcome {
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok {
		return *o
	}
	return outcome{}
}

// requestContext is a request's ctx with the outcome and the principal, in one
// allocation for both.
type requestContext struct {
	context.Context //nolint:containedctx // it is a context, with two more values
	outcome
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, ok := key.(outcomeKey); ok {
		return &c.outcome
	}
	if c.identity != nil && principal.IsKey(key) {
		return c.identity.Principal()
	}
	return c.Context.Value(key)
}

// FromContext returns the session that [Handler.Middleware] found, its user and
// role, and false where there is none or it is restricted (see
// principal.AllowRestricted). Share it, don't change it. What asks only who is calling
// reads the principal instead.
func FromContext(ctx context.Context) (Identity, bool) {
	o := outcomeOf(ctx)
	if o.identity == nil {
		return Identity{}, false
	}
	if _, open := principal.FromContext(ctx); !open && o.identity.SecondFactor.Required {
		return Identity{}, false
	}
	return *o.identity, true
}

// LookupError returns why [Handler.Middleware] could not find out who is
// calling, such as an outage of the database, and nil where it could.
func LookupError(ctx context.Context) error { return outcomeOf(ctx).err }

// CheckUser returns nil for the request of a signed-in user, and
// principal.ErrSecondFactorRequired for that of one whose session is restricted by
// Config.SecondFactor. During an outage it is the outage's error rather than that of a
// stranger, so that nobody takes it for a sign-out (promise 12).
func CheckUser(r *http.Request) error { return check(r.Context(), principal.RequireUser) }

// CheckSuperuser is CheckUser for superusers (see principal.RequireSuperuser).
func CheckSuperuser(r *http.Request) error { return check(r.Context(), principal.RequireSuperuser) }

func check(ctx context.Context, require func(context.Context) (*principal.Principal, error)) error {
	if _, known := principal.FromContext(ctx); !known {
		if err := LookupError(ctx); err != nil {
			return err
		}
	}
	_, err := require(ctx)
	return err
}

// CheckFresh returns nil for the request of a user who proved who they are within
// window, by the second factor if they have one (see [Fresh]); ErrNotFresh where
// a step-up is due, problem.ErrForbidden where none would help, because the
// caller is an API key or impersonates the user (rule R22), and otherwise what
// [CheckUser] returns. Behind middleware other than
// [Handler.Middleware] nothing is fresh.
func CheckFresh(r *http.Request, window time.Duration) error {
	if err := CheckUser(r); err != nil {
		return err
	}
	p, _ := principal.FromContext(r.Context())
	switch service := outcomeOf(r.Context()).service; {
	case p.SessionID == "" || p.APIKeyID != "" || p.ImpersonatorID != "":
		return problem.ErrForbidden
	case service == nil || !Fresh(p, service.now(), window):
		return ErrNotFresh
	}
	return nil
}

// RequireFresh returns middleware that lets a request pass where [CheckFresh]
// does, and answers with its error otherwise:
//
//	mux.Handle("POST /keys", session.RequireFresh(10*time.Minute)(createKey))
func RequireFresh(window time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := CheckFresh(r, window); err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Middleware looks up the session of the request's cookie, or the bearer session
// of its Authorization header, and puts the principal into the request's context. A request without a valid session goes on without
// a principal, and so does one during an outage, which [Handler.RequireUser] and
// [CheckUser] then report as such.
//
// A request with an Authorization or X-Api-Key header is not a browser's: its
// cookies are ignored (rule R16). So are a cookie that is there more than once
// and one that can't be a token, without asking the database. Around a handler
// that has it already it does nothing.
func (h *Handler) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if outcomeOf(r.Context()).service != h.svc {
			r = r.WithContext(h.identify(r))
		}
		next.ServeHTTP(w, r)
	})
}

// maxAuthorization bounds the header that holds an access token, in bytes.
const maxAuthorization = 8<<10 + len("Bearer ")

// identify returns the request's ctx with what its credentials open.
func (h *Handler) identify(r *http.Request) context.Context {
	ctx := &requestContext{Context: r.Context(), outcome: outcome{service: h.svc}}
	if raw := h.token(r); raw != "" {
		ctx.settle(h.finder.Lookup(ctx.Context, raw))
	} else if raw := bearerToken(r); raw != "" {
		ctx.settle(h.svc.lookupAccess(ctx.Context, h.finder, raw))
	}
	if h.rowSecurity && ctx.identity != nil {
		ctx.Context = rowscope.ForUser(ctx.Context, ctx.identity.Session.UserID)
	}
	return ctx
}

// bearerToken returns the access token of the request's one Authorization header
// (RFC 6750 §2.1), "" where there is none that can be one: an API key is a token
// of another kind, and a request with two credentials has none.
func bearerToken(r *http.Request) string {
	values := r.Header["Authorization"]
	if len(values) != 1 || len(values[0]) > maxAuthorization || len(r.Header["X-Api-Key"]) > 0 {
		return ""
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.HasPrefix(raw, token.Brand+"_") {
		return ""
	}
	return raw
}

// RequireUser lets requests of signed-in users through to next. Others get 401,
// or 503 where an outage keeps us from knowing. It needs [Handler.Middleware]
// around it.
func (h *Handler) RequireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := CheckUser(r); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
