package provider

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/tenon-go/tenon/token"
)

const maxCode = 4 << 10

// Callback is what the browser brought back, and what was kept for it.
type Callback struct {
	// Code, Error and Issuer are the parameters code, error and iss.
	Code   token.Secret
	Error  string
	Issuer string
	// User is the parameter user, which Apple sends once, to get the name from. It came through the browser, so nothing
	// else is taken from it. Optional.
	User string
	// Verifier, Nonce and RedirectURI are those of the AuthRequest. Required; Nonce for OpenID Connect.
	Verifier    token.Secret
	Nonce       string
	RedirectURI string
}

// Tokens are what the provider granted. They never print themselves.
type Tokens struct {
	// Access is the bearer token for the provider's API.
	Access token.Secret
	// Refresh gets the next Access. Empty where the provider grants none.
	Refresh token.Secret
	// ID is the ID token as it was verified, empty after Refresh.
	ID token.Secret
	// ExpiresAt is when Access runs out, zero where the provider does not say.
	ExpiresAt time.Time
	// Scopes are what was granted; nil where the provider does not say, which means what was asked for (RFC 6749
	// section 5.1).
	Scopes []string
}

// SignIn is what an exchange proved, and what it granted.
type SignIn struct {
	// Identity is who signed in.
	Identity Identity
	// Tokens are the provider's.
	Tokens Tokens
}

// Exchange judges the callback, exchanges the code and finds out who it is. It asks the provider once for each: a code is
// never tried again. State, browser and single use are the caller's to judge, before. Errors: ErrCallback and ErrDenied
// before the code goes anywhere; ErrCodeRefused, ErrMisconfigured, ErrInvalidIDToken, ErrProfile; ErrUnavailable, after
// which nobody signed in; ErrRequest.
func (c *Client) Exchange(ctx context.Context, cb Callback) (SignIn, error) {
	e, err := c.endpoints(ctx)
	if err != nil {
		return SignIn{}, err
	}
	if err := c.judge(cb, e); err != nil {
		return SignIn{}, err
	}
	tokens, err := c.redeem(ctx, e, cb)
	if err != nil {
		return SignIn{}, err
	}
	profile, err := c.profile(ctx, e, tokens, cb.Nonce)
	if err != nil {
		return SignIn{}, err
	}
	identity, err := c.p.identify(profile)
	if err != nil {
		return SignIn{}, err
	}
	// Any tenant that is admitted could have been named before there was a token (RFC 9207).
	if c.p.tenant != "" && cb.Issuer != "" && cb.Issuer != identity.Issuer {
		return SignIn{}, because(ErrCallback, ErrIssuer)
	}
	if c.p.Emails != nil {
		if err := c.addEmail(ctx, tokens.Access, &identity); err != nil {
			return SignIn{}, err
		}
	}
	c.addName(&identity, cb.User)
	return SignIn{Identity: identity, Tokens: tokens}, nil
}

// judge looks at the callback before the code goes anywhere: to another provider's token endpoint least of all (RFC 9207).
func (c *Client) judge(cb Callback, e endpoints) error {
	switch {
	case !c.p.answers(cb.Issuer, e.iss):
		return because(ErrCallback, ErrIssuer)
	case cb.Error != "":
		return callbackError(cb.Error)
	case cb.Code.IsZero() || len(cb.Code.Reveal()) > maxCode:
		return because(ErrCallback, errors.New("there is no code"))
	case !plainVerifier.MatchString(cb.Verifier.Reveal()) || cb.RedirectURI == "":
		return because(ErrRequest, errors.New("verifier and redirect URI are required"))
	case c.wantsNonce() && cb.Nonce == "":
		return because(ErrRequest, errors.New("a nonce is required"))
	}
	return nil
}

