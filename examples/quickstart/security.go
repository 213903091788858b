package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// security is the page on which people look after how they sign in.
type security struct {
	Me        *session.Identity
	On        bool // the second step
	Factors   auth.Factors
	Password  bool // the account has one
	MailCodes bool // this installation offers codes by mail
	Passkeys  []passkeyRow
	Trusted   []trustedRow
	Linked    []linkedRow
	Error     string
	ErrorIn   string // the form with the error
	Notice    string
}

// ask is a form that wants the password, where the account has one.
type ask struct {
	Title, Action, Button, Method, Account, Error string
	Password, Open                                bool
}

// Ask makes the form called name; method is what it turns on, if that is the question.
func (v security) Ask(name, action, button, title string, method ...string) ask {
	form := ask{Title: title, Action: action, Button: button, Method: strings.Join(method, ""), Password: v.Password, Account: v.Me.User.Email}
	if v.ErrorIn == name {
		form.Open, form.Error = true, v.Error
	}
	return form
}

func (s *server) securityRoutes(mux *http.ServeMux) {
	mux.Handle("GET /security", s.forUser("", s.security))
	for path, form := range map[string]userPage{
		"/security/app": s.enrol, "/security/app/confirm": s.confirmApp, "/security/codes": s.newCodes,
		"/security/on": s.turnOn, "/security/off": s.turnOff,
		"/security/devices/revoke": s.revokeTrusted,
	} {
		mux.Handle("POST "+path, s.forUser(tenon.RateLimitAccount, form))
	}
	if s.passkeys != nil {
		mux.Handle("POST /security/passkeys/rename", s.forUser(tenon.RateLimitAccount, s.renamePasskey))
		mux.Handle("POST /security/passkeys/delete", s.forUser(tenon.RateLimitAccount, s.deletePasskey))
	}
	if s.oauth != nil {
		s.providerRoutes(mux)
	}
	mux.Handle("GET /confirm", s.forUser("", s.confirmPage))
	mux.Handle("POST /confirm", s.forUser(tenon.RateLimitCode, s.confirm))
}

// userPage answers somebody who is signed in.
type userPage func(w http.ResponseWriter, r *http.Request, caller account.Caller)

// forUser sends whoever is not signed in to the page where they can be.
func (s *server) forUser(limit string, page userPage) http.Handler {
	next := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.app.Caller(r)
		switch {
		case problem.KindOf(err) == problem.Unauthenticated:
			http.Redirect(w, r, "/?first", http.StatusSeeOther)
		case err != nil:
			s.fail(w, r, err)
		default:
			page(w, r, caller)
		}
	}))
	if limit != "" {
		next = s.app.RateLimit(limit, next)
	}
	return s.app.Middleware(next)
}

// notice says what has just been done: what led here names it in the query.
func notice(r *http.Request, done map[string]string) string {
	for name, text := range done {
		if r.URL.Query().Has(name) {
			return text
		}
	}
	return ""
}

func (s *server) security(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := security{Notice: notice(r, map[string]string{
		"off":          "Signing in takes one step again. The app and the recovery codes are void.",
		"on":           "From now on we mail you a code when you sign in.",
		"added":        "The passkey is added. You are signed out on all other devices.",
		"renamed":      "The passkey has its new name.",
		"deleted":      "The passkey is deleted here. Delete it on the device, too.",
		"revoked":      "That browser is asked for the second step again.",
		"connected":    "The account is connected. It signs you in from now on. You are signed out on all other devices.",
		"disconnected": "The account is disconnected. You are signed out on all other devices.",
		"again":        "Thank you. Now go on with what you wanted to do.",
	})}
	s.showSecurity(w, r, caller, http.StatusOK, view)
}

// showSecurity renders the page with what the account has.
func (s *server) showSecurity(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view security) {
	factors, err := s.app.TwoFactor.Factors(r.Context(), caller.Principal.UserID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if view.Passkeys, err = s.passkeyRows(r, caller); err != nil {
		s.fail(w, r, err)
		return
	}
	if view.Trusted, err = s.trustedRows(r, caller); err != nil {
		s.fail(w, r, err)
		return
	}
	ways, err := s.app.Account.Accounts(r.Context(), caller)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.Password, view.Linked = hasPassword(ways), s.linkedRows(ways)
	if me, ok := session.FromContext(r.Context()); ok {
		view.Me = &me
	}
	view.Factors, view.On, view.MailCodes = factors, caller.Principal.SecondFactor || factors.MailCode, s.mailCodes
	s.render(w, r, status, "security.html", view)
}

func hasPassword(ways []account.Account) bool {
	return slices.ContainsFunc(ways, func(a account.Account) bool { return a.ProviderID == account.ProviderCredential })
}

// settle answers err where it is none of the form's: somebody has to prove again who
// they are, was wrong too often, or it is our fault. It reports whether it did.
func (s *server) settle(w http.ResponseWriter, r *http.Request, page string, err error) bool {
	var p *problem.Error
	switch {
	case !errors.As(err, &p) || p.Kind == problem.Internal || p.Kind == problem.Unavailable:
		s.fail(w, r, err)
	case p.Code == account.ErrNotFresh.Code: // whichever package says so
		http.Redirect(w, r, "/confirm?next="+page, http.StatusSeeOther)
	case p.Code == account.ErrSessionEnded.Code:
		if err := s.app.SignOut(w, r); err != nil {
			s.fail(w, r, err)
			return true
		}
		http.Redirect(w, r, "/?ended", http.StatusSeeOther)
	default:
		return false
	}
	return true
}

// finishSecurity leads on, or shows the form again with what the person can do about
// err.
func (s *server) finishSecurity(w http.ResponseWriter, r *http.Request, caller account.Caller, form, next string, err error) {
	var p *problem.Error
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
	case !s.settle(w, r, "/security", err) && errors.As(err, &p):
		s.showSecurity(w, r, caller, p.Kind.Status(), security{Error: p.Message, ErrorIn: form})
	}
}

// ago says in words how long t is over.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return count(int(d/time.Hour), "hour") + " ago"
	default:
		return day(now, t)
	}
}

// day says in words on which day t was, in UTC.
func day(now, t time.Time) string {
	midnight := func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
	switch days := int(midnight(now).Sub(midnight(t)) / (24 * time.Hour)); {
	case days <= 0:
		return "today"
	case days == 1:
		return "yesterday"
	case days < 30:
		return count(days, "day") + " ago"
	default:
		return t.UTC().Format("2 January 2006")
	}
}
