package oauth

import (
	"encoding/json"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func (h *Handler) signInRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/sign-in/social", Access: route.Public, FirstFactor: true, Limit: route.LimitSignIn,
			Summary: "Sign in with an account at an identity provider",
			Request: signInRequest{}, Response: signInResponse{}, Handler: h.SignIn,
		},
		{
			Method: http.MethodPost, Path: "/oauth/create-nonce", Access: route.Public, Limit: route.LimitPublic,
			Summary: "The nonce that an app needs to sign in with an ID token",
			Request: nonceRequest{}, Response: nonceResponse{}, Handler: h.CreateNonce,
		},
		{
			Method: http.MethodPost, Path: "/oauth/exchange", Access: route.Public, FirstFactor: true, Limit: route.LimitSignIn,
			Summary: "Exchange the code that a flow of a bearer client ended with for a pair of tokens",
			Request: exchangeRequest{}, Response: auth.SignInResponse{}, Handler: h.Exchange,
		},
	}
}

// beginRequest is what every flow begins with, whatever it is for.
type beginRequest struct {
	Provider         string         `json:"provider" required:"true" maxLength:"32" description:"The id of the provider"`
	CallbackURL      string         `json:"callbackURL" maxLength:"2048" description:"Where the browser goes in the end. Defaults to /."`
	ErrorCallbackURL string         `json:"errorCallbackURL" maxLength:"2048" description:"Where it goes, with ?error=CODE, if it fails. Defaults to a page of ours."`
	DisableRedirect  bool           `json:"disableRedirect" description:"Answers redirect: false, for clients that open the URL themselves"`
	Scopes           []string       `json:"scopes" maxItems:"20" maxLength:"128" description:"Asked for besides the provider's"`
	LoginHint        string         `json:"loginHint" maxLength:"254" description:"Which account at the provider, where it is known"`
	RequestSignUp    *bool          `json:"requestSignUp" description:"Accepted and ignored: whether there are sign-ups is the server's to say"`
	AdditionalParams map[string]any `json:"additionalParams" description:"Accepted and ignored: what goes to the provider besides is the server's to say"`
	AdditionalData   map[string]any `json:"additionalData" description:"Accepted and ignored: put what you need into callbackURL"`
}

type signInRequest struct {
	beginRequest

	NewUserCallbackURL string          `json:"newUserCallbackURL" maxLength:"2048" description:"Where new users go. Defaults to callbackURL."`
	IDToken            *idTokenRequest `json:"idToken" description:"What an app got from the provider's SDK; then nobody is sent anywhere"`
	CodeChallenge      string          `json:"codeChallenge" maxLength:"64" description:"For bearer clients without idToken, required: the S256 challenge of a verifier (RFC 7636). The flow ends at callbackURL with ?code=, for oauth/exchange."`
}

// idTokenRequest is the official client's. Its tokens are not kept.
type idTokenRequest struct {
	Token        string          `json:"token" required:"true" maxLength:"8192" description:"The ID token"`
	Nonce        string          `json:"nonce" maxLength:"128" description:"Required: that of oauth/create-nonce, which the token holds as it is or as its SHA-256 in hexadecimal"`
	AccessToken  string          `json:"accessToken" maxLength:"8192" description:"Checked against the ID token where that names one"`
	RefreshToken string          `json:"refreshToken" maxLength:"8192" description:"Accepted and ignored: nothing proves whose it is"`
	ExpiresAt    *float64        `json:"expiresAt" description:"Accepted and ignored: the ID token says it"`
	User         json.RawMessage `json:"user" description:"What Apple's SDK hands out once; the name is taken from it"`
}

// beginResponse is the official client's: where to send the browser.
type beginResponse struct {
	URL      string `json:"url" description:"The provider's page"`
	Redirect bool   `json:"redirect" description:"Whether the client goes there by itself"`
}

// signInResponse documents both answers: the provider's page, and what an ID token comes
// to.
type signInResponse struct {
	URL      *string            `json:"url" description:"The provider's page"`
	Redirect bool               `json:"redirect"`
	Token    *string            `json:"token,omitempty" description:"Always null"`
	User     *auth.UserResponse `json:"user,omitempty" description:"With idToken: who signed in"`
	*bearer.Tokens
}

