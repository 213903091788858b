package tenon

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/openapi"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// routes is the table of all routes, relative to the mount.
func (a *App) routes() route.Table {
	return slices.Concat(a.authHTTP.Routes(), a.accountHTTP.Routes(), a.adminHTTP.Routes(),
		a.unlockHTTP.Routes(), a.twoFactorHTTP.Routes(), a.recoveryHTTP.Routes(), a.passwordlessHTTP.Routes(), a.sessionHTTP.Routes(), a.tenancyHTTP.Routes(), a.jwtHTTP.Routes(), a.features.routes(), route.Table{
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
	identified := client.Middleware(a.cfg.ProxyHops)(a.sessionHTTP.Middleware(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identified.ServeHTTP(w, r.WithContext(problem.NewLoggerContext(r.Context(), a.cfg.Logger)))
	})
}

// Middleware is for the host's own routes: it gives a request its id and puts
// the principal of a live session into the context; see principal.FromContext.
// Requests without one pass. A request that changes something is refused if a
// page of another site sent it.
func (a *App) Middleware(next http.Handler) http.Handler {
	return a.identify(a.origins.Handler(next))
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
