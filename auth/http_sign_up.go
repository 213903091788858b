package auth

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// cookieBrowser is the name of the cookie that recognises the browser that
// signed up; it lives as long as the sign-up (rule R5).
const cookieBrowser = "browser"

type signUpRequest struct {
	Name        string `json:"name" required:"true" maxLength:"128" description:"The name to call the user by"`
	Email       string `json:"email" required:"true" maxLength:"254" description:"The address to sign in with"`
	Password    string `json:"password" required:"true" maxLength:"1024" description:"At most 256 characters, and as many as the policy asks for: 8 by default"`
	Image       string `json:"image" maxLength:"200000" description:"An http or https address of a picture, or a small data URL"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the page of the mailed link leads"`
	RememberMe  *bool  `json:"rememberMe" description:"Accepted; it takes effect when signing in"`
}

type signUpResponse struct {
	Token *string      `json:"token"`
	User  UserResponse `json:"user"`
}

// SignUp answers POST /sign-up/email: the same for addresses that are taken and
// for those that are free.
func (h *Handler) SignUp(w http.ResponseWriter, r *http.Request) {
	var body signUpRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	callback, err := h.callback(body.CallbackURL)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	result, err := h.svc.SignUp(r.Context(), SignUpParams{
		Name: body.Name, Email: body.Email, Password: body.Password, Image: body.Image,
		CallbackURL: callback, Browser: h.site.Cookies.Get(r, cookieBrowser), Client: ClientOf(r),
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.RememberBrowser(w, result)
	route.WriteJSON(w, r, http.StatusOK, signUpResponse{User: NewUserResponse(result.User)})
}

// RememberBrowser leaves the token of a sign-up in the browser, for hosts that
// call Service.SignUp from pages of their own.
func (h *Handler) RememberBrowser(w http.ResponseWriter, result SignUpResult) {
	h.site.Cookies.Set(w, cookieBrowser, result.Browser.Reveal(), pendingLife)
}

// Browser returns the token that an earlier sign-up left in the browser, or "".
func (h *Handler) Browser(r *http.Request) string { return h.site.Cookies.Get(r, cookieBrowser) }

type resendRequest struct {
	Email       string `json:"email" required:"true" maxLength:"254" description:"The address of the sign-up"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the page of the mailed link leads"`
}

// ResendVerification answers POST /send-verification-email: always alike.
func (h *Handler) ResendVerification(w http.ResponseWriter, r *http.Request) {
	var body resendRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	callback, err := h.callback(body.CallbackURL)
	if err == nil {
		err = h.svc.ResendVerification(r.Context(), ResendParams{Email: body.Email, CallbackURL: callback, Client: ClientOf(r)})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, statusResponse{Status: true})
}
