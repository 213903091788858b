package passkey

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/route"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// Auth answers sign-ins.
	Auth *auth.Handler
	// Caller returns who sent a request. It returns problem.ErrUnauthenticated for
	// nobody, and an error of its own during an outage.
	Caller func(r *http.Request) (account.Caller, error)
	// SetSession makes the browser keep the new token of the session that it has.
	SetSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that
// route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc     *Service
	cfg     HandlerConfig
	cookies cookie.Policy
}

// cookiePasskey is the name of the cookie that ties the options of a sign-in to the
// browser that asked for them.
const cookiePasskey = "passkey"

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Auth == nil || cfg.Caller == nil || cfg.SetSession == nil {
		return nil, errors.New("passkey: handler: Service, Auth, Caller and SetSession are required")
	}
	cookies, err := cookie.New(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("passkey: handler: %w", err)
	}
	return &Handler{svc: svc, cfg: cfg, cookies: cookies}, nil
}

// Routes is the table of the package's routes, relative to its mount. The GETs of
// options write: rule R23 permits it to them.
func (h *Handler) Routes() route.Table {
	return append(h.signInRoutes(), append(h.stepUpRoutes(), h.ownRoutes()...)...)
}

func (h *Handler) signInRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/passkey/generate-authenticate-options", Access: route.Public, Limit: route.LimitPublic,
			Summary: "The options by which a browser asks for a passkey",
			Request: empty{}, Response: signInOptions{}, Handler: h.SignInOptions,
		},
		{
			Method: http.MethodPost, Path: "/passkey/generate-authenticate-options", Access: route.Public, Limit: route.LimitPublic,
			Summary: "The same for a bearer client whose sign-in waits for its second factor",
			Request: secondStepRequest{}, Response: signInOptions{}, Handler: h.SecondStepOptions,
		},
		{
			Method: http.MethodPost, Path: "/passkey/verify-authentication", Access: route.Public, FirstFactor: true, Limit: route.LimitSignIn,
			Summary: "Sign in with a passkey",
			Request: signInRequest{}, Response: auth.LinkResponse{}, Handler: h.SignIn,
		},
		{
			Method: http.MethodGet, Path: PathScript, Access: route.Public,
			Summary: "The script for pages that use passkeys", Handler: h.Script,
		},
	}
}

func (h *Handler) stepUpRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/passkey/generate-step-up-options", Access: route.User, Enrolment: true, InPerson: true, Limit: route.LimitAccount,
			Summary: "The options by which a browser asks for a passkey of who is signed in",
			Request: empty{}, Response: RequestOptions{}, Handler: h.StepUpOptions,
		},
		{
			Method: http.MethodPost, Path: "/passkey/verify-step-up", Access: route.User, Enrolment: true, InPerson: true, Limit: route.LimitAccount,
			Summary: "Prove again who is signed in, by a passkey",
			Request: stepUpRequest{}, Response: stepUpResponse{}, Handler: h.StepUp,
		},
	}
}

func (h *Handler) ownRoutes() route.Table {
	fresh := h.svc.cfg.FreshFor
	return route.Table{
		{
			Method: http.MethodGet, Path: "/passkey/generate-register-options", Access: route.User, Enrolment: true, Fresh: fresh, InPerson: true, Limit: route.LimitAccount,
			Summary: "The options by which a browser makes a passkey",
			Request: registerQuery{}, Response: CreationOptions{}, Handler: h.RegisterOptions,
		},
		{
			Method: http.MethodPost, Path: "/passkey/verify-registration", Access: route.User, Enrolment: true, Fresh: fresh, InPerson: true, Limit: route.LimitAccount,
			Summary: "Keep the passkey that the browser made; every other session ends",
			Request: registerRequest{}, Response: passkeyResponse{}, Handler: h.Register,
		},
		{
			Method: http.MethodGet, Path: "/passkey/list-user-passkeys", Access: route.User, Enrolment: true,
			Summary: "The passkeys of who is signed in",
			Request: empty{}, Response: []passkeyResponse{}, Handler: h.List,
		},
		{
			Method: http.MethodPost, Path: "/passkey/update-passkey", Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: "Give a passkey another name",
			Request: renameRequest{}, Response: renameResponse{}, Handler: h.Rename,
		},
		{
			Method: http.MethodPost, Path: "/passkey/delete-passkey", Access: route.User, Fresh: fresh, InPerson: true, Limit: route.LimitAccount,
			Summary: "Delete a passkey; every other session ends",
			Request: deleteRequest{}, Response: statusResponse{}, Handler: h.Delete,
		},
	}
}

type empty struct{}

type statusResponse struct {
	Status bool `json:"status"`
}

// passkeyResponse is a passkey on the wire, as the official client reads it.
type passkeyResponse struct {
	ID           string      `json:"id"`
	Name         string      `json:"name"`
	UserID       string      `json:"userId"`
	CredentialID string      `json:"credentialID"`
	PublicKey    string      `json:"publicKey"`
	Counter      uint32      `json:"counter"`
	DeviceType   string      `json:"deviceType"`
	BackedUp     bool        `json:"backedUp"`
	Transports   string      `json:"transports"`
	AAGUID       string      `json:"aaguid"`
	UserVerified bool        `json:"userVerified" description:"false for a passkey that is a second factor only"`
	CreatedAt    route.Time  `json:"createdAt"`
	LastUsedAt   *route.Time `json:"lastUsedAt"`
}

func newPasskeyResponse(p Passkey) passkeyResponse {
	r := passkeyResponse{
		ID: p.ID, Name: p.Name, UserID: p.UserID, CredentialID: encode(p.CredentialID),
		PublicKey: base64.StdEncoding.EncodeToString(p.PublicKey), Counter: p.SignCount,
		DeviceType: p.deviceType(), BackedUp: p.BackupState, Transports: strings.Join(p.Transports, ","),
		AAGUID: p.AAGUID.String(), UserVerified: p.UserVerified, CreatedAt: route.NewTime(p.CreatedAt),
	}
	if !p.LastUsedAt.IsZero() {
		at := route.NewTime(p.LastUsedAt)
		r.LastUsedAt = &at
	}
	return r
}

// read decodes the body and finds the caller.
func (h *Handler) read(r *http.Request, body any) (account.Caller, error) {
	caller, err := h.cfg.Caller(r)
	if err != nil {
		return account.Caller{}, err
	}
	return caller, route.Decode(r, body)
}
