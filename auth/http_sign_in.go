package auth

import (
	"cmp"
	"net/http"

	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type signInRequest struct {
	Email       string `json:"email" required:"true" maxLength:"254" description:"The address"`
	Password    string `json:"password" required:"true" maxLength:"1024" description:"The password"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the client goes next"`
	RememberMe  *bool  `json:"rememberMe" description:"false makes a session that ends with the browser. Defaults to true."`
}

// SignIn answers POST /sign-in/email.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	callback, err := h.callback(body.CallbackURL)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	user, grant, err := h.svc.SignIn(r.Context(), SignInParams{
		Email: body.Email, Password: body.Password, CallbackURL: callback,
		BrowserOnly: body.RememberMe != nil && !*body.RememberMe, Bearer: tokens, Device: h.Device(r), Client: ClientOf(r),
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.Answer(w, r, Answer{User: user, Grant: grant, CallbackURL: callback})
}

// cookieDevice is the name of the cookie that makes a browser a known device of one
// user (rule R9).
const cookieDevice = "device"

// Device returns the cookie of a known device that the browser has, or "": also where
// other credentials make cookies count for nothing (rule R16).
func (h *Handler) Device(r *http.Request) string {
	if len(r.Header.Values("Authorization")) > 0 || len(r.Header.Values("X-Api-Key")) > 0 {
		return ""
	}
	return h.site.Cookies.Get(r, cookieDevice)
}

// KnowsDevice reports whether the browser is a known device of somebody, and which,
// by a name that means nothing else. An outage is a no.
func (h *Handler) KnowsDevice(r *http.Request) (id string, ok bool) {
	device, err := h.svc.KnownDevice(r.Context(), h.Device(r))
	return device.ID, err == nil
}

// KeepSession makes the browser keep a session that was just started, and makes it
// a known device of the user.
func (h *Handler) KeepSession(w http.ResponseWriter, r *http.Request, grant Grant) {
	h.KeepDevice(w, r, grant)
	h.setSession(w, r, grant)
}

// KeepDevice makes the browser a known device of the user, or lets it stay one
// (rule R9): only where a session is handed over, for which all factors are proven,
// or a new token of one, whose user has just proven who they are again. That it
// fails undoes nothing; it is logged.
func (h *Handler) KeepDevice(w http.ResponseWriter, r *http.Request, grant Grant) {
	device, err := h.svc.RememberDevice(r.Context(), grant, h.Device(r))
	if err != nil {
		h.svc.cfg.Logger.WarnContext(r.Context(), "auth: the device is not remembered", "error", err)
	}
	if device.Reveal() != "" {
		h.site.Cookies.Set(w, cookieDevice, device.Reveal(), deviceLife)
	}
}

// Answer is what a way in comes to.
type Answer struct {
	User  User
	Grant Grant
	// CallbackURL is where the client goes next. It must have passed the list of
	// redirect targets.
	CallbackURL string
	// Page answers a form of our own pages: 303 to CallbackURL, or to "/".
	Page bool
	// Session describes the session in the answer, too; see LinkResponse.
	Session bool
}

// SignInResponse is the official client's, and with a bearer session the pair of
// its tokens.
type SignInResponse struct {
	Redirect bool         `json:"redirect"`
	Token    *string      `json:"token"`
	URL      *string      `json:"url"`
	User     UserResponse `json:"user"`
	*bearer.Tokens
}

// LinkResponse is the official client's where a mailed link signs in.
type LinkResponse struct {
	SignInResponse

	Session SessionResponse `json:"session"`
}

// SessionResponse is a session that was just made, as the official client reads it.
type SessionResponse struct {
	ID        string     `json:"id"`
	UserID    string     `json:"userId"`
	Token     string     `json:"token" description:"The session's id once more. It opens nothing; revoke-session takes it."`
	ExpiresAt route.Time `json:"expiresAt" description:"When the session ends if it is not used until then."`
	CreatedAt route.Time `json:"createdAt"`
	UpdatedAt route.Time `json:"updatedAt"`
	IPAddress *string    `json:"ipAddress"`
	UserAgent *string    `json:"userAgent"`
}

func newSessionResponse(g Grant, c Client) SessionResponse {
	s := SessionResponse{
		ID: g.SessionID, UserID: g.UserID, Token: g.SessionID, ExpiresAt: route.NewTime(g.IdleEndsAt),
		CreatedAt: route.NewTime(g.CreatedAt), UpdatedAt: route.NewTime(g.CreatedAt),
	}
	if c.IP.IsValid() {
		ip := c.IP.String()
		s.IPAddress = &ip
	}
	if c.UserAgent != "" {
		s.UserAgent = &c.UserAgent
	}
	return s
}

// WantsTokens reports whether the request of a first factor asks for a pair of
// tokens instead of a cookie (rule R16). The error is the answer to one that asks
// and may not have them; it comes before anything is guessed or charged.
func (h *Handler) WantsTokens(r *http.Request) (bool, error) { return h.bearers.Wants(r) }

// Answer hands a session that was just made to the client. It is the one place
// that does, whatever the way in was. The session is in the cookie alone, and the
// body has no credential; or in the body alone, and no cookie is set. Which of the
// two the session itself says, not the request.
func (h *Handler) Answer(w http.ResponseWriter, r *http.Request, a Answer) {
	response := SignInResponse{User: NewUserResponse(a.User)}
	if a.Grant.Bearer() {
		tokens := bearer.NewTokens(a.Grant.Access, a.Grant.AccessEndsAt, a.Grant.Refresh, a.Grant.RefreshEndsAt)
		response.Tokens = &tokens
	} else if h.KeepSession(w, r, a.Grant); a.Page {
		link.SeeOther(w, cmp.Or(a.CallbackURL, "/"))
		return
	}
	if a.CallbackURL != "" {
		response.Redirect, response.URL = true, &a.CallbackURL
	}
	if a.Session {
		described := LinkResponse{SignInResponse: response, Session: newSessionResponse(a.Grant, ClientOf(r))}
		route.WriteJSON(w, r, http.StatusOK, described)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}
