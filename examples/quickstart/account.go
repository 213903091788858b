package main

import (
	"net/http"

	"github.com/tenon-go/tenon/auth/account"
)

// The forms in which people look after their own account. Each asks for the
// password: it is the fresh proof that such a change needs.

func (s *server) changePassword(w http.ResponseWriter, r *http.Request) {
	caller, err := s.app.Caller(r)
	if err == nil {
		params := account.PasswordParams{Current: r.PostFormValue("password"), New: r.PostFormValue("new")}
		_, grant, changeErr := s.app.Account.ChangePassword(r.Context(), caller, params)
		if err = changeErr; err == nil {
			s.app.RenewSession(w, r, grant)
		}
	}
	s.finish(w, r, "change-password", "/?changed", err)
}

func (s *server) changeEmail(w http.ResponseWriter, r *http.Request) {
	caller, err := s.prove(w, r)
	if err == nil {
		params := account.EmailParams{New: r.PostFormValue("email"), CallbackURL: "/?confirmed"}
		err = s.app.Account.RequestEmail(r.Context(), caller, params)
	}
	s.finish(w, r, "change-email", "/?asked", err)
}

func (s *server) deleteAccount(w http.ResponseWriter, r *http.Request) {
	caller, err := s.prove(w, r)
	if err == nil {
		err = s.app.Account.DeleteByPassword(r.Context(), caller, r.PostFormValue("password"))
	}
	if err == nil {
		err = s.app.SignOut(w, r) // forgets the cookie; the session is gone
	}
	s.finish(w, r, "delete-account", "/?deleted", err)
}

// prove steps up with the password of the form, and hands the browser the session's
// new token. With a second factor only that makes a session fresh: whoever did not
// prove it lately is refused by what comes next, and asked at /confirm.
func (s *server) prove(w http.ResponseWriter, r *http.Request) (account.Caller, error) {
	caller, err := s.app.Caller(r)
	if err != nil {
		return account.Caller{}, err
	}
	if caller.Principal.SecondFactor {
		return caller, s.app.Account.VerifyPassword(r.Context(), caller, r.PostFormValue("password"))
	}
	proof, err := s.app.Account.StepUp(r.Context(), caller, account.StepUpParams{Password: r.PostFormValue("password")})
	if err != nil {
		return account.Caller{}, err
	}
	s.app.RenewSession(w, r, proof.Grant)
	caller.Fresh = true
	return caller, nil
}

// finish leads on, or shows the form again with what the person can do about err.
func (s *server) finish(w http.ResponseWriter, r *http.Request, form, next string, err error) {
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
	case !s.settle(w, r, "/", err):
		s.refuse(w, r, home{ErrorIn: form}, err)
	}
}
