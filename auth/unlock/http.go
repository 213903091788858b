package unlock

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the page. Defaults to nothing.
	ProductName string
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that
// route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc   Service
	site  link.Site
	links link.Parking
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("unlock: handler: a Service is required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName})
	if err != nil {
		return nil, fmt.Errorf("unlock: handler: %w", err)
	}
	return &Handler{svc: svc, site: site, links: site.Parking("unlock")}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/unlock-account", Access: route.Public,
			Summary: "Show the page of a mailed link that unlocks an account; it consumes nothing",
			Request: query{}, Handler: h.Page,
		},
		{
			Method: http.MethodPost, Path: "/unlock-account", Access: route.Public, Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Let new devices sign in again, with the secret of a mailed link",
			Request: request{}, Query: query{}, Response: response{}, Handler: h.Unlock,
		},
	}
}

type query struct {
	Token string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	Done  string `json:"done" maxLength:"1" description:"1 shows that the account is unlocked"`
}

type request struct {
	Token string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
}

type response struct {
	Status bool `json:"status"`
}

// here is the page without the secret, relative to itself.
const here = "unlock-account"

// Page answers GET /unlock-account: with a token it parks it in a cookie and drops
// it from the address, without one it shows what there is to unlock.
func (h *Handler) Page(w http.ResponseWriter, r *http.Request) {
	var q query
	err := route.DecodeQuery(r, &q)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case q.Token != "":
		h.links.Park(w, q.Token, here)
	case q.Done != "":
		h.site.Pages.Write(w, r, http.StatusOK, page.Card{
			Title: "Signing in is unlocked", Tone: page.Success,
			Notice: "You can sign in on a new device now.", Links: []page.Link{{Href: "/", Text: "Go on"}},
		})
	default:
		h.show(w, r)
	}
}

// show asks for the confirmation of the parked link.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) {
	user, err := h.svc.Unlockable(r.Context(), h.links.Secret(r))
	if err != nil {
		h.dead(w, r, err)
		return
	}
	h.site.Pages.Write(w, r, http.StatusOK, page.Card{
		Title: "Unlock signing in",
		Text: []string{
			"There were too many wrong attempts to sign in as " + user.Display + ", so only devices on which you signed in before are accepted.",
			"Unlock it to sign in on a new device. Nobody is signed in by this.",
		},
		Form: &page.Form{Action: here, Submit: "Unlock " + user.Display, Nonce: h.site.Nonces.Issue(w, r)},
	})
}

// Unlock answers POST /unlock-account. Programs get JSON, our own page gets
// redirects and pages.
func (h *Handler) Unlock(w http.ResponseWriter, r *http.Request) {
	var q query
	var body request
	err := route.DecodeQuery(r, &q)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		_, err = h.svc.UnlockByMail(r.Context(), h.links.Presented(r, body.Token, q.Token))
	}
	switch {
	case !link.IsForm(r) && err != nil:
		problem.Write(w, r, err)
	case !link.IsForm(r):
		route.WriteJSON(w, r, http.StatusOK, response{Status: true})
	case err != nil:
		h.dead(w, r, err)
	default:
		h.links.Leave(w)
		link.SeeOther(w, here+"?done=1")
	}
}

// dead answers a link that does not work.
func (h *Handler) dead(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, token.ErrInvalid) {
		h.links.Leave(w)
	}
	link.Fail(w, r, h.site.Pages, "", err)
}
