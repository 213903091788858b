// Package link is what the pages of mailed links have in common (rule R24).
//
// A GET with a token parks it in a short cookie and leads to the page without it,
// so that the secret is in no address that a page, a log or a referrer could
// show. Only a POST consumes it: from its body, its query, or, for our own form,
// from the cookie. All functions are safe for concurrent use.
package link

import (
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/problem"
)

// life is how long the secret stays parked while its page is open.
const life = 15 * time.Minute

// ErrConfirmWithPost answers a program that follows a mailed link.
var ErrConfirmWithPost = problem.New(problem.MethodNotAllowed, "CONFIRM_WITH_POST",
	"Opening a mailed link changes nothing. Send the token with POST to confirm.").WithAllow(http.MethodPost)

// Parking keeps the secret of a mailed link while its page is open. Each kind of
// link has a cookie of its own, so that two open pages do not mix.
type Parking struct {
	Cookies cookie.Policy
	// Name is the cookie's name after the prefix of the policy.
	Name string
}

// Park keeps the secret and answers 303 to the page without it. Page is relative
// to the page's own address, because the mount is not ours to know.
func (p Parking) Park(w http.ResponseWriter, secret, page string) {
	p.Cookies.Set(w, p.Name, secret, life)
	w.Header().Set("Referrer-Policy", "no-referrer")
	SeeOther(w, page)
}

// Here returns the address of a page without its secret: its name, relative to its own
// address, and those of the query's parameters that are not empty.
func Here(name string, query map[string]string) string {
	values := url.Values{}
	for parameter, value := range query {
		if value != "" {
			values.Set(parameter, value)
		}
	}
	if len(values) == 0 {
		return name
	}
	return name + "?" + values.Encode()
}

// Secret returns the parked secret, or "".
func (p Parking) Secret(r *http.Request) string { return p.Cookies.Get(r, p.Name) }

// Leave forgets the secret.
func (p Parking) Leave(w http.ResponseWriter) { p.Cookies.Clear(w, p.Name) }

// Presented returns the secret that a POST presents: our own form never has it in
// its address or its body, so there only the cookie counts.
func (p Parking) Presented(r *http.Request, body, query string) string {
	switch {
	case IsForm(r):
		return p.Secret(r)
	case body != "":
		return body
	}
	return query
}

// IsForm reports whether a form of our own pages was posted; the route's guard
// has checked that it is one.
func IsForm(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/x-www-form-urlencoded"
}

// SeeOther answers 303 with target as it is.
func SeeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// Fail answers a page whose link did not work: at the host's own page if target
// names one, with error=CODE added, else on a page of ours. Target must be empty
// or have passed the list of redirect targets.
func Fail(w http.ResponseWriter, r *http.Request, pages *page.Layout, target string, err error) {
	u, parseErr := url.Parse(target)
	if target == "" || parseErr != nil {
		pages.WriteProblem(w, r, err, page.Link{Href: "/", Text: "Go on"})
		return
	}
	values := u.Query()
	values.Set("error", problem.CodeOf(err))
	u.RawQuery = values.Encode()
	SeeOther(w, u.String())
}
