package provider

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"golang.org/x/oauth2"

	"github.com/tenon-go/tenon/token"
)

// plainVerifier is RFC 7636's form of a code verifier.
var plainVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// NewVerifier returns a fresh code verifier for PKCE with 256 bits of crypto/rand (RFC 7636).
func NewVerifier() token.Secret { return token.NewSecret(oauth2.GenerateVerifier()) }

// AuthRequest is what one authorization asks for.
type AuthRequest struct {
	// State comes back with the callback. Required.
	State string
	// Nonce comes back inside the ID token. Required for OpenID Connect.
	Nonce string
	// Verifier is the secret of PKCE; only its SHA-256 leaves (S256). Required. See [NewVerifier].
	Verifier token.Secret
	// RedirectURI is where the callback arrives, exactly as it is registered. Required.
	RedirectURI string
	// Scopes are asked for besides the provider's.
	Scopes []string
	// LoginHint names the account, where it is known already.
	LoginHint string
	// Reauthenticate asks the provider to make the user sign in there again, whatever session there is. Whether it did
	// is in [Identity.AuthenticatedAt], and with OAuth 2 it is not to be known.
	Reauthenticate bool
}

// AuthCodeURL returns where to send the browser. The error is ErrRequest, or ErrUnavailable or ErrMisconfigured where the
// endpoints have to be discovered and cannot be.
func (c *Client) AuthCodeURL(ctx context.Context, r AuthRequest) (string, error) {
	switch {
	case r.State == "" || r.RedirectURI == "":
		return "", because(ErrRequest, errors.New("state and redirect URI are required"))
	case !plainVerifier.MatchString(r.Verifier.Reveal()):
		return "", because(ErrRequest, errors.New("a verifier is required: 43 to 128 unreserved characters"))
	case c.wantsNonce() && r.Nonce == "":
		return "", because(ErrRequest, errors.New("a nonce is required"))
	}
	for _, s := range r.Scopes {
		if !plainScope.MatchString(s) {
			return "", because(ErrRequest, errors.New("scopes must be words of printable ASCII"))
		}
	}
	e, err := c.endpoints(ctx)
	if err != nil {
		return "", err
	}
	cfg := c.oauth2(e, r.RedirectURI)
	for _, s := range r.Scopes {
		if !slices.Contains(cfg.Scopes, s) {
			cfg.Scopes = append(cfg.Scopes, s)
		}
	}
	return cfg.AuthCodeURL(r.State, c.options(r)...), nil
}

func (c *Client) wantsNonce() bool { return c.p.OpenIDConnect() && !c.p.noNonce }

// options are added in the order in which later ones win: the protocol's own last.
func (c *Client) options(r AuthRequest) []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	set := func(name, value string) { options = append(options, oauth2.SetAuthURLParam(name, value)) }
	for name, value := range c.p.AuthParams {
		set(name, value)
	}
	if r.LoginHint != "" {
		set("login_hint", r.LoginHint)
	}
	if r.Reauthenticate {
		set("prompt", "login")
		set("max_age", "0")
	}
	if c.p.FormPost {
		set("response_mode", "form_post")
	}
	if c.wantsNonce() {
		set("nonce", r.Nonce)
	}
	if !c.p.noPKCE {
		options = append(options, oauth2.S256ChallengeOption(r.Verifier.Reveal()))
	}
	return options
}

// oauth2 leaves out the secret; who needs it adds it.
func (c *Client) oauth2(e endpoints, redirectURI string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if e.style == Params {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID:    c.p.ClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: e.auth, TokenURL: e.token, AuthStyle: style},
		RedirectURL: redirectURI,
		Scopes:      slices.Clone(c.p.Scopes),
	}
}
