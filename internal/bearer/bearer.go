// Package bearer decides which requests get their session as a pair of tokens in
// the body instead of a cookie (rule R16).
package bearer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// Header is the request header by which a client chooses: "bearer", or "cookie"
// as without it.
const Header = "X-Token-Mode"

// The refusals.
var (
	// ErrUnavailable means that there are no bearer sessions here.
	ErrUnavailable = problem.New(problem.PermissionDenied, "BEARER_MODE_NOT_AVAILABLE",
		"This installation gives out no bearer tokens. Use cookies.")
	// ErrOrigin means that a browser asked, for a page that is not on the list.
	ErrOrigin = problem.New(problem.PermissionDenied, "BEARER_ORIGIN_NOT_ALLOWED",
		"Pages of this origin get no tokens. Use cookies, or add the origin to the bearer origins.")
	// ErrMode means that the header says neither "bearer" nor "cookie".
	ErrMode = problem.New(problem.Invalid, "INVALID_TOKEN_MODE", "X-Token-Mode must be bearer or cookie.")
)

// Policy knows who may have tokens. The zero Policy gives them to nobody.
type Policy struct {
	on      bool
	origins map[string]bool
}

// New returns a policy that gives tokens to programs if on is true, and to pages
// of the origins, which are written as browsers send them:
// "https://app.example.com".
func New(on bool, origins []string) (Policy, error) {
	p := Policy{on: on, origins: map[string]bool{}}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+strings.ToLower(u.Host) != origin {
			return Policy{}, fmt.Errorf("bearer origin %q: want scheme and host in lower case, such as https://app.example.com", origin)
		}
		p.origins[origin] = true
	}
	if !on && len(origins) > 0 {
		return Policy{}, errors.New("bearer origins without bearer sessions")
	}
	return p, nil
}

// Wants reports whether the request asks for tokens and may have them. It returns
// an error, to be answered before anything else is done, where it asks and may
// not.
func (p Policy) Wants(r *http.Request) (bool, error) {
	values := r.Header.Values(Header)
	switch {
	case len(values) == 0 || len(values) == 1 && strings.EqualFold(values[0], "cookie"):
		return false, nil
	case len(values) > 1 || !strings.EqualFold(values[0], "bearer"):
		return false, ErrMode
	}
	return true, p.Check(r)
}

// Check returns nil if an answer to the request may hold tokens. Browsers say by
// Origin or Sec-Fetch-Site that they are browsers, and no page can keep them from
// it.
func (p Policy) Check(r *http.Request) error {
	origins := r.Header.Values("Origin")
	switch {
	case !p.on:
		return ErrUnavailable
	case len(origins) == 0 && len(r.Header.Values("Sec-Fetch-Site")) == 0:
		return nil
	case len(origins) == 1 && p.origins[origins[0]]:
		return nil
	}
	return ErrOrigin
}

// Tokens is a pair of tokens as an answer's body holds it.
type Tokens struct {
	AccessToken           string     `json:"accessToken" description:"Send it as Authorization: Bearer."`
	AccessTokenExpiresAt  route.Time `json:"accessTokenExpiresAt"`
	RefreshToken          string     `json:"refreshToken" description:"It works once, at token/refresh."`
	RefreshTokenExpiresAt route.Time `json:"refreshTokenExpiresAt" description:"When the session ends if it is not used until then."`
}

// NewTokens writes a pair. The client holds the secrets from here on.
func NewTokens(access token.Secret, accessEnds time.Time, refresh token.Secret, refreshEnds time.Time) Tokens {
	return Tokens{
		AccessToken: access.Reveal(), AccessTokenExpiresAt: route.NewTime(accessEnds),
		RefreshToken: refresh.Reveal(), RefreshTokenExpiresAt: route.NewTime(refreshEnds),
	}
}
