package outbound

import "errors"

// The reasons for which this package refuses a call. Anything else that Fetch and the client return is a failure of the
// network or of the other side.
var (
	// ErrAddress means that the address to connect to is not public and not allowed by Config.Allow.
	ErrAddress = errors.New("outbound: the address is not a public one")
	// ErrURL means that a URL is not absolute, has another scheme than https (or http, with Config.Plain), or carries a
	// user name.
	ErrURL = errors.New("outbound: the URL is not acceptable")
	// ErrRedirect means that the other side answered with a redirect that is not allowed.
	ErrRedirect = errors.New("outbound: redirect refused")
	// ErrTooLarge means that a body is longer than allowed. What was read of it is of no use.
	ErrTooLarge = errors.New("outbound: the answer is too large")
	// ErrConfig means that a Config is not acceptable; the wrapping text says which field.
	ErrConfig = errors.New("outbound: the configuration is not acceptable")
)
