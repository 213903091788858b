package passkey

import (
	"encoding/json"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// signInOptions are the options, and for a bearer client the token that it sends
// with the answer; a browser has a cookie.
type signInOptions struct {
	RequestOptions
	CeremonyToken string `json:"ceremonyToken,omitempty" description:"For bearer clients: goes with the answer"`
}

// SignInOptions answers GET /passkey/generate-authenticate-options.
func (h *Handler) SignInOptions(w http.ResponseWriter, r *http.Request) {
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	browser := ""
	if !tokens {
		browser = h.cookies.Get(r, cookiePasskey)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	options, holder, err := h.svc.BeginSignIn(r.Context(), browser, tokens)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response := signInOptions{RequestOptions: options}
	if tokens {
		response.CeremonyToken = holder.Reveal()
	} else {
		h.cookies.Set(w, cookiePasskey, holder.Reveal(), ceremonyLife)
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

type signInRequest struct {
	Response      json.RawMessage `json:"response" required:"true" description:"The assertion that the browser got, as WebAuthn writes it in JSON"`
	CeremonyToken string          `json:"ceremonyToken" maxLength:"128" description:"Bearer clients: the token that came with the options"`
}

// SignIn answers POST /passkey/verify-authentication.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	browser := body.CeremonyToken
	if !tokens {
		browser = h.cookies.Get(r, cookiePasskey)
	}
	result, err := h.svc.SignIn(r.Context(), Answer{
		Browser: browser, Response: body.Response, Attempt: auth.AttemptParams{Bearer: tokens, TrustedDevice: h.cfg.Auth.TrustedDevice(r), Client: auth.ClientOf(r)},
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.cfg.Auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome, Session: true})
}

// StepUpOptions answers GET /passkey/generate-step-up-options.
func (h *Handler) StepUpOptions(w http.ResponseWriter, r *http.Request) {
	var options RequestOptions
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	if err == nil {
		options, err = h.svc.BeginStepUp(r.Context(), caller)
	}
	respond(w, r, options, err)
}

type stepUpRequest struct {
	Response json.RawMessage `json:"response" required:"true" description:"The assertion that the browser got, as WebAuthn writes it in JSON"`
}

type stepUpResponse struct {
	FreshUntil route.Time `json:"freshUntil" description:"Until then the proof permits what is sensitive"`
	*bearer.Tokens
}

// StepUp answers POST /passkey/verify-step-up.
func (h *Handler) StepUp(w http.ResponseWriter, r *http.Request) {
	var body stepUpRequest
	var result StepUpResult
	caller, err := h.read(r, &body)
	if err == nil {
		result, err = h.svc.StepUp(r.Context(), caller, body.Response)
	}
	response := stepUpResponse{FreshUntil: route.NewTime(result.FreshUntil)}
	if err == nil && result.Grant.Bearer() {
		tokens := bearer.NewTokens(result.Grant.Access, result.Grant.AccessEndsAt, result.Grant.Refresh, result.Grant.RefreshEndsAt)
		response.Tokens = &tokens
	} else if err == nil {
		h.cfg.SetSession(w, r, result.Grant)
	}
	respond(w, r, response, err)
}
