// Package route holds the one table of routes that drives the multiplexer, the
// OpenAPI document and the tests that try every route as everybody.
//
//	table := route.Table{{
//		Method: "POST", Path: "/sign-in/email", Access: route.Public, FirstFactor: true,
//		Summary: "Sign in with an address and a password",
//		Request: signInRequest{}, Response: signInResponse{}, Handler: h.SignIn,
//	}}
//	handler, err := table.Handler(route.Config{BaseURL: "https://app.example.com"})
//	mux.Handle("/api/auth/", http.StripPrefix("/api/auth", handler))
//
// # What every route gets
//
// A request passes, in this order: recovery from panics, CORS, the match of its
// path and method (404 and 405 as problems), the cross-origin check on unsafe
// methods (R16), Config.Wrap, the route's limits, its [Access], its [Guard] (R23)
// and at last its handler. Paths are matched byte by byte as they were sent: "//sign-in",
// "/sign-in/", "/sign%2Din" and "/a/../sign-in" are nobody's, so that what hangs
// on a route, such as a limit, cannot be walked around. GET routes answer HEAD.
//
// # Requests and answers
//
// [Decode] and [DecodeQuery] read what a route accepts into a struct whose tags
// are the rules (R26):
//
//	type signInRequest struct {
//		Email    string  `json:"email" required:"true" format:"email" maxLength:"320"`
//		Password string  `json:"password" required:"true" maxLength:"128" description:"The current password."`
//		Remember *bool   `json:"rememberMe"`
//		Note     string  `json:"note" multiline:"true" maxLength:"1000"`
//	}
//
// The tags are json or query (the name; a field without one is not accepted),
// required, minLength, maxLength (in code points), minItems, maxItems, minimum,
// maximum, enum (comma-separated), format (email, uuid and uri are checked, others
// only documented), opaque (any characters) and multiline (tab and line breaks).
// Strings without a maxLength are bounded by [DefaultMaxLength]. null is accepted
// for pointers, maps, slices and raw JSON only. A required string is not empty.
//
// All field errors of a request are reported together, up to a bound.
//
// # Concurrency
//
// A Table is not changed after Handler. Handlers and functions are safe for
// concurrent use.
package route
