package tenon

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/openapi"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/session"
)

// routes is the table of all routes, relative to the mount.
func (a *App) routes() route.Table {
	return slices.Concat(a.authHTTP.Routes(), a.accountHTTP.Routes(), a.adminHTTP.Routes(),
		a.unlockHTTP.Routes(), a.twoFactorHTTP.Routes(), a.recoveryHTTP.Routes(), a.passwordlessHTTP.Routes(), a.sessionHTTP.Routes(), a.tenancyHTTP.Routes(), a.invitationHTTP.Routes(), a.teamHTTP.Routes(), a.notifyHTTP.Routes(), a.auditRoutes(), a.jwtHTTP.Routes(), a.features.routes(), route.Table{
			{
				Method: http.MethodGet, Path: "/ok", Access: route.Public,
				Summary: "Whether the process answers", Response: okResponse{}, Handler: a.ok,
			},
			{
				Method: http.MethodGet, Path: "/error", Access: route.Public,
				Summary: "The page for errors of links and redirects", Request: errorQuery{}, Handler: a.errorPage,
			},
			{
				Method: http.MethodGet, Path: "/openapi.json", Access: route.Public,
				Summary: "This description", Handler: func(w http.ResponseWriter, r *http.Request) { a.openAPI(w, r) },
			},
		})
}

func (a *App) wireHandler() error {
	cookies, err := cookie.New(a.cfg.BaseURL)
	if err != nil {
		return err
	}
	a.wireOpenAPI(cookies)
	if a.pages, err = page.New(page.Config{ProductName: a.cfg.ProductName}); err != nil {
		return err
	}
	served, err := a.routes().Handler(route.Config{
		BaseURL:        a.cfg.BaseURL,
		TrustedOrigins: a.cfg.TrustedOrigins,
		Checks: map[route.Access]func(*http.Request) error{
			route.User:      session.CheckUser,
			route.Superuser: session.CheckSuperuser,
		},
		CheckFresh: session.CheckFresh,
		Limits:     a.limits,
		Wrap:       a.auditRefusals,
		Nonce:      page.NewNonces(cookies).Check,
		Logger:     a.cfg.Logger,
	})
	if err != nil {
		return err
	}
	a.handler = a.identify(http.StripPrefix(a.cfg.MountPath, served))
	return a.protect()
}

// wireOpenAPI describes the routes once, for all requests, when somebody first
// asks: it takes as long as everything else that New does together.
func (a *App) wireOpenAPI(cookies cookie.Policy) {
	describe := sync.OnceValues(func() (http.HandlerFunc, error) {
		document, err := openapi.Document([]route.Table{a.routes()}, openapi.Info{
			Title: a.cfg.ProductName, Version: Version,
			ServerURL: a.cfg.BaseURL + a.cfg.MountPath, SessionCookie: cookies.Name("session"),
		})
		if err != nil {
			return nil, fmt.Errorf("tenon: openapi: %w", err)
		}
		return openapi.Handler(document), nil
	})
	a.openAPI = func(w http.ResponseWriter, r *http.Request) {
		serve, err := describe()
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		serve(w, r)
	}
}

// protect makes the check of where requests come from, for the host's routes.
func (a *App) protect() error {
	a.origins = http.NewCrossOriginProtection()
	for _, origin := range append([]string{a.cfg.BaseURL}, a.cfg.TrustedOrigins...) {
		if err := a.origins.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("trusted origin %q: %w", origin, err)
		}
	}
	a.origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, route.ErrInvalidOrigin)
	}))
	return nil
}

// Handler serves Tenon's routes. Mount it under Config.MountPath with the path
// kept: mux.Handle("/api/auth/", app.Handler()).
func (a *App) Handler() http.Handler { return a.handler }

// identify gives a request its id, finds the client's address, and looks up the
// session of its cookie.
func (a *App) identify(next http.Handler) http.Handler {
	identified := client.Middleware(a.cfg.ProxyHops)(a.sessionHTTP.Middleware(a.tenancyHTTP.Middleware(next)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identified.ServeHTTP(w, r.WithContext(problem.NewLoggerContext(r.Context(), a.cfg.Logger)))
	})
}

// Middleware is for the host's own routes: it gives a request its id and puts
// the principal of a live session into the context; see principal.FromContext.
// Requests without one pass. A request that changes something is refused if a
// page of another site sent it.
func (a *App) Middleware(next http.Handler) http.Handler {
	return a.identify(a.origins.Handler(a.scoped(next)))
}

