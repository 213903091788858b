// Package page renders the library's own HTML pages: small cards that work
// without JavaScript, in every browser, in light and dark.
//
//	layout, err := page.New(page.Config{ProductName: "Acme"})
//	nonces := page.NewNonces(cookies)
//	...
//	layout.Write(w, r, http.StatusOK, page.Card{
//		Title: "Confirm your e-mail address",
//		Text:  []string{"You are confirming ada@example.com."},
//		Form:  &page.Form{Action: "verify-email", Nonce: nonces.Issue(w, r), Submit: "Confirm"},
//	})
//
// # Security
//
// Every page carries the headers of rule R24: a Content-Security-Policy that
// allows nothing but its own stylesheet, named by hash, and forms to this site;
// no framing, no sniffing, no caching, no referrer for other sites. Text is
// escaped by html/template, and there is no way to pass markup in.
//
// A form carries a nonce, which [Nonces] keeps in a cookie as well: the pair
// proves that the form is from a page this browser was given. [Nonces.Check] is
// what route.Config.Nonce wants.
//
// All values are safe for concurrent use.
package page
