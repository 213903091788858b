package auth

import (
	"net/http"
	"strings"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type signInRequest struct {
	Email       string `json:"email" required:"true" maxLength:"254" description:"The address"`
	Password    string `json:"password" required:"true" maxLength:"1024" description:"The password"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the client goes next"`
	RememberMe  *bool  `json:"rememberMe" description:"false makes a session that ends with the browser. Defaults to true."`
}

type signInResponse struct {
	Redirect bool         `json:"redirect"`
	Token    *string      `json:"token"`
	URL      *string      `json:"url"`
	User     userResponse `json:"user"`
}

// SignIn answers POST /sign-in/email. The session is in the cookie alone: the
// body has no credential.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("X-Token-Mode"), "bearer") {
		problem.Write(w, r, ErrBearerUnavailable)
		return
	}
	var body signInRequest
	if err := route.Decode(r, &body); err != nil {
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
		BrowserOnly: body.RememberMe != nil && !*body.RememberMe, Client: clientOf(r),
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.setSession(w, r, grant)
	answer := signInResponse{User: newUserResponse(user)}
	if callback != "" {
		answer.Redirect, answer.URL = true, &callback
	}
	route.WriteJSON(w, r, http.StatusOK, answer)
}
