package passwordless

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

type sendLinkRequest struct {
	Email              string `json:"email" required:"true" maxLength:"254" description:"The address to sign in with"`
	Name               string `json:"name" maxLength:"128" description:"What a new user is called"`
	CallbackURL        string `json:"callbackURL" maxLength:"2048" description:"Where the page of the mailed link leads"`
	NewUserCallbackURL string `json:"newUserCallbackURL" maxLength:"2048" description:"Where it leads new users. Defaults to callbackURL."`
	ErrorCallbackURL   string `json:"errorCallbackURL" maxLength:"2048" description:"Where it leads when the link is dead. Defaults to callbackURL."`
}

type sendLinkResponse struct {
	Status bool `json:"status"`
}

// SendLink answers POST /sign-in/magic-link: always alike.
func (h *Handler) SendLink(w http.ResponseWriter, r *http.Request) {
	var body sendLinkRequest
	err := route.Decode(r, &body)
	if err == nil {
		err = h.judge(body.CallbackURL, body.NewUserCallbackURL, body.ErrorCallbackURL)
	}
	var flow token.Secret
	if err == nil {
		flow, err = h.svc.SendLink(r.Context(), LinkParams{
			Email: body.Email, Name: body.Name, CallbackURL: body.CallbackURL, NewUserCallbackURL: body.NewUserCallbackURL,
			ErrorCallbackURL: body.ErrorCallbackURL, Flow: h.Flow(r), Client: auth.ClientOf(r),
		})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.KeepFlow(w, flow)
	route.WriteJSON(w, r, http.StatusOK, sendLinkResponse{Status: true})
}

type linkQuery struct {
	Token              string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	CallbackURL        string `json:"callbackURL" maxLength:"2048" description:"Where the page leads when it is done"`
	NewUserCallbackURL string `json:"newUserCallbackURL" maxLength:"2048" description:"Where it leads new users. Defaults to callbackURL."`
	ErrorCallbackURL   string `json:"errorCallbackURL" maxLength:"2048" description:"Where it leads when the link is dead. Defaults to callbackURL."`
}

type useLinkRequest struct {
	Token   string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
	Link    string `json:"link" maxLength:"64" description:"The id of the link that a page showed"`
	Confirm *bool  `json:"confirm" description:"true says that the person was told whose account it is. Scripts in a browser that did not ask for the link need it."`
}

func (h *Handler) linkQuery(r *http.Request) (linkQuery, error) {
	var query linkQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		return linkQuery{}, err
	}
	return query, h.judge(query.CallbackURL, query.NewUserCallbackURL, query.ErrorCallbackURL)
}

// here is the address of the page without its secret.
func here(query linkQuery) string {
	return link.Here("verify", map[string]string{
		"callbackURL": query.CallbackURL, "newUserCallbackURL": query.NewUserCallbackURL, "errorCallbackURL": query.ErrorCallbackURL,
	})
}

// UseLink answers POST /magic-link/verify: it consumes the secret of a mailed link
// and signs in. Programs get JSON, our own page gets redirects and pages.
func (h *Handler) UseLink(w http.ResponseWriter, r *http.Request) {
	query, err := h.linkQuery(r)
	var body useLinkRequest
	if err == nil {
		err = route.Decode(r, &body)
	}
	form, tokens := link.IsForm(r), false
	if err == nil && !form {
		tokens, err = h.auth.WantsTokens(r)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	attempt := auth.AttemptParams{
		Bearer: tokens, CallbackURL: query.CallbackURL, TrustedDevice: h.auth.TrustedDevice(r), Client: auth.ClientOf(r),
	}
	result, err := h.svc.UseLink(r.Context(), UseLinkParams{
		Token: h.links.Presented(r, body.Token, query.Token), LinkID: body.Link, Flow: h.Flow(r), Attempt: attempt,
		NeedFlow: !form && isBrowser(r) && (body.Confirm == nil || !*body.Confirm),
	})
	switch {
	case err != nil && form:
		h.refuse(w, r, query, err)
		return
	case err != nil:
		problem.Write(w, r, err)
		return
	}
	if result.New {
		result.Outcome.CallbackURL = cmp.Or(query.NewUserCallbackURL, query.CallbackURL)
	}
	if form {
		h.links.Leave(w)
	}
	h.auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome, Page: form, Session: true})
}

