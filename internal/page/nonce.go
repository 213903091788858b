package page

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"

	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// ErrNonce means that a form did not come from a page this browser was given, or
// that the browser has been closed since.
var ErrNonce = problem.New(problem.PermissionDenied, "PAGE_EXPIRED", "This page has expired. Reload it and try again.")

// nonceCookie is the cookie's name after the prefix of the policy.
const nonceCookie = "page"

// nonceLength is that of rand.Text: at least 128 bits.
const nonceLength = 26

// Nonces hands out and checks the nonces of forms. One nonce serves all pages of
// a browser until it is closed, so that a second tab does not spoil the first.
type Nonces struct{ cookies cookie.Policy }

// NewNonces keeps nonces in cookies of that policy.
func NewNonces(cookies cookie.Policy) Nonces { return Nonces{cookies} }

// Issue returns the browser's nonce for Form.Nonce. It sets a cookie where there
// is none, and so comes before the page is written.
func (n Nonces) Issue(w http.ResponseWriter, r *http.Request) string {
	nonce := n.cookies.Get(r, nonceCookie)
	if len(nonce) != nonceLength {
		nonce = rand.Text()
		n.cookies.Set(w, nonceCookie, nonce, 0)
	}
	return nonce
}

// Check compares the form's nonce with the cookie's, in constant time. r's form
// must have been parsed. The error is ErrNonce.
func (n Nonces) Check(r *http.Request) error {
	want, got := n.cookies.Get(r, nonceCookie), r.PostForm[route.NonceField]
	if len(want) != nonceLength || len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(want)) != 1 {
		return ErrNonce
	}
	return nil
}
