package oauth

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) ownRoutes() route.Table {
	fresh := h.svc.cfg.FreshFor
	return route.Table{
		{
			Method: http.MethodPost, Path: "/link-social", Access: route.User, Fresh: fresh, InPerson: true, Limit: route.LimitAccount,
			Summary: "Connect an account at an identity provider; every other session ends when it is done",
			Request: linkRequest{}, Response: linkResponse{}, Handler: h.Link,
		},
		{
			Method: http.MethodPost, Path: "/unlink-account", Access: route.User, Fresh: fresh, InPerson: true, Limit: route.LimitAccount,
			Summary: "Disconnect an account at an identity provider; every other session ends",
			Request: unlinkRequest{}, Response: statusResponse{}, Handler: h.Unlink,
		},
		{
			Method: http.MethodPost, Path: "/oauth/step-up", Access: route.User, Enrolment: true, InPerson: true, Limit: route.LimitAccount,
			Summary: "Prove again who is signed in, by an account at an identity provider",
			Request: stepUpRequest{}, Response: beginResponse{}, Handler: h.StepUp,
		},
	}
}

type statusResponse struct {
	Status bool `json:"status"`
}

type linkRequest struct {
	beginRequest

	IDToken *idTokenRequest `json:"idToken" description:"What an app got from the provider's SDK; then nobody is sent anywhere"`
}

// linkResponse is the official client's: where to send the browser, or that it is done.
type linkResponse struct {
	beginResponse

	Status bool `json:"status,omitempty" description:"With idToken: true"`
}

// Link answers POST /link-social: with the provider's page, or, for an ID token, that the
// account is connected.
func (h *Handler) Link(w http.ResponseWriter, r *http.Request) {
	var body linkRequest
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.judge(body.CallbackURL, body.ErrorCallbackURL)
	}
	if err == nil && body.IDToken != nil {
		if err = h.svc.LinkNative(r.Context(), caller, native(body.Provider, *body.IDToken)); err == nil {
			route.WriteJSON(w, r, http.StatusOK, linkResponse{Status: true})
			return
		}
	}
	var begun Begun
	if err == nil {
		begun, err = h.svc.BeginLink(r.Context(), caller, BeginParams{
			Provider: body.Provider, CallbackURL: body.CallbackURL, ErrorCallbackURL: body.ErrorCallbackURL,
			Scopes: body.Scopes, LoginHint: body.LoginHint, Browser: h.Browser(r), Bearer: isBearer(r),
		})
	}
	h.answerBegun(w, r, body.beginRequest, begun, err)
}

// isBearer reports whether the caller is no browser with a cookie (rule R16).
func isBearer(r *http.Request) bool { return len(r.Header.Values("Authorization")) > 0 }

type unlinkRequest struct {
	AccountID string `json:"accountId" required:"true" maxLength:"64" description:"The id of the account, as list-accounts gives it"`
}

// Unlink answers POST /unlink-account.
func (h *Handler) Unlink(w http.ResponseWriter, r *http.Request) {
	var body unlinkRequest
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.svc.Unlink(r.Context(), caller, body.AccountID)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, statusResponse{Status: true})
}

type stepUpRequest struct {
	Provider         string `json:"provider" required:"true" maxLength:"32" description:"The id of the provider"`
	CallbackURL      string `json:"callbackURL" maxLength:"2048" description:"Where the browser goes in the end. Defaults to /."`
	ErrorCallbackURL string `json:"errorCallbackURL" maxLength:"2048" description:"Where it goes, with ?error=CODE, if it fails. Defaults to a page of ours."`
	DisableRedirect  bool   `json:"disableRedirect" description:"Answers redirect: false, for clients that open the URL themselves"`
}

// StepUp answers POST /oauth/step-up: with the provider's page.
func (h *Handler) StepUp(w http.ResponseWriter, r *http.Request) {
	var body stepUpRequest
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		err = h.judge(body.CallbackURL, body.ErrorCallbackURL)
	}
	var begun Begun
	if err == nil {
		begun, err = h.svc.BeginStepUp(r.Context(), caller, BeginParams{
			Provider: body.Provider, CallbackURL: body.CallbackURL, ErrorCallbackURL: body.ErrorCallbackURL,
			Browser: h.Browser(r), Bearer: isBearer(r),
		})
	}
	h.answerBegun(w, r, beginRequest{DisableRedirect: body.DisableRedirect}, begun, err)
}
