package oauthtest_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const redirectURI = "https://app.example/api/auth/callback/acme"

func at() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// visit walks to the provider and back, without a browser.
func visit(t *testing.T, p *oauthtest.Provider, c *provider.Client) provider.Callback {
	t.Helper()
	verifier := provider.NewVerifier()
	to := assert.Must(c.AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "state", Nonce: "nonce", Verifier: verifier, RedirectURI: redirectURI, Reauthenticate: true,
	}))(t)
	back := p.Visit(to)
	assert.Equal(t, back.Query().Get("state"), "state")
	return provider.Callback{
		Code: token.NewSecret(back.Query().Get("code")), Error: back.Query().Get("error"), Issuer: back.Query().Get("iss"),
		Verifier: verifier, Nonce: "nonce", RedirectURI: redirectURI,
	}
}

func client(t *testing.T, p *oauthtest.Provider) *provider.Client {
	t.Helper()
	return assert.Must(provider.New(p.Provider("acme"), p.Config()))(t)
}

func TestTheProviderIsHonest(t *testing.T) {
	t.Parallel()
	p := oauthtest.NewProvider(t, at)
	c := client(t, p)
	cb := visit(t, p, c)
	got := assert.Must(c.Exchange(t.Context(), cb))(t)
	assert.Equal(t, got.Identity, provider.Identity{
		Provider: "acme", Issuer: p.URL, Subject: "248289761001", Email: "ann@acme.example", EmailVerified: true, Name: "Ann",
		AuthenticatedAt: at(),
	})
	assert.Equal(t, got.Tokens.ExpiresAt, at().Add(time.Hour))
	_, err := c.Exchange(t.Context(), cb)
	assert.ErrorIs(t, err, provider.ErrCodeRefused) // good once
	for _, spoil := range []func(*provider.Callback){
		func(cb *provider.Callback) { cb.Verifier = provider.NewVerifier() },
		func(cb *provider.Callback) { cb.RedirectURI += "/other" },
	} {
		cb := visit(t, p, c)
		spoil(&cb)
		_, err := c.Exchange(t.Context(), cb)
		assert.ErrorIs(t, err, provider.ErrCodeRefused)
	}
	p.Deny("access_denied")
	_, err = c.Exchange(t.Context(), visit(t, p, c))
	assert.ErrorIs(t, err, provider.ErrDenied)
}

func TestEveryLieIsRefused(t *testing.T) {
	t.Parallel()
	for _, lie := range oauthtest.Lies() {
		p := oauthtest.NewProvider(t, at)
		c := client(t, p)
		lie.Tell(p)
		got, err := c.Exchange(t.Context(), visit(t, p, c))
		assert.Equal(t, got, provider.SignIn{})
		if assert.ErrorIs(t, err, lie.Want); t.Failed() {
			t.Fatal(lie.Name)
		}
	}
	assert.True(t, len(oauthtest.Lies()) >= 25, "the table shrank")
}

func TestGrantsAreRefreshedRotatedAndEnded(t *testing.T) {
	t.Parallel()
	p := oauthtest.NewProvider(t, at)
	c := client(t, p)
	first := assert.Must(c.Exchange(t.Context(), visit(t, p, c)))(t).Tokens
	second := assert.Must(c.Refresh(t.Context(), first.Refresh))(t)
	assert.True(t, second.Refresh.Equal(first.Refresh) && !second.Access.Equal(first.Access), "the refresh token stays")
	p.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
	third := assert.Must(c.Refresh(t.Context(), second.Refresh))(t)
	assert.False(t, third.Refresh.Equal(second.Refresh), "it is rotated")
	for _, replayed := range []token.Secret{second.Refresh, third.Refresh} { // the replay ends the family
		_, err := c.Refresh(t.Context(), replayed)
		assert.ErrorIs(t, err, provider.ErrGrantEnded)
	}
	assert.Len(t, p.Forms("refresh_token"), 4)

	fourth := assert.Must(c.Exchange(t.Context(), visit(t, p, c)))(t).Tokens
	p.EndGrants()
	_, err := c.Refresh(t.Context(), fourth.Refresh)
	assert.ErrorIs(t, err, provider.ErrGrantEnded)
}

func TestAppsGetIDTokensForTheirNonce(t *testing.T) {
	t.Parallel()
	p := oauthtest.NewProvider(t, at)
	c := client(t, p)
	p.SetAccount(oauthtest.Account{Subject: "bob", Email: "bob@acme.example"})
	got := assert.Must(c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: token.NewSecret(p.IDToken("n")), Nonce: "n"}))(t)
	assert.Equal(t, []string{got.Subject, got.Email}, []string{"bob", "bob@acme.example"})
	assert.False(t, got.EmailVerified, "bob's address")
	p.Claim("email_verified", "true")
	got = assert.Must(c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: token.NewSecret(p.IDToken("n")), Nonce: "n"}))(t)
	assert.False(t, got.EmailVerified, "a text is not true")
	p.Bend(func(k *oauthtest.Knobs) { k.Callback = func(q url.Values) { q.Set("state", "other") } })
	assert.Equal(t, p.Visit(p.URL+"/authorize?response_type=code&client_id="+oauthtest.ClientID+"&redirect_uri=https://app.example/").Query().Get("state"), "other")
}
