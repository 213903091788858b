package recovery

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

type linkQuery struct {
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"The host's page for the new password"`
}

type pageQuery struct {
	Done string `json:"done" maxLength:"1" description:"1 shows that the password is set"`
}

// Follow answers GET /reset-password/{token}, the address in the mail. It consumes
// nothing: with a callbackURL it leads there, with the token or, for a dead link,
// with error in the query; without one it leads to the page of ours (rule R24).
func (h *Handler) Follow(w http.ResponseWriter, r *http.Request) {
	var query linkQuery
	err := route.DecodeQuery(r, &query)
	if err == nil {
		err = h.judge(query.CallbackURL)
	}
	raw := r.PathValue("token")
	switch {
	case err == nil && query.CallbackURL != "":
		h.leadOn(w, r, raw, query.CallbackURL)
	case !page.Wants(r) && err == nil:
		problem.Write(w, r, link.ErrConfirmWithPost)
	case !page.Wants(r):
		problem.Write(w, r, err)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	default:
		h.links.Park(w, raw, "../reset-password")
	}
}

// leadOn hands the secret to the host's own page. Only a link that works is told
// on: what else stands in the path could be anything.
func (h *Handler) leadOn(w http.ResponseWriter, r *http.Request, raw, callbackURL string) {
	_, err := h.svc.Account(r.Context(), raw)
	if err != nil && !errors.Is(err, token.ErrInvalid) {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	if err != nil {
		link.Fail(w, r, h.site.Pages, callbackURL, err)
		return
	}
	u, err := url.Parse(callbackURL)
	if err != nil {
		problem.Write(w, r, auth.ErrInvalidCallbackURL)
		return
	}
	values := u.Query()
	values.Set("token", raw)
	u.RawQuery = values.Encode()
	link.SeeOther(w, u.String())
}

// Page answers GET /reset-password: the built-in page.
func (h *Handler) Page(w http.ResponseWriter, r *http.Request) {
	var query pageQuery
	err := route.DecodeQuery(r, &query)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case query.Done != "":
		h.site.Pages.Write(w, r, http.StatusOK, page.Card{
			Title: "Your password is set", Tone: page.Success,
			Notice: "You can sign in with it now. All devices were signed out.", Links: []page.Link{{Href: "/", Text: "Go on"}},
		})
	default:
		h.show(w, r, http.StatusOK, nil)
	}
}

// show asks for the password of the account that the parked link belongs to.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, failure *problem.Error) {
	user, err := h.svc.Account(r.Context(), h.links.Secret(r))
	if err != nil {
		h.dead(w, r, err)
		return
	}
	least := h.svc.cfg.Users.PasswordPolicy().Least(false)
	card := page.Card{
		Title: "Choose a new password",
		Text:  []string{"It is for the account " + user.Display + ". All of its devices are signed out when you save it."},
		Form: &page.Form{
			Action: "reset-password", Submit: "Save the password", Username: user.Display,
			Hidden: []page.Hidden{{Name: "user", Value: user.ID}},
			Fields: []page.Field{{
				Name: "newPassword", Label: "New password", Type: "password", Autocomplete: "new-password", Required: true,
				MinLength: least, MaxLength: password.MaxLength, Hint: fmt.Sprintf("At least %d characters. A few unrelated words work well.", least),
			}},
		},
	}
	if failure != nil {
		card.Tone, card.Notice = page.Failure, failure.Message
	}
	card.Form.Nonce = h.site.Nonces.Issue(w, r)
	h.site.Pages.Write(w, r, status, card)
}

// finish answers the page's form.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, err error) {
	var failure *problem.Error
	switch {
	case err == nil:
		h.links.Leave(w)
		link.SeeOther(w, "reset-password?done=1")
	case errors.Is(err, token.ErrInvalid) || !errors.As(err, &failure):
		h.dead(w, r, err)
	case failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.site.Pages.WriteProblem(w, r, err)
	default:
		h.show(w, r, failure.Status(), failure)
	}
}

// dead answers a link that does not work, and everything else that keeps the page
// from being shown.
func (h *Handler) dead(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, token.ErrInvalid) {
		h.links.Leave(w)
	}
	link.Fail(w, r, h.site.Pages, "", err)
}