// scoped opens the rows of the organization that a request of the host is about to its
// statements.
func (a *App) scoped(next http.Handler) http.Handler {
	if !a.DB.RowSecurity() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := principal.FromContext(r.Context()); ok {
			r = r.WithContext(bundb.ForOrganization(r.Context(), caller.OrganizationID))
		}
		next.ServeHTTP(w, r)
	})
}

// RequireUser is Middleware that lets signed-in users through and answers
// everybody else with 401, or with 503 while the database can't tell.
func (a *App) RequireUser(next http.Handler) http.Handler {
	return a.Middleware(a.sessionHTTP.RequireUser(next))
}

// Client describes who sent r, for calls of App.Auth from the host's own pages.
// r must have passed Middleware.
func (a *App) Client(r *http.Request) auth.Client {
	info, _ := client.FromContext(r.Context())
	return auth.Client{IP: info.IP, UserAgent: info.UserAgent}
}

type okResponse struct {
	OK bool `json:"ok"`
}

func (a *App) ok(w http.ResponseWriter, r *http.Request) {
	route.WriteJSON(w, r, http.StatusOK, okResponse{OK: true})
}

type errorQuery struct {
	Error string `json:"error" maxLength:"64" description:"The code of the error"`
}

// errorPage says that something did not work. The code came with the request, so
// it is not shown: it could be a stranger's text.
func (a *App) errorPage(w http.ResponseWriter, r *http.Request) {
	a.pages.Write(w, r, http.StatusOK, page.Card{
		Title: "That did not work", Tone: page.Failure,
		Notice: "The link or the request is not valid any more. Go back and try again.",
		Links:  []page.Link{{Href: "/", Text: "Go on"}},
	})
}

// The classes of routes that Config.RateLimits names.
const (
	RateLimitSignIn  = route.LimitSignIn  // guesses at passwords and the like
	RateLimitSignUp  = route.LimitSignUp  // sign-ups
	RateLimitMail    = route.LimitMail    // asks for a mail: reset, magic link, code, another link
	RateLimitVerify  = route.LimitVerify  // secrets of mailed links
	RateLimitCode    = route.LimitCode    // guesses at short codes
	RateLimitRefresh = route.LimitRefresh // renewals of sessions
	RateLimitAccount = route.LimitAccount // proofs and changes of what protects the own account
	RateLimitPublic  = route.LimitPublic  // whatever else strangers may send
)

// DefaultRateLimits returns what one client may ask of each class. They are far
// above what people behind one address do, a company's or a school's, and far below
// what it takes to try one password on many accounts; what protects a single
// account are the counters of package auth.
func DefaultRateLimits() map[string]ratelimit.Rule {
	perMinuteAndHour := func(minute, hour int) ratelimit.Rule {
		return ratelimit.Rule{{Quota: minute, Window: time.Minute}, {Quota: hour, Window: time.Hour}}
	}
	return map[string]ratelimit.Rule{
		RateLimitSignIn:  perMinuteAndHour(100, 1000),
		RateLimitSignUp:  perMinuteAndHour(60, 300),
		RateLimitMail:    perMinuteAndHour(60, 300),
		RateLimitVerify:  perMinuteAndHour(120, 1200),
		RateLimitCode:    perMinuteAndHour(60, 300),
		RateLimitRefresh: perMinuteAndHour(600, 12000),
		RateLimitAccount: perMinuteAndHour(100, 1000),
		RateLimitPublic:  perMinuteAndHour(600, 12000),
	}
}

// ErrTooManyRequests means that a client, or its network, asked too often. It says
// when the next request is welcome.
var ErrTooManyRequests = problem.New(problem.RateLimited, "TOO_MANY_REQUESTS",
	"There were too many requests from your network. Wait a moment and try again.")

// errNoRateLimit means that a host named a class that does not exist.
var errNoRateLimit = problem.New(problem.Internal, "NO_SUCH_RATE_LIMIT", "The server is not set up correctly.")

// network is what is limited: the zero value stands for all clients whose address
// is not known.
type network struct {
	address [16]byte
	bits    uint8
}

// tier is a size of networks. One customer of a provider holds a /64 whole, often
// a /56, and a site a /48: the wider, the more clients may be in it, and the more
// of the narrower ones one attacker can have.
type tier struct {
	prefix func(client.Info) netip.Prefix
	factor int
}

