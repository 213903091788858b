package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// ErrInvalidCallbackURL means that a target is not on the list of redirect targets.
var ErrInvalidCallbackURL = problem.New(problem.PermissionDenied, "INVALID_CALLBACK_URL",
	"The callbackURL is not allowed. Use a path of this site, or add the place to the redirect targets.")

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a callbackURL may lead to. Defaults to the own site.
	RedirectTargets []string
	// BearerMode offers sign-ins that end in a pair of tokens instead of a cookie.
	// Sessions must be able to start such sessions.
	BearerMode bool
	// BearerOrigins are the origins, written as browsers send them, whose pages may
	// have tokens (rule R16). Defaults to none: programs only.
	BearerOrigins []string
	// SecondFactorPage is where a browser goes that met a second factor by a link or
	// a form (rule R25): a path, or a redirect target. Defaults to "/".
	SecondFactorPage string
	// SetSession makes the browser keep a session just started.
	SetSession func(w http.ResponseWriter, r *http.Request, grant Grant)
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts
// that route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc        *Service
	site       link.Site
	bearers    bearer.Policy
	links      link.Parking
	setSession func(w http.ResponseWriter, r *http.Request, grant Grant)

	secondFactor string // the page
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.SetSession == nil {
		return nil, errors.New("auth: handler: Service and SetSession are required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("auth: handler: %w", err)
	}
	bearers, err := bearer.New(cfg.BearerMode, cfg.BearerOrigins)
	if err != nil {
		return nil, fmt.Errorf("auth: handler: %w", err)
	}
	return &Handler{
		svc: svc, site: site, bearers: bearers, links: site.Parking(cookieLink), setSession: cfg.SetSession,
		secondFactor: cmp.Or(cfg.SecondFactorPage, "/"),
	}, nil
}

// maxSignUpBody leaves room for a picture in a data URL.
const maxSignUpBody = 256 << 10

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/sign-up/email", Access: route.Public, MaxBody: maxSignUpBody, Limit: route.LimitSignUp,
			Summary: "Sign up with an address and a password; a mailed link proves the address",
			Request: signUpRequest{}, Response: signUpResponse{}, Handler: h.SignUp,
		},
		{
			Method: http.MethodPost, Path: "/sign-in/email", Access: route.Public, FirstFactor: true, Limit: route.LimitSignIn,
			Summary: "Sign in with an address and a password",
			Request: signInRequest{}, Response: SignInResponse{}, Handler: h.SignIn,
		},
		{
			Method: http.MethodPost, Path: "/send-verification-email", Access: route.Public, Limit: route.LimitMail,
			Summary: "Mail the link that proves an address again",
			Request: resendRequest{}, Response: statusResponse{}, Handler: h.ResendVerification,
		},
		{
			Method: http.MethodGet, Path: "/verify-email", Access: route.Public,
			Summary: "Show the page of a mailed link; it consumes nothing",
			Request: verifyQuery{}, Handler: h.VerifyEmailPage,
		},
		{
			Method: http.MethodPost, Path: "/verify-email", Access: route.Public, Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Prove an address with the secret of a mailed link",
			Request: verifyRequest{}, Query: verifyQuery{}, Response: verifyResponse{}, Handler: h.VerifyEmail,
		},
	}
}

// UserResponse is a user on the wire, as the official client reads it.
type UserResponse struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	Name          string     `json:"name"`
	Image         *string    `json:"image"`
	EmailVerified bool       `json:"emailVerified"`
	CreatedAt     route.Time `json:"createdAt"`
	UpdatedAt     route.Time `json:"updatedAt"`
	// TwoFactorEnabled says that signing in takes a second factor.
	TwoFactorEnabled bool `json:"twoFactorEnabled"`
}

// NewUserResponse returns u as it goes over the wire.
func NewUserResponse(u User) UserResponse {
	r := UserResponse{
		ID: u.ID, Email: u.Display, Name: u.Name, EmailVerified: u.EmailVerified,
		CreatedAt: route.NewTime(u.CreatedAt), UpdatedAt: route.NewTime(u.UpdatedAt), TwoFactorEnabled: !u.SecondFactorAt.IsZero(),
	}
	if u.Image != "" {
		r.Image = &u.Image
	}
	return r
}

type statusResponse struct {
	Status bool `json:"status"`
}

// ClientOf describes who sent r.
func ClientOf(r *http.Request) Client {
	// Outside the middleware nobody is known, and the zero Info says so.
	info, _ := client.FromContext(r.Context())
	return Client{IP: info.IP, UserAgent: info.UserAgent}
}

// callback returns target if it may be redirected to, and "" for none.
func (h *Handler) callback(target string) (string, error) {
	if !h.site.Allows(target) {
		return "", ErrInvalidCallbackURL
	}
	return target, nil
}
