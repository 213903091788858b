package twofactor

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
)

// PathChallenge is where the built-in page of the second step is, relative to the
// mount (rule R25).
const PathChallenge = "/two-factor/challenge"

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the page. Defaults to nothing.
	ProductName string
	// Auth knows the challenge of a request, and answers a sign-in.
	Auth *auth.Handler
	// Caller returns who sent a request. It returns problem.ErrUnauthenticated for
	// nobody, and an error of its own during an outage.
	Caller func(r *http.Request) (account.Caller, error)
	// SetSession makes the browser keep the new token of the session that it has, and
	// stay a known device of the user.
	SetSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
	// PasskeyScript returns the absolute URL of the script by which the page asks for a
	// passkey. Defaults to nil, as does an empty URL: the page offers none.
	PasskeyScript func() string
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that
// route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc  *Service
	cfg  HandlerConfig
	site link.Site
	qrs  pictures
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Auth == nil || cfg.Caller == nil || cfg.SetSession == nil {
		return nil, errors.New("twofactor: handler: Service, Auth, Caller and SetSession are required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName})
	if err != nil {
		return nil, fmt.Errorf("twofactor: handler: %w", err)
	}
	return &Handler{svc: svc, cfg: cfg, site: site}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	table := slices.Concat(h.ownRoutes(), h.stepRoutes(), h.trustRoutes())
	return append(table, route.Table{
		{
			Method: http.MethodGet, Path: PathChallenge, Access: route.Public,
			Summary: "The page on which a browser proves its second factor", Request: pageQuery{}, Handler: h.ChallengePage,
		},
		{
			Method: http.MethodPost, Path: PathChallenge, Access: route.Public, Guard: route.Form, SecondFactor: true, Limit: route.LimitCode,
			Summary: "What the page's form does", Request: pageRequest{}, Handler: h.MeetByPage,
		},
	}...)
}

// ownRoutes are for signed-in users.
func (h *Handler) ownRoutes() route.Table {
	own := func(method, path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: method, Path: "/two-factor/" + path, Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	enrol := func(method, path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		r := own(method, path, summary, request, response, handler)
		r.Enrolment = true
		return r
	}
	return route.Table{
		enrol(http.MethodPost, "enable", "Show the secret for an authenticator app, or turn another second factor on",
			enableRequest{}, enableResponse{}, h.Enable),
		own(http.MethodPost, "disable", "Turn the second factor off", passwordRequest{}, statusResponse{}, h.Disable),
		enrol(http.MethodPost, "get-totp-uri", "The secret once more, until its first code was verified",
			passwordRequest{}, uriResponse{}, h.GetTOTPURI),
		enrol(http.MethodGet, "qr", "The secret as a QR code, a PNG, until its first code was verified", empty{}, nil, h.QR),
		own(http.MethodPost, "generate-backup-codes", "Replace all recovery codes", passwordRequest{}, codesResponse{}, h.GenerateBackupCodes),
	}
}

// stepRoutes are the second step of a sign-in, or a step-up of who is signed in.
func (h *Handler) stepRoutes() route.Table {
	step := func(path, summary string, request, response any, handler http.HandlerFunc, ignored ...string) route.Route {
		return route.Route{
			Method: http.MethodPost, Path: "/two-factor/" + path, Access: route.Public, SecondFactor: true, Enrolment: true, Limit: route.LimitCode,
			Summary: summary, Request: request, Response: response, Handler: handler, Ignored: ignored,
		}
	}
	return route.Table{
		step("verify-totp", "Prove a code of the authenticator app: to sign in, to turn it on, or once more",
			verifyRequest{}, auth.SignInResponse{}, h.VerifyTOTP),
		step("verify-backup-code", "Prove a recovery code: to sign in, or once more",
			verifyRequest{}, auth.SignInResponse{}, h.VerifyBackupCode, "disableSession"),
		step("verify-otp", "Prove a mailed code, to sign in", verifyRequest{}, auth.SignInResponse{}, h.VerifyOTP),
		step("send-otp", "Mail a code that continues the sign-in", sendRequest{}, statusResponse{}, h.SendOTP, "trustDevice"),
	}
}

type empty struct{}

type statusResponse struct {
	Status bool `json:"status"`
}

// read decodes the body and finds the caller.
func (h *Handler) read(r *http.Request, body any) (account.Caller, error) {
	caller, err := h.cfg.Caller(r)
	if err != nil {
		return account.Caller{}, err
	}
	return caller, route.Decode(r, body)
}

// renew hands the caller's session its new token: in the cookie, or, for a bearer's,
// as the pair that is returned for the body (rule R16).
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, g auth.Grant) *bearer.Tokens {
	if g.Bearer() {
		tokens := bearer.NewTokens(g.Access, g.AccessEndsAt, g.Refresh, g.RefreshEndsAt)
		return &tokens
	}
	h.cfg.SetSession(w, r, g)
	return nil
}
