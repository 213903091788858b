package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

type verifyQuery struct {
	Token            string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	CallbackURL      string `json:"callbackURL" maxLength:"2048" description:"Where the page leads when it is done"`
	ErrorCallbackURL string `json:"errorCallbackURL" maxLength:"2048" description:"Where the page leads when the link is dead. Defaults to callbackURL."`
	New              string `json:"new" maxLength:"1" description:"1 shows the form for a new password"`
	Done             string `json:"done" maxLength:"1" description:"1 shows that the address is confirmed"`
}

type verifyRequest struct {
	Token       string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
	Password    string `json:"password" maxLength:"1024" description:"The password chosen at sign-up, from another browser"`
	NewPassword string `json:"newPassword" maxLength:"1024" description:"A new password; what was typed at sign-up is dropped"`
	SignUp      string `json:"signUp" maxLength:"64" description:"The id of the sign-up that a page showed"`
	Name        string `json:"name" maxLength:"128" description:"With newPassword: the name to call the user by"`
}

type verifyResponse struct {
	Status bool         `json:"status"`
	User   UserResponse `json:"user"`
}

// VerifyEmail answers POST /verify-email: it consumes the secret of a mailed
// link. Programs get JSON, our own page gets redirects and pages.
func (h *Handler) VerifyEmail(w http.ResponseWriter, r *http.Request) {
	query, err := h.verifyQuery(r)
	var body verifyRequest
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	user, err := h.svc.VerifyEmail(r.Context(), VerifyEmailParams{
		Token: h.links.Presented(r, body.Token, query.Token), SignUpID: body.SignUp, Browser: h.Browser(r), Password: body.Password,
		NewPassword: body.NewPassword, Name: body.Name, Client: ClientOf(r),
	})
	switch {
	case link.IsForm(r):
		h.finishVerify(w, r, query, err)
	case err != nil:
		problem.Write(w, r, err)
	default:
		route.WriteJSON(w, r, http.StatusOK, verifyResponse{Status: true, User: NewUserResponse(user)})
	}
}

// VerifyEmailPage answers GET /verify-email. It consumes nothing: with a token
// it parks it in a cookie and drops it from the address, without one it shows
// what there is to confirm.
func (h *Handler) VerifyEmailPage(w http.ResponseWriter, r *http.Request) {
	query, err := h.verifyQuery(r)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case query.Token != "":
		h.links.Park(w, query.Token, here(query))
	case query.Done != "":
		h.site.Pages.Write(w, r, http.StatusOK, page.Card{
			Title: "Your address is confirmed", Tone: page.Success,
			Notice: "Thank you. You can sign in now.", Links: []page.Link{{Href: "/", Text: "Go on"}},
		})
	default:
		h.showVerify(w, r, query, http.StatusOK, nil)
	}
}

// verifyQuery reads the query, and refuses targets that are not allowed.
func (h *Handler) verifyQuery(r *http.Request) (verifyQuery, error) {
	var query verifyQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		return verifyQuery{}, err
	}
	for _, target := range []string{query.CallbackURL, query.ErrorCallbackURL} {
		if _, err := h.callback(target); err != nil {
			return verifyQuery{}, err
		}
	}
	return query, nil
}

// cookieLink is the name of the cookie that holds the secret of a mailed link
// while its page is open (rule R24).
const cookieLink = "link"

// here is the address of the page without its secret.
func here(query verifyQuery) string {
	return link.Here("verify-email", map[string]string{
		"callbackURL": query.CallbackURL, "errorCallbackURL": query.ErrorCallbackURL, "new": query.New, "done": query.Done,
	})
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
		h.askProof(&card, query, len(signUp.Password) > 0)
	}
	if failure != nil {
		card.Tone, card.Notice = page.Failure, failure.Message
	}
	if card.Form != nil {
		card.Form.Nonce = h.site.Nonces.Issue(w, r)
	}
	h.site.Pages.Write(w, r, status, card)
}

// askProof asks somebody who opens the link in another browser for the password
// of the sign-up, if it has one, or for a new one (rule R5).
func (h *Handler) askProof(card *page.Card, query verifyQuery, passwordGiven bool) {
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
	if !passwordGiven {
		card.Text = append(card.Text, "You opened the link in another browser than the one that signed up. "+
			"Open it there, or choose a password here: then the account is yours by that password alone.")
		card.Links = []page.Link{{Href: here(other), Text: "Choose a password"}}
		card.Form = nil
		return
	}
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
