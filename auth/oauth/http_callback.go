package oauth

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func (h *Handler) callbackRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/callback/{provider}", Access: route.Public, Guard: route.Provider, FirstFactor: true, Enrolment: true, Limit: route.LimitSignIn,
			Summary: "Where a provider sends browsers back to; finishes what they went there for",
			Status:  http.StatusSeeOther, Handler: h.Callback,
		},
		{
			Method: http.MethodPost, Path: "/callback/{provider}", Access: route.Public, Guard: route.Provider, Limit: route.LimitPublic,
			Summary: "The same for providers that post a form; it answers with the GET and reads nothing else",
			Status:  http.StatusSeeOther, Handler: h.PostedCallback,
		},
	}
}

// parameters are those that a provider's answer may have and we read.
func parameters() []string { return []string{"state", "code", "error", "iss", "user"} }

// only returns the parameters that we read. Whoever sends one of them twice sent none (RFC
// 6749 section 3.1).
func only(values url.Values) url.Values {
	kept := url.Values{}
	for _, name := range parameters() {
		switch all := values[name]; len(all) {
		case 0:
		case 1:
			kept.Set(name, all[0])
		default:
			return url.Values{}
		}
	}
	return kept
}

// private keeps the address of a callback out of other pages, and out of caches.
func private(w http.ResponseWriter) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
}

// PostedCallback answers POST /callback/{provider}. Browsers send no cookie with a form of
// another site, so that the GET has to do it all.
func (h *Handler) PostedCallback(w http.ResponseWriter, r *http.Request) {
	private(w)
	from, err := h.svc.provider(r.PathValue("provider"))
	if err == nil && r.ParseForm() != nil {
		err = route.ErrMalformedForm
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	link.SeeOther(w, h.svc.cfg.RedirectBase+from.ID()+"?"+only(r.PostForm).Encode())
}

// Callback answers GET /callback/{provider}. It is a navigation, and so are its answers
// (rule R25).
func (h *Handler) Callback(w http.ResponseWriter, r *http.Request) {
	private(w)
	query := only(r.URL.Query())
	params := CallbackParams{
		Provider: r.PathValue("provider"), State: query.Get("state"), Error: query.Get("error"), Issuer: query.Get("iss"), User: query.Get("user"),
		Browser: h.Browser(r), SignUp: h.cfg.Auth.Browser(r), TrustDevice: h.cfg.Auth.TrustedDevice(r),
		Caller: func() (account.Caller, error) { return h.cfg.Caller(r) },
		Client: auth.ClientOf(r),
	}
	if code := query.Get("code"); code != "" {
		params.Code = token.NewSecret(code)
	}
	result, err := h.svc.Callback(r.Context(), params)
	switch {
	case err != nil:
		h.fail(w, r, result.ErrorCallbackURL, err)
	case result.SignUp != nil:
		h.waits(w, r, result)
	case !result.Handoff.IsZero():
		h.handOver(w, r, result)
	case result.Linked:
		link.SeeOther(w, cmp.Or(result.CallbackURL, "/"))
	case !result.StepUp.FreshUntil.IsZero():
		h.cfg.SetSession(w, r, result.StepUp.Grant)
		link.SeeOther(w, cmp.Or(result.CallbackURL, "/"))
	default:
		h.cfg.Auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome, Page: true})
	}
}

// handOver sends a bearer client its code.
func (h *Handler) handOver(w http.ResponseWriter, r *http.Request, result Result) {
	target, err := url.Parse(result.CallbackURL)
	if err != nil {
		h.fail(w, r, result.ErrorCallbackURL, err)
		return
	}
	query := target.Query()
	query.Set("code", result.Handoff.Reveal())
	target.RawQuery = query.Encode()
	link.SeeOther(w, target.String())
}

// waits tells the browser of a sign-up that its address has to be proven first: the same
// whether it is free or taken (rule R7).
func (h *Handler) waits(w http.ResponseWriter, r *http.Request, result Result) {
	h.rememberSignUp(w, result)
	if result.ErrorCallbackURL != "" {
		link.Fail(w, r, h.site.Pages, result.ErrorCallbackURL, ErrEmailNotVerified)
		return
	}
	h.site.Pages.Write(w, r, http.StatusOK, page.Card{
		Title: "Check your mail",
		Text: []string{
			"One step is left: we sent a mail to " + result.Email + ".",
			"Open its link in this browser to confirm the address. Then sign in again.",
		},
		Links: []page.Link{{Href: "/", Text: "Go on"}},
	})
}

// rememberSignUp makes the browser known as the one that signed up (rule R5). A bearer
// client has none.
func (h *Handler) rememberSignUp(w http.ResponseWriter, result Result) {
	if !result.SignUp.Browser.IsZero() {
		h.cfg.Auth.RememberBrowser(w, *result.SignUp)
	}
}

// fail tells a browser what happened: at the host's own page if the flow named one, else
// here.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, target string, err error) {
	if target == "" || problem.KindOf(err) == problem.Internal { // which is logged there, and shown with the request's id
		h.site.Pages.WriteProblemAs(w, r, "That did not work", err, page.Link{Href: "/", Text: "Go on"})
		return
	}
	link.Fail(w, r, h.site.Pages, target, err)
}
