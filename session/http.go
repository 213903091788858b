package session

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/route"
)

// cookieName is the cookie's name after the prefix of the cookie policy.
const cookieName = "session"

// HandlerConfig configures a [Handler]. Only BaseURL has no default.
type HandlerConfig struct {
	// BaseURL is the site's origin, such as https://example.com. It alone decides
	// the cookie (rule R27): __Host-tenon_session with https, tenon_dev_session
	// with http, which is for a loopback host only. Required.
	BaseURL string
	// TrustedOrigins may call the unsafe routes besides BaseURL's own (rule R16).
	// Defaults to none.
	TrustedOrigins []string
	// BearerOrigins are the origins, written as browsers send them, whose pages may
	// have the tokens of bearer sessions (rule R16). They have to be among
	// TrustedOrigins too, unless they are BaseURL's. Defaults to none: programs only.
	BearerOrigins []string
	// MultiSession lets one browser be signed in as several users at once, one of
	// them active, as the better-auth plugin multi-session does: signing in adds a
	// session instead of ending the one before. Defaults to false.
	MultiSession bool
	// MaxPerBrowser is how many sessions one browser has at most with MultiSession,
	// 2 to 20: one more sign-in ends its oldest. Defaults to 5.
	MaxPerBrowser int
	// Finder finds the sessions of requests, such as a sessioncache.Cache before
	// the service. Defaults to the service itself.
	Finder Finder
	// RowSecurity opens the rows of the user to the statements of a request, for
	// databases with row security (rule R29). Defaults to false.
	RowSecurity bool
	// Logger gets what went wrong. Defaults to slog.Default().
	Logger *slog.Logger
}

// Handler serves the session routes, relative to where it is mounted, and is the
// place that knows the session's cookie. It is safe for concurrent use.
type Handler struct {
	svc     *Service
	finder  Finder
	cookies cookie.Policy
	bearers bearer.Policy
	served  http.Handler
	// rowSecurity gives requests of users their scope.
	rowSecurity bool
	// maxBrowser is how many sessions one browser has, 0 without MultiSession.
	maxBrowser int
}

// NewHandler returns the Handler of svc, or says what is wrong with cfg.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("session: a service is required")
	}
	cookies, err := cookie.New(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("session: HandlerConfig.BaseURL: %w", err)
	}
	bearers, err := bearer.New(svc.Bearer(), cfg.BearerOrigins)
	if err != nil {
		return nil, fmt.Errorf("session: HandlerConfig.BearerOrigins: %w", err)
	}
	h := &Handler{svc: svc, finder: svc, cookies: cookies, bearers: bearers, rowSecurity: cfg.RowSecurity}
	if cfg.Finder != nil {
		h.finder = cfg.Finder
	}
	if h.maxBrowser, err = cfg.maxBrowser(); err != nil {
		return nil, err
	}
	table, err := h.Routes().Handler(route.Config{
		BaseURL:        cfg.BaseURL,
		TrustedOrigins: cfg.TrustedOrigins,
		Checks:         map[route.Access]func(*http.Request) error{route.User: CheckUser, route.Superuser: CheckSuperuser},
		CheckFresh:     CheckFresh,
		Logger:         cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("session: routes: %w", err)
	}
	h.served = h.Middleware(table)
	return h, nil
}

// ServeHTTP serves the routes of [Handler.Routes] behind [Handler.Middleware].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.served.ServeHTTP(w, r) }

