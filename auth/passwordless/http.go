package passwordless

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/token"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a callbackURL may lead to. Defaults to the own site.
	RedirectTargets []string
	// Auth answers sign-ins.
	Auth *auth.Handler
	// Owner returns the signed-in user who sent a request, in a session of their
	// own: nobody who impersonates them. Defaults to nil, which leaves out the codes
	// of signed-in users.
	Owner func(r *http.Request) (Owner, error)
	// MoveTo gives the account of the signed-in user who sent r another address, as
	// Service.ChangeEmail wants it. Defaults to nil, which leaves out the change of
	// the address by codes.
	MoveTo func(r *http.Request, to auth.Address, consume func(ctx context.Context) error) error
	// FreshFor is how old the last proof of a user may be who changes the address.
	// Defaults to 10 minutes.
	FreshFor time.Duration
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that
// route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc   *Service
	cfg   HandlerConfig
	auth  *auth.Handler
	site  link.Site
	links link.Parking
}

// Names of cookies: of the secret of a link while its page is open (rule R24), and
// of the flow that asked for links and codes (rule R10).
const (
	cookieLink = "magic"
	cookieFlow = "flow"
)

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Auth == nil {
		return nil, errors.New("passwordless: handler: Service and Auth are required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("passwordless: handler: %w", err)
	}
	cfg.FreshFor = cmp.Or(cfg.FreshFor, 10*time.Minute)
	return &Handler{svc: svc, cfg: cfg, auth: cfg.Auth, site: site, links: site.Parking(cookieLink)}, nil
}

// Routes is the table of the routes that the policy offers, relative to its mount.
func (h *Handler) Routes() route.Table {
	var table route.Table
	if !h.svc.cfg.Policy.NoLinks {
		table = append(table, h.linkRoutes()...)
	}
	if !h.svc.cfg.Policy.NoCodes {
		table = append(table, h.codeRoutes()...)
	}
	if !h.svc.cfg.Policy.NoCodes && h.cfg.Owner != nil && h.cfg.MoveTo != nil {
		table = append(table, h.emailRoutes()...)
	}
	if h.svc.cfg.Policy.ResetByCode {
		table = append(table, h.resetRoutes()...)
	}
	return table
}

func (h *Handler) linkRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/sign-in/magic-link", Access: route.Public, Limit: route.LimitMail,
			Summary: "Mail a link that signs in; the answer never says whether one was sent",
			Request: sendLinkRequest{}, Response: sendLinkResponse{}, Ignored: []string{"metadata"}, Handler: h.SendLink,
		},
		{
			Method: http.MethodGet, Path: "/magic-link/verify", Access: route.Public, Enrolment: true, // it names who is signed in
			Summary: "Show the page of a mailed link; it consumes nothing",
			Request: linkQuery{}, Handler: h.LinkPage,
		},
		{
			Method: http.MethodPost, Path: "/magic-link/verify", Access: route.Public, FirstFactor: true,
			Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Sign in with the secret of a mailed link",
			Request: useLinkRequest{}, Query: linkQuery{}, Response: auth.LinkResponse{}, Handler: h.UseLink,
		},
	}
}

func (h *Handler) codeRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/email-otp/send-verification-otp", Access: route.Public, Limit: route.LimitMail,
			Summary: "Mail a code of six digits; the answer never says whether one was sent",
			Request: sendCodeRequest{}, Response: sendCodeResponse{}, Handler: h.SendCode,
		},
		{
			Method: http.MethodPost, Path: "/email-otp/check-verification-otp", Access: route.Public, Limit: route.LimitCode,
			Summary: "Check a mailed code without using it up; it counts as a guess",
			Request: checkCodeRequest{}, Response: successResponse{}, Handler: h.CheckCode,
		},
		{
			Method: http.MethodPost, Path: "/email-otp/verify-email", Access: route.Public, Limit: route.LimitCode,
			Summary: "Prove an address with a mailed code",
			Request: codeRequest{}, Response: verifyResponse{}, Handler: h.VerifyEmail,
		},
		{
			Method: http.MethodPost, Path: "/sign-in/email-otp", Access: route.Public, FirstFactor: true, Limit: route.LimitCode,
			Summary: "Sign in with a mailed code",
			Request: signInRequest{}, Response: auth.SignInResponse{}, Handler: h.SignIn,
		},
	}
}

func (h *Handler) emailRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/email-otp/request-email-change", Access: route.User, Fresh: h.cfg.FreshFor, Limit: route.LimitAccount,
			Summary: "Mail a code to a new address, with the one that was mailed to the present address",
			Request: requestEmailRequest{}, Response: successResponse{}, Handler: h.RequestEmail,
		},
		{
			Method: http.MethodPost, Path: "/email-otp/change-email", Access: route.User, Fresh: h.cfg.FreshFor, Limit: route.LimitAccount,
			Summary: "Move to the new address with the code that was mailed there",
			Request: changeEmailRequest{}, Response: successResponse{}, Handler: h.ChangeEmail,
		},
	}
}

func (h *Handler) resetRoutes() route.Table {
	ask := route.Route{
		Method: http.MethodPost, Path: "/email-otp/request-password-reset", Access: route.Public, Limit: route.LimitMail,
		Summary: "Mail a code that sets a new password; the answer never says whether one was sent",
		Request: askResetRequest{}, Response: sendCodeResponse{}, Handler: h.AskReset,
	}
	older := ask
	older.Path, older.Summary = "/forget-password/email-otp", "The same as email-otp/request-password-reset, by its older name"
	return route.Table{ask, older, {
		Method: http.MethodPost, Path: "/email-otp/reset-password", Access: route.Public, Limit: route.LimitCode,
		Summary: "Set a new password with a mailed code; it signs nobody in",
		Request: resetRequest{}, Response: successResponse{}, Handler: h.ResetPassword,
	}}
}

// Flow returns the flow that an earlier request left in the browser, or "".
func (h *Handler) Flow(r *http.Request) string { return h.site.Cookies.Get(r, cookieFlow) }

// KeepFlow leaves the flow that SendLink or SendCode returned in the browser, for
// hosts that call them from pages of their own: codes work there only.
func (h *Handler) KeepFlow(w http.ResponseWriter, flow token.Secret) {
	h.site.Cookies.Set(w, cookieFlow, flow.Reveal(), flowLife)
}

// judge refuses targets that are not allowed.
func (h *Handler) judge(targets ...string) error {
	if !h.site.Allows(targets...) {
		return auth.ErrInvalidCallbackURL
	}
	return nil
}
