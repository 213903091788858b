package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like myapp://, that
	// browsers may be sent to. Defaults to the own site.
	RedirectTargets []string
	// Auth answers sign-ins.
	Auth *auth.Handler
	// Caller returns who sent a request. It returns problem.ErrUnauthenticated for
	// nobody, and an error of its own during an outage.
	Caller func(r *http.Request) (account.Caller, error)
	// SetSession makes the browser keep the new token of the session that it has.
	SetSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that route by
// themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc  *Service
	cfg  HandlerConfig
	site link.Site
}

// cookieBrowser is the name of the cookie that ties flows to the browser that began them.
const cookieBrowser = "oauth"

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Auth == nil || cfg.Caller == nil || cfg.SetSession == nil {
		return nil, errors.New("oauth: handler: Service, Auth, Caller and SetSession are required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("oauth: handler: %w", err)
	}
	return &Handler{svc: svc, cfg: cfg, site: site}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return slices.Concat(h.signInRoutes(), h.callbackRoutes(), h.ownRoutes(), h.accessRoutes())
}

// Browser returns the token that an earlier flow left in the browser, for BeginParams; it is
// empty where there is none, and where other credentials make cookies count for nothing
// (rule R16).
func (h *Handler) Browser(r *http.Request) string {
	if len(r.Header.Values("Authorization")) > 0 || len(r.Header.Values("X-Api-Key")) > 0 {
		return ""
	}
	return h.site.Cookies.Get(r, cookieBrowser)
}

// KeepBrowser leaves in the browser what ties it to the flow that it began; a bearer client
// has nothing to keep. Hosts that call [Service.Begin] from pages of their own send the
// browser to b.URL then. A form should not redirect there: Chromium holds what follows a
// form to the form-action of the page that the form was on, so that a page in between is
// better.
func (h *Handler) KeepBrowser(w http.ResponseWriter, b Begun) {
	if !b.Browser.IsZero() {
		h.site.Cookies.Set(w, cookieBrowser, b.Browser.Reveal(), flowLife)
	}
}

// judge refuses targets that a browser may not be sent to.
func (h *Handler) judge(targets ...string) error {
	if !h.site.Allows(targets...) {
		return auth.ErrInvalidCallbackURL
	}
	return nil
}
