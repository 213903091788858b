package oauth

import (
	"context"
	"fmt"
	"regexp"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

// BeginParams say who is sent to a provider to sign in.
type BeginParams struct {
	// Provider is the id of a configured one.
	Provider string
	// CallbackURL, NewUserCallbackURL and ErrorCallbackURL are where the browser goes
	// when it is back: everybody, new users, and those who were refused. They must have
	// passed the list of redirect targets.
	CallbackURL, NewUserCallbackURL, ErrorCallbackURL string
	// Scopes are asked for besides the provider's.
	Scopes []string
	// LoginHint names the account, where it is known already.
	LoginHint string
	// Browser is the token that an earlier flow left in the browser, if any.
	Browser string
	// Bearer begins a flow that ends in a code for [Service.Redeem] (rule R16). It needs
	// CallbackURL, and Challenge: the unpadded base64url of the SHA-256 of a verifier
	// that only the client knows (RFC 7636).
	Bearer    bool
	Challenge string
}

// Begun is a flow on its way.
type Begun struct {
	// URL is where the browser goes. It holds the state, which is good once.
	URL string
	// Browser is to be kept by the browser for ten minutes: the flow ends there only. It
	// is empty for bearer clients.
	Browser token.Secret
}

var (
	plainScope     = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`) // RFC 6749 section 3.3
	plainChallenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// maxScopes is how many scopes a client may ask for.
const maxScopes = 20

// Begin sends somebody to a provider to sign in. Who they are, nobody knows yet. It
// refuses to run inside a transaction, because it may ask the provider where its pages
// are. Errors: ErrUnknownProvider, ErrScopes, ErrChallenge, ErrTooLong,
// provider.ErrUnavailable, auth.ErrInTransaction.
func (s *Service) Begin(ctx context.Context, p BeginParams) (Begun, error) {
	if p.Bearer != (p.Challenge != "") || p.Bearer && (p.CallbackURL == "" || !plainChallenge.MatchString(p.Challenge)) {
		return Begun{}, ErrChallenge
	}
	return s.begin(ctx, beginning{
		flow: flow{
			Provider: p.Provider, Purpose: toSignIn, Scopes: p.Scopes, Challenge: p.Challenge,
			CallbackURL: p.CallbackURL, NewUserCallbackURL: p.NewUserCallbackURL, ErrorCallbackURL: p.ErrorCallbackURL,
		},
		browser: p.Browser, loginHint: p.LoginHint,
	})
}

// beginning is a flow before it has a state, whatever it is for.
type beginning struct {
	flow           flow
	browser        string
	loginHint      string
	reauthenticate bool
}

// begin ties a flow to the browser and keeps it.
func (s *Service) begin(ctx context.Context, b beginning) (begun Begun, err error) {
	if s.store.InTransaction(ctx) {
		return Begun{}, auth.ErrInTransaction
	}
	p, err := s.provider(b.flow.Provider)
	if err != nil {
		return Begun{}, err
	}
	if err := judgeScopes(b.flow.Scopes); err != nil {
		return Begun{}, err
	}
	if !b.flow.bearer() {
		browser, err := s.browser(b.browser)
		if err != nil {
			return Begun{}, err
		}
		b.flow.Browser, begun.Browser = hashBrowser(browser), browser.Secret()
	}
	b.flow.RedirectURI = s.cfg.RedirectBase + p.ID()
	begun.URL, err = s.authorize(ctx, p, b)
	return begun, err
}

// authorize keeps the flow and returns the address of the provider's page.
func (s *Service) authorize(ctx context.Context, p configured, b beginning) (string, error) {
	kid, key, err := s.cfg.Keys.ActiveSubkey(ctx, crypto.PurposeToken, labelFlow)
	if err != nil {
		return "", fmt.Errorf("oauth: derive the secrets of a flow: %w", err)
	}
	b.flow.KID = kid
	state, err := s.keepFlow(ctx, b.flow)
	if err != nil {
		return "", err
	}
	secrets := flowSecretsOf(key, state.Reveal())
	to, err := p.AuthCodeURL(ctx, provider.AuthRequest{
		State: state.Reveal(), Nonce: secrets.nonce, Verifier: secrets.verifier, RedirectURI: b.flow.RedirectURI,
		Scopes: b.flow.Scopes, LoginHint: b.loginHint, Reauthenticate: b.reauthenticate,
	})
	if err != nil {
		return "", fmt.Errorf("oauth: begin: %w", err)
	}
	return to, nil
}

func judgeScopes(scopes []string) error {
	if len(scopes) > maxScopes {
		return ErrScopes
	}
	for _, s := range scopes {
		if !plainScope.MatchString(s) {
			return ErrScopes
		}
	}
	return nil
}