// callbackError reads the error of RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6.
func callbackError(code string) error {
	reason := errors.New("the provider answered " + safeCode(code))
	switch code {
	case "access_denied", "user_cancelled_login", "user_cancelled_authorize", "user_cancelled_authorization",
		"login_required", "consent_required", "interaction_required", "account_selection_required":
		return because(ErrDenied, reason)
	case "temporarily_unavailable", "server_error":
		return because(ErrUnavailable, reason)
	}
	return because(ErrMisconfigured, reason)
}

var plainCode = regexp.MustCompile(`^[A-Za-z_]{1,64}$`)

// safeCode keeps what somebody else wrote out of logs unless it is a word.
func safeCode(code string) string {
	if plainCode.MatchString(code) {
		return code
	}
	return "with an error"
}

func (c *Client) redeem(ctx context.Context, e endpoints, cb Callback) (Tokens, error) {
	cfg, call, err := c.tokenCall(e, cb.RedirectURI)
	if err != nil {
		return Tokens{}, err
	}
	var options []oauth2.AuthCodeOption
	if !c.p.noPKCE {
		options = append(options, oauth2.VerifierOption(cb.Verifier.Reveal()))
	}
	got, err := cfg.Exchange(call.context(ctx), cb.Code.Reveal(), options...)
	if err != nil {
		return Tokens{}, call.reason(err, ErrCodeRefused)
	}
	return c.tokens(got)
}

// Refresh gets a new access token. The refresh token of the answer replaces the old one, which may be the same. Errors:
// ErrGrantEnded, which no repetition changes; ErrMisconfigured; ErrUnavailable, after which the old token may have been
// used up all the same.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret) (Tokens, error) {
	if refresh.IsZero() {
		return Tokens{}, because(ErrGrantEnded, errors.New("there is no refresh token"))
	}
	e, err := c.endpoints(ctx)
	if err != nil {
		return Tokens{}, err
	}
	cfg, call, err := c.tokenCall(e, "")
	if err != nil {
		return Tokens{}, err
	}
	got, err := cfg.TokenSource(call.context(ctx), &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	if err != nil {
		return Tokens{}, call.reason(err, ErrGrantEnded)
	}
	tokens, err := c.tokens(got)
	tokens.ID = token.Secret{} // nobody verified it
	return tokens, err
}

// tokens reads the answer of a token endpoint.
func (c *Client) tokens(got *oauth2.Token) (Tokens, error) {
	id, _ := got.Extra("id_token").(string)
	if got.TokenType != "" && !strings.EqualFold(got.TokenType, "bearer") {
		return Tokens{}, because(ErrMisconfigured, ErrTokenType)
	}
	if max(len(got.AccessToken), len(got.RefreshToken), len(id)) > MaxToken {
		return Tokens{}, because(ErrInvalidIDToken, ErrMalformed)
	}
	t := Tokens{Access: token.NewSecret(got.AccessToken), Scopes: granted(got.Extra("scope"))}
	if got.RefreshToken != "" {
		t.Refresh = token.NewSecret(got.RefreshToken)
	}
	if id != "" && c.p.OpenIDConnect() { // nobody looks at another's
		t.ID = token.NewSecret(id)
	}
	if life := lifetime(got); life > 0 {
		t.ExpiresAt = c.cfg.Now().UTC().Add(life).Truncate(time.Microsecond)
	}
	return t, nil
}

// lifetime is what the provider said. Token.Expiry is by another clock than ours.
func lifetime(got *oauth2.Token) time.Duration {
	seconds := got.ExpiresIn
	if n, ok := got.Extra("expires_in").(int64); ok && seconds == 0 {
		seconds = n // of a form-encoded answer
	}
	return time.Duration(min(max(seconds, 0), 1<<31)) * time.Second
}

// granted reads scopes apart by spaces, by commas (GitHub) or as a list (Twitch).
func granted(scope any) []string {
	var scopes []string
	switch scope := scope.(type) {
	case string:
		scopes = strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		for _, s := range scope {
			if text, ok := s.(string); ok {
				scopes = append(scopes, text)
			}
		}
	}
	return slices.DeleteFunc(scopes, func(s string) bool { return !plainScope.MatchString(s) })
}
