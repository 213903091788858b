package main

import (
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/token"
)

// mailMe mails a link to go in, a code to go in, or a link to choose a password,
// as the button says. Whether the address is somebody's shows in nothing.
func (s *server) mailMe(w http.ResponseWriter, r *http.Request) {
	view := home{Form: form{Email: r.PostFormValue("email")}, ErrorIn: "mail-me"}
	var flow token.Secret
	var err error
	next := "/?mailed"
	switch r.PostFormValue("what") {
	case "password":
		err = s.app.Recovery.Request(r.Context(), recovery.RequestParams{Email: view.Form.Email, Client: s.app.Client(r)})
	case "code":
		next = ""
		flow, err = s.app.Passwordless.SendCode(r.Context(), passwordless.SendCodeParams{
			Email: view.Form.Email, Purpose: passwordless.PurposeSignIn, Flow: s.app.Flow(r), Client: s.app.Client(r),
		})
	default:
		flow, err = s.app.Passwordless.SendLink(r.Context(), passwordless.LinkParams{
			Email: view.Form.Email, CallbackURL: "/", Flow: s.app.Flow(r), Client: s.app.Client(r),
		})
	}
	if err != nil {
		s.refuse(w, r, view, err)
		return
	}
	if !flow.IsZero() {
		s.app.KeepFlow(w, flow)
	}
	if next != "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	view.ErrorIn, view.Code = "code", true
	s.show(w, r, http.StatusOK, view)
}

// enterCode signs in with a mailed code, in the browser that asked for it.
func (s *server) enterCode(w http.ResponseWriter, r *http.Request) {
	view := home{Form: form{Email: r.PostFormValue("email")}, ErrorIn: "code", Code: true}
	result, err := s.app.Passwordless.SignIn(r.Context(), passwordless.SignInParams{
		CodeParams: passwordless.CodeParams{
			Email: view.Form.Email, Code: r.PostFormValue("code"), Flow: s.app.Flow(r), Client: s.app.Client(r),
		},
		Attempt: auth.AttemptParams{TrustedDevice: s.app.TrustedDevice(r)},
	})
	if err != nil {
		s.refuse(w, r, view, err)
		return
	}
	http.Redirect(w, r, s.app.Enter(w, r, result.Outcome), http.StatusSeeOther) //nolint:gosec // a checked target
}
