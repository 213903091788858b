package oauth

import (
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) signInRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/sign-in/social", Access: route.Public, Limit: route.LimitSignIn,
			Summary: "Sign in with an account at an identity provider",
			Request: signInRequest{}, Response: signInResponse{}, Handler: h.SignIn,
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

	NewUserCallbackURL string `json:"newUserCallbackURL" maxLength:"2048" description:"Where new users go. Defaults to callbackURL."`
	CodeChallenge      string `json:"codeChallenge" maxLength:"64" description:"For bearer clients, required: the S256 challenge of a verifier (RFC 7636). The flow ends at callbackURL with ?code=, for oauth/exchange."`
}

// beginResponse is the official client's: where to send the browser.
type beginResponse struct {
	URL      string `json:"url" description:"The provider's page"`
	Redirect bool   `json:"redirect" description:"Whether the client goes there by itself"`
}

// signInResponse documents both answers.
type signInResponse struct {
	URL      *string            `json:"url" description:"The provider's page"`
	Redirect bool               `json:"redirect"`
	Token    *string            `json:"token,omitempty"`
	User     *auth.UserResponse `json:"user,omitempty"`
}

// SignIn answers POST /sign-in/social: with the provider's page.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.cfg.Auth.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.judge(body.CallbackURL, body.NewUserCallbackURL, body.ErrorCallbackURL)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	params := BeginParams{
		Provider: body.Provider, CallbackURL: body.CallbackURL, NewUserCallbackURL: body.NewUserCallbackURL, ErrorCallbackURL: body.ErrorCallbackURL,
		Scopes: body.Scopes, LoginHint: body.LoginHint, Bearer: tokens, Challenge: body.CodeChallenge,
	}
	if !tokens {
		params.Browser = h.browser(r)
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
	h.keepBrowser(w, begun)
	route.WriteJSON(w, r, http.StatusOK, beginResponse{URL: begun.URL, Redirect: !body.DisableRedirect})
}