// isBrowser reports whether a browser sent r: they say so, and no page can keep
// them from it.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// refuse answers the page's form.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, query linkQuery, err error) {
	failure, ok := errors.AsType[*problem.Error](err)
	switch {
	case errors.Is(err, token.ErrInvalid):
		h.dead(w, r, query, err)
	case !ok || failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.site.Pages.WriteProblem(w, r, err)
	default:
		h.show(w, r, query, failure.Status(), failure)
	}
}

// dead answers a link that does not work: at the host's own page if it named one,
// else here.
func (h *Handler) dead(w http.ResponseWriter, r *http.Request, query linkQuery, err error) {
	if !errors.Is(err, token.ErrInvalid) {
		h.site.Pages.WriteProblem(w, r, err)
		return
	}
	h.links.Leave(w)
	link.Fail(w, r, h.site.Pages, cmp.Or(query.ErrorCallbackURL, query.CallbackURL), err)
}

// LinkPage answers GET /magic-link/verify. It consumes nothing: with a token it
// parks it in a cookie and drops it from the address, without one it shows whom the
// link lets in (rule R24).
func (h *Handler) LinkPage(w http.ResponseWriter, r *http.Request) {
	query, err := h.linkQuery(r)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case query.Token != "":
		h.links.Park(w, query.Token, here(query))
	default:
		h.show(w, r, query, http.StatusOK, nil)
	}
}

// show names the account, the one that it would replace, and where the link came
// from.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, query linkQuery, status int, failure *problem.Error) {
	l, err := h.svc.PeekLink(r.Context(), h.links.Secret(r), h.Flow(r))
	if err != nil {
		h.dead(w, r, query, err)
		return
	}
	card := page.Card{
		Title: "Sign in", Text: []string{"Go on as " + l.Email + "?"},
		Form: &page.Form{
			Action: here(query), Submit: "Sign in as " + l.Email, Username: l.Email, Nonce: h.site.Nonces.Issue(w, r),
			Hidden: []page.Hidden{{Name: "link", Value: l.ID}},
		},
		RedirectTo: query.CallbackURL,
	}
	if l.UserID == "" {
		card.Title, card.Text = "Create your account", []string{"There is no account for " + l.Email + " yet. Go on to make one."}
		card.Form.Submit = "Create the account " + l.Email
		card.RedirectTo = cmp.Or(query.NewUserCallbackURL, query.CallbackURL)
	}
	if !l.SameBrowser {
		card.Text = append(card.Text, "This link was asked for in another browser or app, or some time ago. "+
			"Go on only if you asked for it yourself and this is your account: what you do after that, you do in it.")
	}
	replaced, err := h.replaced(r, l)
	if err != nil {
		h.site.Pages.WriteProblem(w, r, err)
		return
	}
	if replaced != "" {
		card.Text = append(card.Text, "You are signed in as "+replaced+". That ends in this browser when you go on.")
	}
	if failure != nil {
		card.Tone, card.Notice = page.Failure, failure.Message
	}
	h.site.Pages.Write(w, r, status, card)
}

// replaced names who is signed in and would not be any more, or nobody.
func (h *Handler) replaced(r *http.Request, l Link) (string, error) {
	who, ok := principal.FromContext(r.Context())
	if !ok || who.UserID == "" || who.UserID == l.UserID {
		return "", nil
	}
	user, err := h.svc.store.UserByID(r.Context(), who.UserID)
	if errors.Is(err, auth.ErrUserNotFound) {
		return "", nil
	}
	return user.Display, err
}
