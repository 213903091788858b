package main

import (
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/problem"
)

// confirmation asks for a fresh proof of who is there, and leads back.
type confirmation struct {
	Next     string
	On       bool // a second factor is on: only that counts
	Factors  auth.Factors
	Password bool
	Linked   []way // for whom has nothing stronger
	Sent     bool  // a code was mailed
	Error    string
	ErrorIn  string // the form with the error
}

// proof is one of the forms.
type proof struct {
	Next, By, Label, Type, InputMode, Autocomplete, Error string
	First                                                 bool
}

// Ask makes the form for a proof by that.
func (v confirmation) Ask(by, label string) proof {
	form := proof{Next: v.Next, By: by, Label: label, Type: "text", InputMode: "numeric", Autocomplete: "one-time-code", First: true}
	switch by {
	case "password":
		form.Type, form.InputMode, form.Autocomplete = "password", "", "current-password"
	case "recovery":
		form.InputMode, form.Autocomplete, form.First = "", "off", false
	}
	if v.ErrorIn == by {
		form.Error = v.Error
	}
	return form
}

func (s *server) confirmPage(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	s.showConfirmation(w, r, caller, http.StatusOK, confirmation{Next: r.URL.Query().Get("next")})
}

func (s *server) showConfirmation(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view confirmation) {
	var ways []account.Account
	var err error
	if view.Factors, err = s.app.TwoFactor.Factors(r.Context(), caller.Principal.UserID); err == nil {
		ways, err = s.app.Account.Accounts(r.Context(), caller)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.Password, view.Linked = hasPassword(ways), s.linkedWays(ways)
	view.On, view.Next = caller.Principal.SecondFactor, backTo(view.Next)
	s.render(w, r, status, "confirm.html", view)
}

// confirm takes what the form was filled in with. Passkeys come by the script.
func (s *server) confirm(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := confirmation{Next: r.PostFormValue("next"), ErrorIn: r.PostFormValue("by")}
	value := r.PostFormValue("value")
	var proof account.StepUpParams
	switch view.ErrorIn {
	case "mail":
		view.Sent = true
		err := s.app.Passwordless.SendStepUp(r.Context(), passwordless.Owner{
			UserID: caller.Principal.UserID, SessionID: caller.Principal.SessionID,
			SecurityVersion: caller.SecurityVersion, Client: caller.Client,
		})
		s.refuseConfirmation(w, r, caller, view, err)
		return
	case "code":
		view.Sent, proof.Code = true, value
	case "totp":
		proof.TOTPCode = value
	case "recovery":
		proof.BackupCode = value
	default:
		proof.Password = value
	}
	result, err := s.app.Account.StepUp(r.Context(), caller, proof)
	if err != nil {
		s.refuseConfirmation(w, r, caller, view, err)
		return
	}
	s.app.RenewSession(w, r, result.Grant)
	http.Redirect(w, r, backTo(view.Next)+"?again", http.StatusSeeOther)
}

func (s *server) refuseConfirmation(w http.ResponseWriter, r *http.Request, caller account.Caller, view confirmation, err error) {
	var p *problem.Error
	switch {
	case err == nil:
		s.showConfirmation(w, r, caller, http.StatusOK, view)
	case !s.settle(w, r, view.Next, err) && errors.As(err, &p):
		view.Error = p.Message
		s.showConfirmation(w, r, caller, p.Kind.Status(), view)
	}
}

// backTo returns the page of ours that next is: nothing else is led to.
func backTo(next string) string {
	if next == "/security" || next == "/organization" {
		return next
	}
	return "/"
}
