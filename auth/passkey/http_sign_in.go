package passkey

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// signInOptions are the options, and for a bearer client the token that it sends
// with the answer; a browser has a cookie.
type signInOptions struct {
	RequestOptions
	CeremonyToken string `json:"ceremonyToken,omitempty" description:"For bearer clients: goes with the answer"`
}

// SignInOptions answers GET /passkey/generate-authenticate-options. In a browser whose
// sign-in waits for a second factor they ask for a passkey of that user.
func (h *Handler) SignInOptions(w http.ResponseWriter, r *http.Request) {
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	var waiting waiting
	if err == nil && !tokens {
		waiting, err = h.waiting(r, "")
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.options(w, r, waiting, tokens)
}

type secondStepRequest struct {
	ChallengeToken string `json:"challengeToken" required:"true" maxLength:"128" description:"The token that came with the first factor"`
}

// SecondStepOptions answers POST /passkey/generate-authenticate-options, for bearer
// clients: a token has no place in an address.
func (h *Handler) SecondStepOptions(w http.ResponseWriter, r *http.Request) {
	var body secondStepRequest
	var challenge auth.Challenge
	err := route.Decode(r, &body)
	if err == nil {
		challenge, _, err = h.cfg.Auth.Challenge(r, body.ChallengeToken)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.options(w, r, waiting{&challenge}, true)
}

// waiting is a sign-in that waits for a passkey, or none.
type waiting struct{ challenge *auth.Challenge }

// waiting returns the sign-in of the request that waits for a passkey.
func (h *Handler) waiting(r *http.Request, token string) (waiting, error) {
	challenge, methods, err := h.cfg.Auth.Challenge(r, token)
	if errors.Is(err, auth.ErrNoChallenge) || err == nil && !slices.Contains(methods, auth.MethodPasskey) {
		return waiting{}, nil
	}
	return waiting{&challenge}, err
}

// browser returns the token of the browser, or "": also where other credentials make
// cookies count for nothing (rule R16).
func (h *Handler) browser(r *http.Request) string {
	if len(r.Header.Values("Authorization")) > 0 || len(r.Header.Values("X-Api-Key")) > 0 {
		return ""
	}
	return h.cookies.Get(r, cookiePasskey)
}

// options makes options and ties them to the client.
func (h *Handler) options(w http.ResponseWriter, r *http.Request, waiting waiting, tokens bool) {
	var response signInOptions
	var holder token.Secret
	var err error
	browser := ""
	if !tokens {
		browser = h.browser(r)
	}
	if waiting.challenge != nil {
		response.RequestOptions, holder, err = h.svc.BeginSecondStep(r.Context(), browser, *waiting.challenge)
	} else {
		response.RequestOptions, holder, err = h.svc.BeginSignIn(r.Context(), browser, tokens)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if tokens {
		response.CeremonyToken = holder.Reveal()
	} else {
		h.cookies.Set(w, cookiePasskey, holder.Reveal(), ceremonyLife)
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

type signInRequest struct {
	Response       json.RawMessage `json:"response" required:"true" description:"The assertion that the browser got, as WebAuthn writes it in JSON"`
	TrustDevice    bool            `json:"trustDevice" description:"In a second step: asks not to be asked again in this browser"`
	CeremonyToken  string          `json:"ceremonyToken" maxLength:"128" description:"Bearer clients: the token that came with the options"`
	ChallengeToken string          `json:"challengeToken" maxLength:"128" description:"Bearer clients, in a second step: the token that came with the first factor"`
}

// SignIn answers POST /passkey/verify-authentication.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	var waiting waiting
	if err == nil {
		waiting, err = h.waiting(r, body.ChallengeToken)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	browser := body.CeremonyToken
	if browser == "" {
		browser = h.browser(r)
	}
	result, err := h.svc.SignIn(r.Context(), Answer{
		Browser: browser, Response: body.Response, Challenge: waiting.challenge, TrustDevice: body.TrustDevice,
		Attempt: auth.AttemptParams{Bearer: tokens, TrustedDevice: h.cfg.Auth.TrustedDevice(r), Client: auth.ClientOf(r)},
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if waiting.challenge != nil && !waiting.challenge.Bearer {
		h.cfg.Auth.LeaveChallenge(w)
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
	route.Respond(w, r, options, err)
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
	var result account.StepUpResult
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
	route.Respond(w, r, response, err)
}