// Routes lists the endpoints. A host that serves the table itself puts
// [Handler.Middleware] around it and checks route.User with [CheckUser].
func (h *Handler) Routes() route.Table {
	return slices.Concat(h.tokenRoutes(), h.multiRoutes(), h.superuserRoutes(), route.Table{
		{
			Method: http.MethodGet, Path: "/get-session", Access: route.Public, Enrolment: true,
			Summary: "Who is signed in: the session and its user, or null",
			Request: empty{}, Ignored: []string{"disableCookieCache", "disableRefresh"},
			Response: (*sessionAndUser)(nil), Handler: h.GetSession,
		}, {
			Method: http.MethodGet, Path: "/list-sessions", Access: route.User, Enrolment: true,
			Summary: "The caller's live sessions, the most recently used first",
			Request: empty{}, Response: []wireSession{}, Handler: h.ListSessions,
		}, {
			Method: http.MethodPost, Path: "/revoke-session", Access: route.User, Enrolment: true, InPerson: true,
			Summary: "End one of the caller's sessions",
			Request: revokeRequest{}, Response: status{}, Handler: h.RevokeSession,
		}, {
			Method: http.MethodPost, Path: "/revoke-sessions", Access: route.User, Enrolment: true, InPerson: true,
			Summary: "End all of the caller's sessions, this one included",
			Request: empty{}, Response: status{}, Handler: h.RevokeSessions,
		}, {
			Method: http.MethodPost, Path: "/revoke-other-sessions", Access: route.User, Enrolment: true, InPerson: true,
			Summary: "End all of the caller's sessions but this one",
			Request: empty{}, Response: status{}, Handler: h.RevokeOtherSessions,
		}, {
			Method: http.MethodPost, Path: "/sign-out", Access: route.Public, Enrolment: true,
			Summary: "End this session and forget its cookie",
			Request: empty{}, Ignored: []string{"callbackURL", "disableRedirect", "state"},
			Response: signedOut{}, Handler: h.SignOut,
		},
	})
}

// SetCookie hands the grant's token to the browser: of a session just started, or
// just elevated. Its Max-Age reaches to the
// absolute end of the session, so that the cookie never has to be renewed: the
// server alone judges when a session idled. A browser-only session's cookie has
// no Max-Age.
func (h *Handler) SetCookie(w http.ResponseWriter, g Grant) {
	if g.Token.IsZero() {
		return // a bearer session has no cookie
	}
	h.activate(w, g.Session, g.Token.Reveal())
	if h.maxBrowser > 0 && g.Session.ID != "" {
		h.cookies.Set(w, multiName+g.Session.ID, g.Token.Reveal(), h.cookieLife(g.Session))
	}
}

// activate makes the session the one that the browser's requests are made in.
func (h *Handler) activate(w http.ResponseWriter, s Session, raw string) {
	h.cookies.Set(w, cookieName, raw, h.cookieLife(s))
}

func (h *Handler) cookieLife(s Session) time.Duration {
	if s.BrowserOnly {
		return 0
	}
	return max(s.EndsAt.Sub(h.svc.now()), time.Second)
}

// ReplaceSession is SetCookie for a browser that signs in: it also ends the
// session that the browser had before, if it had one (ASVS 7.2.4), with
// HandlerConfig.MultiSession, too. That this fails must not undo the new one; it
// is logged.
func (h *Handler) ReplaceSession(w http.ResponseWriter, r *http.Request, g Grant) {
	if g.Token.IsZero() {
		return // a bearer session leaves the browser's alone (rule R16)
	}
	if old := h.token(r); old != "" {
		if err := h.svc.SignOut(r.Context(), old); err != nil {
			h.svc.cfg.Logger.WarnContext(r.Context(), "session: the browser's earlier session was not ended", "error", err)
		}
		h.forgetToken(w, r, old)
	}
	h.SetCookie(w, g)
}

// ClearCookie makes the browser forget the session's cookie. With
// HandlerConfig.MultiSession the cookies of its other sessions stay.
func (h *Handler) ClearCookie(w http.ResponseWriter) { h.cookies.Clear(w, cookieName) }

// token returns what the request's cookie holds, "" where cookies don't count.
func (h *Handler) token(r *http.Request) string {
	if !cookiesCount(r) {
		return ""
	}
	return h.cookies.Get(r, cookieName)
}

// cookiesCount reports whether the request names no other credentials (rule
// R16). A header that is there and empty is one, too.
func cookiesCount(r *http.Request) bool {
	return len(r.Header["Authorization"]) == 0 && len(r.Header["X-Api-Key"]) == 0
}
