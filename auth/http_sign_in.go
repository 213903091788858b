package auth

import (
	"cmp"
	"net/http"
	"time"

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
	user, outcome, err := h.svc.SignIn(r.Context(), SignInParams{
		Email: body.Email, Password: body.Password, CallbackURL: callback,
		BrowserOnly: body.RememberMe != nil && !*body.RememberMe, Bearer: tokens,
		Device: h.Device(r), TrustedDevice: h.TrustedDevice(r), Client: ClientOf(r),
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.Answer(w, r, Answer{User: user, Outcome: outcome})
}

// Names of cookies.
const (
	// cookieDevice makes a browser a known device of one user (rule R9).
	cookieDevice = "device"
	// cookieTrusted makes a browser skip the second step (rule R11).
	cookieTrusted = "trust_device"
	// cookieChallenge continues a sign-in at its second step.
	cookieChallenge = "two_factor"
)

// Device returns the cookie of a known device that the browser has, or "": also where
// other credentials make cookies count for nothing (rule R16).
func (h *Handler) Device(r *http.Request) string { return h.cookie(r, cookieDevice) }

// TrustedDevice returns the cookie of a trusted device that the browser has, or "",
// as Device does.
func (h *Handler) TrustedDevice(r *http.Request) string { return h.cookie(r, cookieTrusted) }

// Challenge finds the sign-in that a request continues, and the ways in which it can:
// by token, which a bearer client sends in the body, or by the browser's cookie.
// ErrNoChallenge where there is none. A page that gets no tokens continues no sign-in
// that would end with some (rule R16).
func (h *Handler) Challenge(r *http.Request, token string) (Challenge, []string, error) {
	if token != "" {
		if err := h.bearers.Check(r); err != nil {
			return Challenge{}, nil, err
		}
		return h.svc.FindChallenge(r.Context(), token, true)
	}
	return h.svc.FindChallenge(r.Context(), h.cookie(r, cookieChallenge), false)
}

// cookie returns a cookie where cookies count.
func (h *Handler) cookie(r *http.Request, name string) string {
	if len(r.Header.Values("Authorization")) > 0 || len(r.Header.Values("X-Api-Key")) > 0 {
		return ""
	}
	return h.site.Cookies.Get(r, name)
}

// KnowsDevice reports whether the browser is a known device of somebody, and which,
// by a name that means nothing else. An outage is a no.
func (h *Handler) KnowsDevice(r *http.Request) (id string, ok bool) {
	device, err := h.svc.KnownDevice(r.Context(), h.Device(r))
	return device.ID, err == nil
}

// keepSession makes the browser keep a session that was just started, and makes it
// a known device of the user.
func (h *Handler) keepSession(w http.ResponseWriter, r *http.Request, grant Grant) {
	h.KeepDevice(w, r, grant)
	if trust := grant.TrustedDevice; !trust.Token.IsZero() {
		h.site.Cookies.Set(w, cookieTrusted, trust.Token.Reveal(), max(trust.Until.Sub(h.svc.now()), time.Second))
	}
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
	User    User
	Outcome Outcome
	// Page answers a form of our own pages: 303 to the outcome's CallbackURL, or to
	// "/"; to the page of the second factor where that is asked for (rule R25).
	Page bool
	// Session describes the session in the answer, too; see LinkResponse.
	Session bool
}

// SignInResponse is the official client's, and with a bearer session the pair of
// its tokens. Where a second factor is asked for it is a ChallengeResponse instead.
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

// ChallengeResponse answers a first factor to which a second is missing. Nobody is
// signed in.
type ChallengeResponse struct {
	TwoFactorRedirect bool     `json:"twoFactorRedirect"`
	TwoFactorMethods  []string `json:"twoFactorMethods"`
	// ChallengeToken goes with the second factor. It is there for bearer clients;
	// browsers have a cookie.
	ChallengeToken     string      `json:"challengeToken,omitempty"`
	ChallengeExpiresAt *route.Time `json:"challengeExpiresAt,omitempty"`
}

// WantsTokens reports whether the request of a first factor asks for a pair of
// tokens instead of a cookie (rule R16). The error is the answer to one that asks
// and may not have them; it comes before anything is guessed or charged.
func (h *Handler) WantsTokens(r *http.Request) (bool, error) { return h.bearers.Wants(r) }

// MayHaveTokens returns nil if an answer to the request may hold a pair of tokens, for
// routes that answer with nothing else (rule R16).
func (h *Handler) MayHaveTokens(r *http.Request) error { return h.bearers.Check(r) }

// Answer hands what the door answered to the client: a session that was just made,
// or the challenge of the second factor. It is the one place that does, whatever
// the way in was. The session is in the cookie alone, and the body has no
// credential; or in the body alone, and no cookie is set. Which of the two the
// session itself says, not the request.
func (h *Handler) Answer(w http.ResponseWriter, r *http.Request, a Answer) {
	if a.Outcome.Challenged() {
		h.answerChallenge(w, r, a)
		return
	}
	target, grant := a.Outcome.CallbackURL, a.Outcome.Grant
	response := SignInResponse{User: NewUserResponse(a.User)}
	if grant.Bearer() {
		tokens := bearer.NewTokens(grant.Access, grant.AccessEndsAt, grant.Refresh, grant.RefreshEndsAt)
		response.Tokens = &tokens
	} else if h.keepSession(w, r, grant); a.Page {
		link.SeeOther(w, cmp.Or(target, "/"))
		return
	}
	if target != "" {
		response.Redirect, response.URL = true, &target
	}
	if a.Session {
		described := LinkResponse{SignInResponse: response, Session: newSessionResponse(grant, ClientOf(r))}
		route.WriteJSON(w, r, http.StatusOK, described)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

// answerChallenge hands the token of a challenge to the client that began it.
func (h *Handler) answerChallenge(w http.ResponseWriter, r *http.Request, a Answer) {
	challenge := a.Outcome.Challenge
	response := ChallengeResponse{TwoFactorRedirect: true, TwoFactorMethods: challenge.Methods}
	if response.TwoFactorMethods == nil {
		response.TwoFactorMethods = []string{}
	}
	if challenge.Bearer {
		ends := route.NewTime(challenge.ExpiresAt)
		response.ChallengeToken, response.ChallengeExpiresAt = challenge.Token.Reveal(), &ends
	} else {
		h.site.Cookies.Set(w, cookieChallenge, challenge.Token.Reveal(), challengeLife)
	}
	if a.Page {
		link.SeeOther(w, h.secondFactor)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

// Enter hands what the door answered to a browser that sent a form of the host's own
// pages, and returns where it goes next: to the outcome's CallbackURL, or "/"; to the
// page of the second factor where that is asked for. The outcome must be one with a
// cookie.
func (h *Handler) Enter(w http.ResponseWriter, r *http.Request, o Outcome) (next string) {
	if o.Challenged() {
		h.site.Cookies.Set(w, cookieChallenge, o.Challenge.Token.Reveal(), challengeLife)
		return h.secondFactor
	}
	h.keepSession(w, r, o.Grant)
	return cmp.Or(o.CallbackURL, "/")
}

// LeaveChallenge makes the browser forget the challenge that was met.
func (h *Handler) LeaveChallenge(w http.ResponseWriter) { h.site.Cookies.Clear(w, cookieChallenge) }
