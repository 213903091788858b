package main

import (
	"bytes"
	"embed"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy"
)

//go:embed web
var web embed.FS

// home is what the page shows. Form is what was typed, to be corrected.
type home struct {
	Me      *session.Identity
	Active  string // the name of the organization in which the session acts
	Devices []session.Device
	Unread  int // notifications
	Form    form
	Error   string
	ErrorIn string // the form with the error
	Notice  string
	Code    bool // ask for the code that was mailed
}

type form struct{ Name, Email string }

func (s *server) home(w http.ResponseWriter, r *http.Request) {
	var view home
	query := r.URL.Query()
	if query.Has("error") {
		view.Error = "That link does not work any more. Sign in, or sign up again to get a new one."
	}
	for name, notice := range map[string]string{
		"sent":      "Nearly there: open the mail that we sent you, in the mailbox, and confirm your address.",
		"verified":  "Your address is confirmed. Sign in with your password.",
		"bye":       "You are signed out.",
		"mailed":    "Look into the mailbox: if we can mail you there, it holds a link.",
		"changed":   "Your password is changed. You are signed out on all other devices.",
		"asked":     "Open the mail that went to your present address, in the mailbox, and confirm that you want to move.",
		"confirmed": "Thank you. If there is another mail for the new address, confirm that one, too.",
		"deleted":   "Your account is deleted.",
		"first":     "Sign in first.",
		"ended":     "That was wrong too often, and you are signed out. Sign in again.",
		"again":     "Thank you. Now go on with what you wanted to do.",
	} {
		if view.Error == "" && query.Has(name) {
			view.Notice = notice
		}
	}
	s.show(w, r, http.StatusOK, view)
}

// show renders the page with who is signed in.
func (s *server) show(w http.ResponseWriter, r *http.Request, status int, view home) {
	if err := session.LookupError(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	if me, ok := session.FromContext(r.Context()); ok {
		devices, err := s.app.Sessions.List(r.Context(), me.User.ID, me.Session.ID)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		view.Me, view.Devices = &me, devices
		o, _, err := s.app.Organizations.Membership(r.Context(), me.Session.OrganizationID, me.User.ID)
		if err != nil && !errors.Is(err, tenancy.ErrNotFound) { // none is active, or not any more
			s.fail(w, r, err)
			return
		}
		view.Active = o.Name
		if view.Unread, err = s.app.Notifications.UnreadCount(r.Context(), me.User.ID); err != nil {
			s.fail(w, r, err)
			return
		}
		if r.URL.Query().Has("verified") {
			view.Notice = "" // that of who comes from the mail, and is not signed in
		}
	}
	s.render(w, r, status, "home.html", view)
}

func (s *server) signUp(w http.ResponseWriter, r *http.Request) {
	view := home{Form: form{r.PostFormValue("name"), r.PostFormValue("email")}, ErrorIn: "sign-up"}
	result, err := s.app.Auth.SignUp(r.Context(), auth.SignUpParams{
		Name: view.Form.Name, Email: view.Form.Email, Password: r.PostFormValue("password"),
		CallbackURL: "/?verified", Browser: s.app.Browser(r), Client: s.app.Client(r),
	})
	if err != nil {
		s.refuse(w, r, view, err)
		return
	}
	s.app.RememberBrowser(w, result)
	http.Redirect(w, r, "/?sent", http.StatusSeeOther)
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	view := home{Form: form{Email: r.PostFormValue("email")}, ErrorIn: "sign-in"}
	_, outcome, err := s.app.Auth.SignIn(r.Context(), auth.SignInParams{
		Email: view.Form.Email, Password: r.PostFormValue("password"),
		BrowserOnly: r.PostFormValue("remember") == "", CallbackURL: "/?verified",
		Device: s.app.Device(r), TrustedDevice: s.app.TrustedDevice(r), Client: s.app.Client(r),
	})
	if err != nil {
		s.refuse(w, r, view, err)
		return
	}
	http.Redirect(w, r, s.app.Enter(w, r, outcome), http.StatusSeeOther) //nolint:gosec // a checked target
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.app.SignOut(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/?bye", http.StatusSeeOther)
}

// refuse shows the page again with what the person can do about err.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, view home, err error) {
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind == problem.Internal {
		s.fail(w, r, err)
		return
	}
	view.Error = p.Message
	s.show(w, r, p.Kind.Status(), view)
}

// fail answers what is not the person's fault.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.logger.ErrorContext(r.Context(), "quickstart: a page failed", "path", r.URL.Path, "error", err)
	status := http.StatusInternalServerError
	if problem.KindOf(err) == problem.Unavailable {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, "Something went wrong on our side. Please try again in a moment.", status)
}

// policy lets pages run our own scripts, none of them inline, and show the picture
// that is in the page of an authenticator app.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// render writes a page that may hold personal data.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, view); err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // who asked may be gone
}

// file serves one of the embedded files.
func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, web, name) }
}
