package main

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// enrolment is the page on which an authenticator app is set up. It carries what it
// shows in its form, because the server shows it once: the secret, and the recovery
// codes for the page after it.
type enrolment struct {
	URI     template.URL
	Picture template.URL // a PNG
	Secret  []string     // in groups
	Codes   []string
	Error   string
}

// recoveryPage shows recovery codes, once.
type recoveryPage struct {
	Title, Notice string
	Codes         []string
	Download      template.URL
}

// enrol starts with an authenticator app. Nothing is on before its first code.
func (s *server) enrol(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	enabled, err := s.app.TwoFactor.Enable(r.Context(), caller, twofactor.EnableParams{Password: r.PostFormValue("password")})
	if err != nil {
		s.finishSecurity(w, r, caller, "app", "", err)
		return
	}
	s.showEnrolment(w, r, http.StatusOK, enabled.URI, enrolment{Codes: enabled.RecoveryCodes})
}

func (s *server) showEnrolment(w http.ResponseWriter, r *http.Request, status int, uri token.Secret, view enrolment) {
	parsed, err := url.Parse(uri.Reveal())
	if err != nil || parsed.Scheme != "otpauth" || parsed.Query().Get("secret") == "" {
		http.Redirect(w, r, "/security", http.StatusSeeOther)
		return
	}
	picture, err := totp.QR(uri)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.URI = template.URL(uri.Reveal())                                                              //nolint:gosec // its scheme was looked at
	view.Picture = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)) //nolint:gosec // base64
	view.Secret = groups(parsed.Query().Get("secret"))
	s.render(w, r, status, "enrol.html", view)
}

// groups cuts a secret into pieces that people can read.
func groups(secret string) (all []string) {
	for piece := range slices.Chunk([]byte(secret), 4) {
		all = append(all, string(piece))
	}
	return all
}

// confirmApp turns the second step on by the app's first code.
func (s *server) confirmApp(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	code := r.PostFormValue("code")
	shown := r.PostForm["recovery"]
	_, grant, err := s.app.TwoFactor.VerifyInSession(r.Context(), caller, code)
	var p *problem.Error
	switch {
	case err == nil:
		s.app.RenewSession(w, r, grant)
		s.showCodes(w, r, "Two-step sign-in is on. You are signed out on all other devices.", shown)
	case !s.settle(w, r, "/security", err) && errors.As(err, &p):
		s.showEnrolment(w, r, p.Kind.Status(), token.NewSecret(r.PostFormValue("uri")), enrolment{Codes: shown, Error: p.Message})
	}
}

// showCodes shows recovery codes. Nobody can show them again.
func (s *server) showCodes(w http.ResponseWriter, r *http.Request, notice string, codes []string) {
	text := "Recovery codes for Quickstart\r\nEach works once, in the place of your second factor.\r\n\r\n" + strings.Join(codes, "\r\n") + "\r\n"
	s.render(w, r, http.StatusOK, "codes.html", recoveryPage{
		Title: "Your recovery codes", Notice: notice, Codes: codes,
		Download: template.URL("data:text/plain;charset=utf-8," + url.PathEscape(text)), //nolint:gosec // escaped
	})
}

// newCodes replaces the recovery codes.
func (s *server) newCodes(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	codes, err := s.app.TwoFactor.GenerateRecoveryCodes(r.Context(), caller, r.PostFormValue("password"))
	if err != nil {
		s.finishSecurity(w, r, caller, "codes", "", err)
		return
	}
	s.showCodes(w, r, "These are your new recovery codes. The earlier ones are void.", codes)
}

// turnOn makes the passkeys that are there, or codes by mail, the second step.
func (s *server) turnOn(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	enabled, err := s.app.TwoFactor.Enable(r.Context(), caller, twofactor.EnableParams{
		Method: r.PostFormValue("method"), Password: r.PostFormValue("password"),
	})
	if err != nil || len(enabled.RecoveryCodes) == 0 {
		s.finishSecurity(w, r, caller, "on", "/security?on", err)
		return
	}
	s.showCodes(w, r, "Two-step sign-in is on. You are signed out on all other devices.", enabled.RecoveryCodes)
}

func (s *server) turnOff(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	err := s.app.TwoFactor.Disable(r.Context(), caller, r.PostFormValue("password"))
	s.finishSecurity(w, r, caller, "off", "/security?off", err)
}
