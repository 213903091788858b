package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const (
	clientID    = oauthtest.ClientID
	secret      = oauthtest.ClientSecret
	redirectURI = "https://app.example/api/auth/callback/acme"
	accessToken = "access-token-of-the-user" // #nosec G101 -- made up
	subject     = "248289761001"
)

// at is when everything happens.
func at() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// idp is a provider at which a test bends one thing by setting a field. Its codes can be
// exchanged again, so that a test can try twice.
type idp struct {
	*oauthtest.Provider

	mu  sync.Mutex
	now time.Time

	// What a test bends.
	signer    crypto.Signer
	alg       jose.SignatureAlgorithm
	kid       string
	discovery func(map[string]any)
	claims    func(map[string]any)
	header    map[string]any
	sign      func(payload []byte) string // instead of signing
	answer    func(map[string]any)
	userInfo  map[string]any
	handlers  map[string]http.HandlerFunc // instead of a path's
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	i := &idp{
		now: at(), signer: newKey(t), alg: jose.ES256, kid: "key-1",
		userInfo: map[string]any{"sub": subject, "email": "info@acme.example", "email_verified": true},
	}
	i.handlers = map[string]http.HandlerFunc{"/keys": func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, i.jwks()) }}
	i.Provider = oauthtest.NewProvider(t, i.Now)
	i.SetKey(i.signer, i.alg, i.kid)
	i.Bend(func(k *oauthtest.Knobs) {
		k.CodesForEver, k.Handlers, k.Sign = true, i.handlers, i.signed
		k.Discovery = func(doc map[string]any) { bend(i.discovery, doc) }
		k.Claims = func(c map[string]any) { bend(i.claims, c) }
		k.Answer = func(doc map[string]any) { bend(i.answer, doc) }
		k.UserInfo = func(doc map[string]any) { clear(doc); maps.Copy(doc, i.userInfo) }
	})
	return i
}

func bend(change func(map[string]any), doc map[string]any) {
	if change != nil {
		change(doc)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return oauthtest.NewKey(t)
}

func (i *idp) Now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *idp) advance(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

// asked is how often the provider was asked for anything.
func (i *idp) asked() (n int) {
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token", "/userinfo", "/revoke"} {
		n += i.Called(path)
	}
	return n
}

func (i *idp) jwks() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.signer.Public(), KeyID: i.kid, Use: "sig", Algorithm: string(i.alg)}}}
}

func (i *idp) signed(payload []byte) string {
	if i.sign != nil {
		return i.sign(payload)
	}
	return signed(i.signer, i.alg, i.kid, i.header, payload)
}

func signed(key any, alg jose.SignatureAlgorithm, kid string, header map[string]any, payload []byte) string {
	return oauthtest.Signed(key, alg, kid, header, payload)
}

func hashOf(access string) string { return oauthtest.AccessTokenHash(access) }

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *idp) config() provider.Config { return i.Config() }

func (i *idp) provider() provider.Provider { return i.Provider.Provider("acme") }

func (i *idp) client(t *testing.T, change ...func(*provider.Provider)) *provider.Client {
	t.Helper()
	p := i.provider()
	for _, f := range change {
		f(&p)
	}
	return assert.Must(provider.New(p, i.config()))(t)
}

// authorize walks to the provider and back, without a browser.
func (i *idp) authorize(t *testing.T, c *provider.Client) provider.Callback {
	t.Helper()
	verifier := provider.NewVerifier()
	to := assert.Must(c.AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "state", Nonce: "nonce-of-this-flow", Verifier: verifier, RedirectURI: redirectURI,
	}))(t)
	assert.NotContains(t, to, verifier.Reveal())
	back := i.Visit(i.URL + "/authorize?" + assert.Must(url.Parse(to))(t).RawQuery).Query()
	return provider.Callback{
		Code: token.NewSecret(back.Get("code")), Issuer: i.URL, Verifier: verifier, Nonce: "nonce-of-this-flow", RedirectURI: redirectURI,
	}
}

// grant is what the provider grants when somebody signs in.
func (i *idp) grant(t *testing.T, c *provider.Client) provider.Tokens {
	t.Helper()
	return assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t).Tokens
}
