package account

import (
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

type linkQuery struct {
	Token            string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	CallbackURL      string `json:"callbackURL" maxLength:"2048" description:"Where the page leads when it is done"`
	ErrorCallbackURL string `json:"errorCallbackURL" maxLength:"2048" description:"Where the page leads when the link is dead. Defaults to callbackURL."`
	Done             string `json:"done" maxLength:"1" description:"1 shows that it is done"`
}

type linkRequest struct {
	Token string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
	Shown string `json:"shown" maxLength:"254" description:"What a page showed: the address to move to"`
}

// linkPage is the page of one kind of mailed link (rule R24). Each has a cookie of
// its own for the secret.
type linkPage struct {
	path   string // relative to the mount
	cookie string
	// card says what the link does, by its secret; without a form it can't be done
	// here.
	card func(r *http.Request, secret string) (page.Card, error)
	// done says that it was done.
	done page.Card
}

// name is the last part of the path: what a link on the page itself leads to.
func (p linkPage) name() string {
	for i := len(p.path) - 1; i >= 0; i-- {
		if p.path[i] == '/' {
			return p.path[i+1:]
		}
	}
	return p.path
}

// here is the address of the page without its secret.
func (p linkPage) here(query linkQuery, done bool) string {
	if done {
		return link.Here(p.name(), map[string]string{"done": "1"})
	}
	return link.Here(p.name(), map[string]string{"callbackURL": query.CallbackURL, "errorCallbackURL": query.ErrorCallbackURL})
}

// linkQuery reads the query, and refuses targets that are not allowed.
func (h *Handler) linkQuery(r *http.Request) (linkQuery, error) {
	var query linkQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		return linkQuery{}, err
	}
	for _, target := range []string{query.CallbackURL, query.ErrorCallbackURL} {
		if _, err := h.callback(target); err != nil {
			return linkQuery{}, err
		}
	}
	return query, nil
}

// showLink answers a GET. It consumes nothing: with a token it parks it in a cookie
// and drops it from the address, without one it shows what there is to do.
func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, p linkPage) {
	query, err := h.linkQuery(r)
	switch {
	case err != nil && page.Wants(r):
		h.site.Pages.WriteProblem(w, r, err)
	case err != nil:
		problem.Write(w, r, err)
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case query.Token != "":
		h.site.Parking(p.cookie).Park(w, query.Token, p.here(query, false))
	case query.Done != "":
		card := p.done
		card.Tone, card.Links = page.Success, []page.Link{{Href: "/", Text: "Go on"}}
		h.site.Pages.Write(w, r, http.StatusOK, card)
	default:
		h.showCard(w, r, p, query, nil)
	}
}

// showCard shows what the parked link does, with what went wrong, if anything.
func (h *Handler) showCard(w http.ResponseWriter, r *http.Request, p linkPage, query linkQuery, failure *problem.Error) {
	card, err := p.card(r, h.site.Parking(p.cookie).Secret(r))
	if err != nil {
		h.deadLink(w, r, p, query, err)
		return
	}
	status := http.StatusOK
	if failure != nil {
		status, card.Tone, card.Notice = failure.Kind.Status(), page.Failure, failure.Message
	}
	if card.Form != nil {
		card.RedirectTo = query.CallbackURL
		card.Form.Action, card.Form.Nonce = p.here(query, false), h.site.Nonces.Issue(w, r)
	}
	h.site.Pages.Write(w, r, status, card)
}

// deadLink answers a link that does not work: at the host's own page if it named
// one, else here.
func (h *Handler) deadLink(w http.ResponseWriter, r *http.Request, p linkPage, query linkQuery, err error) {
	if !errors.Is(err, token.ErrInvalid) {
		h.site.Pages.WriteProblem(w, r, err, page.Link{Href: "/", Text: "Go on"})
		return
	}
	h.site.Parking(p.cookie).Leave(w)
	target := query.ErrorCallbackURL
	if target == "" {
		target = query.CallbackURL
	}
	link.Fail(w, r, h.site.Pages, target, err)
}

// actOnLink answers a POST. Act gets the secret and what the page showed; programs
// get what it returns as JSON, our own page gets redirects and pages.
func (h *Handler) actOnLink(w http.ResponseWriter, r *http.Request, p linkPage, act func(secret, shown string) (any, error)) {
	query, err := h.linkQuery(r)
	var body linkRequest
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response, err := act(h.site.Parking(p.cookie).Presented(r, body.Token, query.Token), body.Shown)
	if !link.IsForm(r) {
		route.Respond(w, r, response, err)
		return
	}
	h.finishLink(w, r, p, query, err)
}

// finishLink answers the page's form.
func (h *Handler) finishLink(w http.ResponseWriter, r *http.Request, p linkPage, query linkQuery, err error) {
	var failure *problem.Error
	switch {
	case err == nil && query.CallbackURL != "":
		h.site.Parking(p.cookie).Leave(w)
		link.SeeOther(w, query.CallbackURL)
	case err == nil:
		h.site.Parking(p.cookie).Leave(w)
		link.SeeOther(w, p.here(query, true))
	case errors.Is(err, token.ErrInvalid) || !errors.As(err, &failure) || failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.deadLink(w, r, p, query, err)
	default:
		h.showCard(w, r, p, query, failure)
	}
}