func tiers() []tier {
	return []tier{{client.Info.Prefix64, 1}, {client.Info.Prefix56, 4}, {client.Info.Prefix48, 16}}
}

// deviceRule is what a known device may ask of a class that its network has used
// up: whoever shares an address with an attacker is not locked out (rule R9).
func deviceRule() ratelimit.Rule {
	return ratelimit.Rule{{Quota: 10, Window: time.Minute}, {Quota: 60, Window: time.Hour}}
}

// rateLimits limits the requests of all classes in one table of clients.
type rateLimits struct {
	limiter *ratelimit.Limiter[network]
	tiers   []tier
	// device names the known device that sent a request.
	device func(r *http.Request) (id string, ok bool)
}

// wireRateLimits makes the limits that the routes name.
func (a *App) wireRateLimits() error {
	classes := DefaultRateLimits()
	for class, rule := range a.cfg.RateLimits {
		if _, ok := classes[class]; !ok {
			return fmt.Errorf("config: RateLimits: there is no class %q", class)
		}
		classes[class] = rule
	}
	limits := &rateLimits{tiers: tiers(), device: a.authHTTP.KnowsDevice}
	a.limits = map[string]func(http.ResponseWriter, *http.Request) error{}
	rules := []ratelimit.Rule{deviceRule()}
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		rule := classes[class]
		if len(rule) == 0 {
			a.limits[class] = nil
			continue
		}
		a.limits[class] = limits.guard(class, rule, len(rules))
		for _, t := range limits.tiers {
			rules = append(rules, scale(rule, t.factor))
		}
	}
	var err error
	if limits.limiter, err = ratelimit.New[network](ratelimit.Config{Rules: rules, Now: a.DB.Now}); err != nil {
		return fmt.Errorf("config: RateLimits: %w", err)
	}
	return nil
}

// RateLimit limits a host's own route as one of a class of Tenon's, with which it
// shares what a client may ask: a page of the host's that signs people in belongs to
// RateLimitSignIn. It answers 429 otherwise, and admits nothing for a class that does
// not exist. The request must have passed Middleware.
func (a *App) RateLimit(class string, next http.Handler) http.Handler {
	limit, ok := a.limits[class]
	if !ok {
		limit = func(http.ResponseWriter, *http.Request) error { return errNoRateLimit }
	}
	if limit == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := limit(w, r); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func scale(rule ratelimit.Rule, factor int) ratelimit.Rule {
	scaled := slices.Clone(rule)
	for i := range scaled {
		// A quota that overflows becomes negative or zero, which New refuses.
		scaled[i].Quota *= factor
	}
	return scaled
}

// guard returns what charges a request of a class, whose rules for each tier begin
// at first.
func (l *rateLimits) guard(class string, rule ratelimit.Rule, first int) func(http.ResponseWriter, *http.Request) error {
	policy := rule.Policy(class)
	return func(w http.ResponseWriter, r *http.Request) error {
		// Outside the middleware nobody is known: they share the zero network.
		info, _ := client.FromContext(r.Context())
		result := l.limiter.AllowAll(l.charges(info, first)...)
		w.Header().Set(ratelimit.HeaderPolicy, policy)
		w.Header().Set(ratelimit.HeaderLimit, rule.State(class, result))
		if !result.Allowed && (class != RateLimitSignIn || !l.allowDevice(r)) {
			return ErrTooManyRequests.WithRetryAfter(result.RetryAfter)
		}
		return nil
	}
}

// allowDevice charges a known device for a request that its network may not make.
// Finding out takes a statement, as it does for the cookie of a session.
func (l *rateLimits) allowDevice(r *http.Request) bool {
	id, ok := l.device(r)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(id))
	return l.limiter.Allow(0, network{address: [16]byte(sum[:16])}).Allowed
}

// charges lists the networks that a client is in. An IPv4 address is its own, at
// every size.
func (l *rateLimits) charges(info client.Info, first int) []ratelimit.Charge[network] {
	charges := make([]ratelimit.Charge[network], 0, 3)
	for i, t := range l.tiers {
		if i > 0 && !info.IP.Is6() {
			break
		}
		prefix := t.prefix(info)
		n := network{bits: uint8(max(0, prefix.Bits()))}
		if prefix.IsValid() {
			n.address = prefix.Addr().As16()
		}
		charges = append(charges, ratelimit.Charge[network]{Rule: first + i, Key: n})
	}
	return charges
}
