package route

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// The refusals that a request meets before its handler.
var (
	// ErrNoRoute means that nothing stands at the path.
	ErrNoRoute = problem.New(problem.NotFound, "NOT_FOUND", "There is nothing at this path.")
	// ErrMethod means that the path has other methods, which Allow names.
	ErrMethod = problem.New(problem.MethodNotAllowed, "METHOD_NOT_ALLOWED", "This path does not have that method; the Allow header lists those it has.")
	// ErrImpersonated means that a superuser who acts as a user asked for what only
	// the user may do (R22).
	ErrImpersonated = problem.New(problem.PermissionDenied, "IMPERSONATION_NOT_ALLOWED",
		"You are acting as another user. This is for the user alone.")
	// ErrInvalidOrigin means that a page of a site that is not trusted sent the
	// request (R16).
	ErrInvalidOrigin = problem.New(problem.PermissionDenied, "INVALID_ORIGIN", "Requests from this origin are not accepted.")
)

// Config says how a table is served.
type Config struct {
	// BaseURL is the public URL of the site: the origin our own pages post from.
	// It is never read from a request. Required where the table has forms.
	BaseURL string
	// TrustedOrigins are the other origins, "https://app.example.com", whose pages
	// may call with the user's cookies: they pass the cross-origin check and get
	// CORS headers (R16). http and https only. Defaults to none.
	TrustedOrigins []string
	// AllowedHeaders are request headers that trusted origins may send besides the
	// library's own.
	AllowedHeaders []string
	// Checks holds the checks of levels of access that other packages define. One
	// for a level of this package replaces it.
	Checks map[Access]func(*http.Request) error
	// CheckFresh judges whether the caller's last proof is fresh: that of package
	// session. Required where the table has routes with Fresh.
	CheckFresh func(r *http.Request, window time.Duration) error
	// Limits holds the limits by class: a function charges a request, writes the
	// header fields that say what is left, and returns why the request must wait. It
	// is asked before the route's access and guard. nil admits everything; a class
	// that routes name must be there. Defaults to no limits at all.
	Limits map[string]func(http.ResponseWriter, *http.Request) error
	// Nonce checks the page nonce of a parsed form. Required where the table has
	// forms.
	Nonce func(*http.Request) error
	// Wrap returns the handler of one route with middleware around it, outside the
	// route's access and guard. It is called once per route. Defaults to none.
	Wrap func(Route, http.Handler) http.Handler
	// Logger takes panics and the causes of failures. Defaults to slog.Default.
	Logger *slog.Logger
}

func (cfg Config) checkOf(a Access) (check func(*http.Request) error, ok bool) {
	if check, ok := cfg.Checks[a]; ok {
		return check, check != nil
	}
	switch a {
	case Public:
		return func(*http.Request) error { return nil }, true
	case User:
		return principalCheck(principal.RequireUser), true
	case Superuser:
		return principalCheck(principal.RequireSuperuser), true
	}
	return nil, false
}

// admission is the check of the route's access, and of freshness after it.
func (cfg Config) admission(r Route) func(*http.Request) error {
	check, _ := cfg.checkOf(r.Access)
	if r.Fresh == 0 && !r.InPerson {
		return check
	}
	return func(req *http.Request) error {
		if err := check(req); err != nil {
			return err
		}
		if p, ok := principal.FromContext(req.Context()); r.InPerson && ok && p.ImpersonatorID != "" {
			return ErrImpersonated
		}
		if r.Fresh == 0 {
			return nil
		}
		return cfg.CheckFresh(req, r.Fresh)
	}
}

func principalCheck(require func(context.Context) (*principal.Principal, error)) func(*http.Request) error {
	return func(r *http.Request) error {
		_, err := require(r.Context())
		return err
	}
}

// Handler returns the table as one handler, whose paths are relative to where it
// is mounted. All mistakes of the table and cfg are reported together.
func (t Table) Handler(cfg Config) (http.Handler, error) {
	origins, err := newOrigins(cfg)
	h := &handler{matcher: matcher{static: map[string]*resource{}}, origins: origins, logger: cfg.Logger}
	errs := []error{err}
	for _, r := range t {
		r.Guard = cmp.Or(r.Guard, JSON)
		if err := r.validate(cfg); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, h.matcher.add(newEndpoint(r, cfg, origins)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return h, nil
}

func newEndpoint(r Route, cfg Config, origins *origins) *endpoint {
	g := &guard{route: &r, limit: cfg.Limits[r.LimitClass()], check: cfg.admission(r), nonce: cfg.Nonce, origins: origins}
	var served http.Handler = g
	if cfg.Wrap != nil {
		served = cfg.Wrap(r, g)
	}
	return &endpoint{Route: r, handler: served}
}

type handler struct {
	matcher matcher
	origins *origins
	logger  *slog.Logger
}

// ServeHTTP answers a request whose path is relative to the mount.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if h.logger != nil {
		r = r.WithContext(problem.NewLoggerContext(r.Context(), h.logger))
	}
	w := &tracker{ResponseWriter: rw}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h.origins.expose(w.Header(), r)
	candidates := h.matcher.find(r.URL.EscapedPath())
	e, f, allow := pick(candidates, r.Method)
	switch {
	case len(candidates) == 0:
		problem.Write(w, r, ErrNoRoute)
	case e == nil && r.Method == http.MethodOptions:
		h.origins.preflight(w, r, allow)
	case e == nil:
		problem.Write(w, r, ErrMethod.WithAllow(allow...))
	default:
		h.serve(w, r, e, f)
	}
}

func (h *handler) serve(w *tracker, r *http.Request, e *endpoint, f found) {
	// The server's request may be shared with outer middleware: change a copy.
	r = r.WithContext(r.Context())
	r.Pattern = e.Pattern()
	f.bind(r)
	defer recovered(w, r)
	if e.unsafe() && !e.Guard.has(Provider) {
		if err := h.origins.check(r); err != nil {
			problem.Write(w, r, err)
			return
		}
	}
	e.handler.ServeHTTP(w, r)
}

// recovered turns a panic into a problem. It must be deferred itself.
func recovered(w *tracker, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares what it recovers, and so do we
		panic(v)
	}
	started := w.started
	problem.Write(w.ifUnstarted(), r, panicError{v})
	if started {
		// Half an answer must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
}

// joinMethods renders a list for Allow and its kin.
func joinMethods(methods []string) string { return strings.Join(methods, ", ") }
