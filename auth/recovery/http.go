package recovery

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a redirectTo may lead to. Defaults to the own site.
	RedirectTargets []string
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that
// route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc   *Service
	site  link.Site
	links link.Parking
}

// cookieLink is the name of the cookie that holds the secret of a link while its
// page is open (rule R24).
const cookieLink = "reset"

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("recovery: handler: Service is required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("recovery: handler: %w", err)
	}
	return &Handler{svc: svc, site: site, links: site.Parking(cookieLink)}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/request-password-reset", Access: route.Public, Limit: route.LimitMail,
			Summary: "Mail a link that sets a new password; the answer never says whether one was sent",
			Request: requestRequest{}, Response: requestResponse{}, Handler: h.Request,
		},
		{
			Method: http.MethodGet, Path: "/reset-password/{token}", Access: route.Public,
			Summary: "Lead from a mailed link to the page for the new password; it consumes nothing",
			Request: linkQuery{}, Status: http.StatusSeeOther, Handler: h.Follow,
		},
		{
			Method: http.MethodGet, Path: "/reset-password", Access: route.Public,
			Summary: "Show the page for the new password; it consumes nothing",
			Request: pageQuery{}, Handler: h.Page,
		},
		{
			Method: http.MethodPost, Path: "/reset-password", Access: route.Public, Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Set a new password with the secret of a mailed link; it signs nobody in",
			Request: resetRequest{}, Query: resetQuery{}, Response: resetResponse{}, Handler: h.Reset,
		},
	}
}

type requestRequest struct {
	Email      string `json:"email" required:"true" maxLength:"254" description:"The address of the account"`
	RedirectTo string `json:"redirectTo" maxLength:"2048" description:"The page for the new password; the link leads there with token, or with error, in the query. Defaults to a built-in page."`
}

type requestResponse struct {
	Status  bool   `json:"status"`
	Message string `json:"message"`
}

// Request answers POST /request-password-reset: always alike.
func (h *Handler) Request(w http.ResponseWriter, r *http.Request) {
	var body requestRequest
	err := route.Decode(r, &body)
	if err == nil {
		err = h.judge(body.RedirectTo)
	}
	if err == nil {
		err = h.svc.Request(r.Context(), RequestParams{Email: body.Email, CallbackURL: body.RedirectTo, Client: auth.ClientOf(r)})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, requestResponse{
		Status: true, Message: "If this email exists in our system, check your email for the reset link",
	})
}

// judge refuses targets that are not allowed.
func (h *Handler) judge(target string) error {
	if !h.site.Allows(target) {
		return auth.ErrInvalidCallbackURL
	}
	return nil
}

type resetQuery struct {
	Token string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
}

type resetRequest struct {
	NewPassword string `json:"newPassword" required:"true" maxLength:"1024" description:"The new password"`
	Token       string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
	User        string `json:"user" maxLength:"64" description:"The id of the user whom a page showed"`
}

type resetResponse struct {
	Status bool `json:"status"`
}

// Reset answers POST /reset-password: it consumes the secret of a mailed link.
// Programs get JSON, our own page gets redirects and pages.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) {
	var query resetQuery
	var body resetRequest
	err := route.DecodeQuery(r, &query)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.svc.Reset(r.Context(), ResetParams{
			Token: h.links.Presented(r, body.Token, query.Token), NewPassword: body.NewPassword, UserID: body.User, Client: auth.ClientOf(r),
		})
	}
	switch {
	case link.IsForm(r):
		h.finish(w, r, err)
	case err != nil:
		problem.Write(w, r, err)
	default:
		route.WriteJSON(w, r, http.StatusOK, resetResponse{Status: true})
	}
}
