package route

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// DefaultMaxBody bounds the body of a request whose route names no MaxBody, in
// bytes.
const DefaultMaxBody = 64 << 10

// Guard says in which form a route takes its input, and so which requests can
// reach it at all (R23). The zero value means JSON.
type Guard uint8

// The guards. JSON|Form serves API clients and our own pages on one path; no
// other two go together.
const (
	// JSON takes application/json, or no body. Other content types are a 415.
	JSON Guard = 1 << iota
	// Form takes application/x-www-form-urlencoded from our own pages: with
	// Sec-Fetch-Site: same-origin or our exact Origin, and the page's nonce.
	Form
	// Provider takes what an identity provider sends back. The handler's state row
	// and flow cookie are the guard; the cross-origin check does not apply, because
	// a provider's form post is cross-origin by nature. HEAD is not served.
	Provider
	// Signed takes a raw body whose signature the handler verifies.
	Signed
	// Upload takes a raw body that the handler streams; it has no bound but MaxBody.
	Upload
)

// has reports whether all of part is in g.
func (g Guard) has(part Guard) bool { return g&part == part }

func (g Guard) valid() bool {
	switch g {
	case JSON, Form, JSON | Form, Provider, Signed, Upload:
		return true
	}
	return false
}

// Access says who may call a route. The zero value is nobody's: a table with a
// route that forgot its access is refused.
type Access int

// The levels of access that need nothing but the principal. Packages may define
// more, from FirstCustom on, with a check in [Config.Checks].
const (
	// Public lets everybody in.
	Public Access = iota + 1
	// User wants a principal with a user: 401 without one.
	User
	// Superuser wants a superuser in person: no API key, no impersonation (R22).
	Superuser
	// FirstCustom is the first value for levels of other packages.
	FirstCustom Access = 100
)

// The classes of limits. [Config.Limits] says what they mean.
const (
	LimitSignIn  = "sign-in" // guesses at passwords and the like
	LimitSignUp  = "sign-up" // hashes and mails for whoever comes
	LimitMail    = "mail"    // asks for a mail: reset, magic link, code, another link
	LimitVerify  = "verify"  // consumes the secret of a mailed link
	LimitCode    = "code"    // guesses at short codes
	LimitRefresh = "refresh" // renews a session
	LimitAccount = "account" // proves or changes what protects the own account
	LimitPublic  = "public"  // whatever else strangers may send
)

// Route is one method on one path.
type Route struct {
	// Method is GET, POST, PUT, PATCH or DELETE, or HEAD where it differs from GET.
	Method string
	// Path is relative to the mount: literal segments, {name} for one segment,
	// {name...} as the last for the rest.
	Path string
	// Guard says in which form the input comes. Defaults to JSON.
	Guard Guard
	// Access says who may call. Required.
	Access Access
	// Fresh is how old the caller's last proof may be at most, one of the second
	// factor where one is enrolled (R12). 403 SESSION_NOT_FRESH without it. Defaults
	// to no such demand.
	Fresh time.Duration
	// InPerson refuses a superuser who acts as the user with 403
	// IMPERSONATION_NOT_ALLOWED: what touches credentials, sessions, keys, ownership
	// or the account itself is for its owner (R22). What asks for a fresh proof
	// refuses them anyway. Defaults to false.
	InPerson bool
	// Enrolment opens the route to callers whom a policy restricts until they have
	// proven a second factor (R13): what leads them out of it, and the end of their
	// sessions. Defaults to false: 403 SECOND_FACTOR_REQUIRED.
	Enrolment bool
	// Limit is the class of limits that protects the route. It hangs on the route
	// that was matched, so no spelling of the path escapes it. Defaults to none, and
	// to LimitPublic for a public route that may change something.
	Limit string
	// FirstFactor marks a route that can obtain a session's pass (R2).
	FirstFactor bool
	// SecondFactor marks a route that obtains a pass too, but only for a sign-in that
	// a first factor began (R2).
	SecondFactor bool
	// Summary is one line for the OpenAPI document. Required.
	Summary string
	// Request is a sample of what the route decodes: of the query for GET and
	// DELETE, of the body otherwise. nil where there is nothing.
	Request any
	// Query is a sample of the query of a route that also has a body.
	Query any
	// Response is a sample of the answer's body. nil where there is none.
	Response any
	// Status is that of success, for the OpenAPI document. Defaults to 200.
	Status int
	// Ignored lists names at the top level that are accepted and do nothing (R26).
	Ignored []string
	// MaxBody bounds the body in bytes. Defaults to DefaultMaxBody, and to no bound
	// for Upload.
	MaxBody int64
	// Handler answers requests that passed the guard.
	Handler http.HandlerFunc
}

// Pattern returns "METHOD /path".
func (r Route) Pattern() string { return r.Method + " " + r.Path }

// HasBody reports whether Request describes the body rather than the query.
func (r Route) HasBody() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete
}

// Wildcards returns the names of the path's wildcards, in order.
func (r Route) Wildcards() []string {
	segments, _ := parsePath(r.Path)
	var names []string
	for _, s := range segments {
		if s.literal == "" {
			names = append(names, s.name)
		}
	}
	return names
}

// unsafe reports whether requests of the route may change something by their
// method.
func (r Route) unsafe() bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// LimitClass returns Limit or its default.
func (r Route) LimitClass() string {
	if r.Limit == "" && r.Access == Public && r.unsafe() && !r.Guard.has(Signed) {
		return LimitPublic
	}
	return r.Limit
}

func (r Route) maxBody() int64 {
	if r.MaxBody == 0 && r.Guard != Upload {
		return DefaultMaxBody
	}
	return r.MaxBody
}

// Table lists routes. Their order means nothing.
type Table []Route

// validate returns every mistake in r at once.
func (r Route) validate(cfg Config) error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("route: %s: %w", r.Pattern(), fmt.Errorf(format, args...)))
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		fail("method %q is not supported", r.Method)
	}
	if r.Handler == nil {
		fail("the handler is missing")
	}
	if strings.TrimSpace(r.Summary) == "" {
		fail("the summary is missing")
	}
	if !r.Guard.valid() {
		fail("guard %b does not exist", r.Guard)
	}
	if r.MaxBody < 0 {
		fail("MaxBody is negative")
	}
	if _, ok := cfg.checkOf(r.Access); !ok {
		fail("access %d has no check", r.Access)
	}
	if r.Enrolment && r.Access == Superuser {
		fail("who is restricted has no superuser powers")
	}
	switch {
	case r.Fresh < 0:
		fail("Fresh is negative")
	case r.Fresh > 0 && r.Access == Public:
		fail("a public route has no caller whose proof is fresh")
	case r.Fresh > 0 && cfg.CheckFresh == nil:
		fail("Fresh needs Config.CheckFresh")
	}
	if class := r.LimitClass(); class != "" && cfg.Limits != nil {
		if _, ok := cfg.Limits[class]; !ok {
			fail("the limits %q do not exist", class)
		}
	}
	if r.Guard.has(Form) && (cfg.BaseURL == "" || cfg.Nonce == nil) {
		fail("a form needs Config.BaseURL and Config.Nonce")
	}
	for _, sample := range []any{r.Request, r.Query} {
		if err := checkSample(sample); err != nil {
			fail("%w", err)
		}
	}
	return errors.Join(errs...)
}