// SignIn answers POST /sign-in/social: with the provider's page, or, for an ID token, as
// every other sign-in.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.judge(body.CallbackURL, body.NewUserCallbackURL, body.ErrorCallbackURL)
	}
	switch {
	case err != nil:
		problem.Write(w, r, err)
		return
	case body.IDToken != nil:
		h.signInNative(w, r, body, tokens)
		return
	}
	params := BeginParams{
		Provider: body.Provider, CallbackURL: body.CallbackURL, NewUserCallbackURL: body.NewUserCallbackURL, ErrorCallbackURL: body.ErrorCallbackURL,
		Scopes: body.Scopes, LoginHint: body.LoginHint, Bearer: tokens, Challenge: body.CodeChallenge,
	}
	if !tokens {
		params.Browser = h.Browser(r)
	}
	begun, err := h.svc.Begin(r.Context(), params)
	h.answerBegun(w, r, body.beginRequest, begun, err)
}

// answerBegun sends a client to the provider.
func (h *Handler) answerBegun(w http.ResponseWriter, r *http.Request, body beginRequest, begun Begun, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.KeepBrowser(w, begun)
	route.WriteJSON(w, r, http.StatusOK, beginResponse{URL: begun.URL, Redirect: !body.DisableRedirect})
}

// native is what the ID token of a request is verified with.
func native(providerID string, body idTokenRequest) NativeParams {
	p := NativeParams{Provider: providerID, IDToken: token.NewSecret(body.Token), Nonce: body.Nonce, User: string(body.User)}
	if body.AccessToken != "" {
		p.AccessToken = token.NewSecret(body.AccessToken)
	}
	return p
}

// signInNative answers a request with an ID token.
func (h *Handler) signInNative(w http.ResponseWriter, r *http.Request, body signInRequest, tokens bool) {
	params := native(body.Provider, *body.IDToken)
	params.SignUp = h.cfg.Auth.Browser(r)
	params.Attempt = auth.AttemptParams{
		Bearer: tokens, CallbackURL: body.CallbackURL, TrustedDevice: h.cfg.Auth.TrustedDevice(r), Client: auth.ClientOf(r),
	}
	result, err := h.svc.SignInNative(r.Context(), params)
	switch {
	case err != nil:
		problem.Write(w, r, err)
		return
	case result.SignUp != nil:
		h.rememberSignUp(w, result)
		problem.Write(w, r, ErrEmailNotVerified)
		return
	case !result.Outcome.Challenged():
		result.Outcome.CallbackURL = "" // the client is where it wants to be
	}
	h.cfg.Auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome})
}

type nonceRequest struct {
	Provider string `json:"provider" required:"true" maxLength:"32" description:"The id of the provider"`
}

type nonceResponse struct {
	Nonce     string     `json:"nonce" description:"Hand it, or its SHA-256 in hexadecimal, to the provider's SDK. It is good once."`
	ExpiresAt route.Time `json:"expiresAt"`
}

// CreateNonce answers POST /oauth/create-nonce.
func (h *Handler) CreateNonce(w http.ResponseWriter, r *http.Request) {
	var body nonceRequest
	var nonce Nonce
	err := route.Decode(r, &body)
	if err == nil {
		nonce, err = h.svc.NewNonce(r.Context(), body.Provider)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, nonceResponse{Nonce: nonce.Value.Reveal(), ExpiresAt: route.NewTime(nonce.ExpiresAt)})
}

type exchangeRequest struct {
	Code         string `json:"code" required:"true" maxLength:"128" description:"The code that came to callbackURL"`
	CodeVerifier string `json:"codeVerifier" required:"true" maxLength:"128" description:"What codeChallenge was made from"`
}

// Exchange answers POST /oauth/exchange: with a pair of tokens, or with the challenge of
// the second factor.
func (h *Handler) Exchange(w http.ResponseWriter, r *http.Request) {
	var body exchangeRequest
	var result Result
	err := h.cfg.Auth.MayHaveTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		result, err = h.svc.Redeem(r.Context(), RedeemParams{Code: body.Code, Verifier: body.CodeVerifier, Client: auth.ClientOf(r)})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.cfg.Auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome})
}
