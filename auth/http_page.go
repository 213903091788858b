package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// cookieLink is the name of the cookie that holds the secret of a mailed link
// while its page is open (rule R24).
const cookieLink = "link"

// here is the address of the page without its secret.
func here(query verifyQuery) string {
	values := url.Values{}
	for name, value := range map[string]string{
		"callbackURL": query.CallbackURL, "errorCallbackURL": query.ErrorCallbackURL, "new": query.New, "done": query.Done,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return "verify-email"
	}
	return "verify-email?" + values.Encode()
}

// showVerify shows what the parked link confirms, and asks for what is missing.
func (h *Handler) showVerify(w http.ResponseWriter, r *http.Request, query verifyQuery, status int, failure *problem.Error) {
	signUp, sameBrowser, err := h.svc.WaitingSignUp(r.Context(), h.links.Secret(r), h.Browser(r))
	if err != nil {
		h.deadLink(w, r, query, err)
		return
	}
	card := page.Card{
		Title: "Confirm your address",
		Text:  []string{"Is " + signUp.Display + " yours? Confirm it to finish signing up."},
		Form: &page.Form{
			Action: here(query), Submit: "Confirm " + signUp.Display,
			Hidden: []page.Hidden{{Name: "signUp", Value: signUp.ID}},
		},

		RedirectTo: query.CallbackURL,
	}
	if !sameBrowser {
		card.Form.Username = signUp.Display
		h.askProof(&card, query)
	}
	if failure != nil {
		card.Tone, card.Notice = page.Failure, failure.Message
	}
	card.Form.Nonce = h.site.Nonces.Issue(w, r)
	h.site.Pages.Write(w, r, status, card)
}

// askProof asks somebody who opens the link in another browser for the password
// of the sign-up, or for a new one (rule R5).
func (h *Handler) askProof(card *page.Card, query verifyQuery) {
	other := query
	if query.New != "" {
		least := h.svc.PasswordPolicy().Least(false)
		other.New = ""
		card.Text = append(card.Text, "Choose a new password. Whatever was typed at sign-up is dropped.")
		card.Form.Fields = []page.Field{
			{Name: "name", Label: "Your name", Autocomplete: "name", MaxLength: maxNameLength, Required: true},
			{
				Name: "newPassword", Label: "New password", Type: "password", Autocomplete: "new-password", Required: true,
				MinLength: least, MaxLength: password.MaxLength, Hint: fmt.Sprintf("At least %d characters. A few unrelated words work well.", least),
			},
		}
		card.Links = []page.Link{{Href: here(other), Text: "I know the password from sign-up"}}
		return
	}
	other.New = "1"
	card.Text = append(card.Text, "You opened the link in another browser than the one that signed up. "+
		"Enter the password that you chose there, so that nobody else's password ends up on your account.")
	card.Form.Fields = []page.Field{{
		Name: "password", Label: "Password from sign-up", Type: "password", Autocomplete: "current-password",
		MaxLength: password.MaxLength, Required: true,
	}}
	card.Links = []page.Link{{Href: here(other), Text: "I did not choose it, or forgot it: choose a new password"}}
}

// finishVerify answers the page's form.
func (h *Handler) finishVerify(w http.ResponseWriter, r *http.Request, query verifyQuery, err error) {
	var failure *problem.Error
	switch {
	case err == nil:
		h.links.Leave(w)
		link.SeeOther(w, cmp.Or(query.CallbackURL, "verify-email?done=1"))
	case errors.Is(err, token.ErrInvalid) || !errors.As(err, &failure):
		h.deadLink(w, r, query, err)
	case failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.site.Pages.WriteProblem(w, r, err)
	default:
		h.showVerify(w, r, query, failure.Kind.Status(), failure)
	}
}

// deadLink answers a link that does not work: at the host's own page if it named
// one, else here.
func (h *Handler) deadLink(w http.ResponseWriter, r *http.Request, query verifyQuery, err error) {
	if !errors.Is(err, token.ErrInvalid) {
		h.site.Pages.WriteProblem(w, r, err)
		return
	}
	h.links.Leave(w)
	link.Fail(w, r, h.site.Pages, cmp.Or(query.ErrorCallbackURL, query.CallbackURL), err)
}
