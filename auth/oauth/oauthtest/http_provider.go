package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/token"
)

// ClientID and ClientSecret are those of the one client that a Provider knows. The secret
// is long enough to key HS256, so that nothing but the configuration refuses that.
const (
	ClientID     = "tenon-client"
	ClientSecret = "a client secret of more than thirty-two bytes" // #nosec G101 -- made up
)

// Account is who is signed in at a Provider.
type Account struct {
	Subject string
	Email   string
	// Verified is the claim email_verified.
	Verified bool
	Name     string
}

// Knobs are what a test bends. The zero value is an honest provider: codes are good once
// and for the client, redirect URI and verifier that they were made for, access tokens run
// out after an hour, refresh tokens stay the same.
type Knobs struct {
	// Discovery, Answer, Claims and UserInfo change the discovery document, the answers of
	// the token endpoint, the claims of ID tokens and userinfo, once they are made.
	// Callback changes what the browser takes back; a nil value is sent as no parameter.
	Discovery, Answer, Claims, UserInfo func(doc map[string]any)
	Callback                            func(q url.Values)
	// Header is added to the headers of ID tokens. Sign takes the place of signing; it and
	// Claims are called with the provider locked.
	Header map[string]any
	Sign   func(payload []byte) string
	// Handlers take the place of paths, such as "/token".
	Handlers map[string]http.HandlerFunc
	// CodesForEver lets codes be exchanged any number of times.
	CodesForEver bool
	// Rotate makes refresh tokens good once. One that comes twice ends the grant, as at
	// providers that take that for theft.
	Rotate bool
	// AccessFor is how long access tokens live: an hour where zero, and not told where
	// negative.
	AccessFor time.Duration
}

// Provider is an OpenID provider on loopback, with TLS. Its paths are /authorize, /token,
// /userinfo, /keys, /revoke and the discovery document's. It asks nobody anything: who
// comes is the Account. It is safe for concurrent use.
type Provider struct {
	// URL is the issuer.
	URL string

	t      testing.TB
	server *httptest.Server
	now    func() time.Time

	mu      sync.Mutex
	key     crypto.Signer
	alg     jose.SignatureAlgorithm
	kid     string
	account Account
	denied  string
	knobs   Knobs
	calls   map[string]int
	forms   []url.Values // of the token endpoint
	codes   map[string]flow
	grants  map[string]*grant // by each of their refresh tokens
	access  map[string]*grant
	secrets []string
}

// NewProvider starts a Provider by the clock of now, which is its client's, too. It ends
// with the test. The account is Ann's at acme.example, verified.
func NewProvider(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	p := &Provider{
		t: t, now: now, alg: jose.ES256, kid: "key-1", key: NewKey(t),
		account: Account{Subject: "248289761001", Email: "ann@acme.example", Verified: true, Name: "Ann"},
		calls:   map[string]int{}, codes: map[string]flow{}, grants: map[string]*grant{}, access: map[string]*grant{},
	}
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	p.URL = p.server.URL
	t.Cleanup(p.server.Close)
	return p
}

// NewKey returns a key to sign with.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Provider returns the configuration of a client, by discovery, under that id.
func (p *Provider) Provider(id string) provider.Provider {
	return provider.OpenID(id, p.URL, ClientID, token.NewSecret(ClientSecret))
}

// Config returns what a client needs to reach p.
func (p *Provider) Config() provider.Config {
	pool := x509.NewCertPool()
	pool.AddCert(p.server.Certificate())
	return provider.Config{Now: p.now, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: pool}
}

// Close takes the provider off the network.
func (p *Provider) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Bend changes the knobs.
func (p *Provider) Bend(change func(k *Knobs)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.knobs)
}

// Claim gives ID tokens a claim of that value, and takes it away where value is nil.
func (p *Provider) Claim(name string, value any) {
	p.Bend(func(k *Knobs) {
		before := k.Claims
		k.Claims = func(claims map[string]any) {
			if before != nil {
				before(claims)
			}
			claims[name] = value
		}
	})
}

// SetAccount signs somebody else in at the provider.
func (p *Provider) SetAccount(a Account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.account = a
}

// SetKey signs with another key from now on, and publishes that one alone.
func (p *Provider) SetKey(key crypto.Signer, alg jose.SignatureAlgorithm, kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.alg, p.kid = key, alg, kid
}

// Deny makes the provider send everybody back with an error, such as access_denied; ""
// lets people in again.
func (p *Provider) Deny(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied = code
}

// Called returns how often a path was asked for.
func (p *Provider) Called(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// Forms returns what was posted to the token endpoint with that grant_type, in order.
func (p *Provider) Forms(grantType string) []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	var forms []url.Values
	for _, form := range p.forms {
		if form.Get("grant_type") == grantType {
			forms = append(forms, form)
		}
	}
	return forms
}

// Secrets returns every code and token that was issued, none of which is to be found in
// logs, rows, pages and URLs.
func (p *Provider) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.secrets)
}

// EndGrants revokes every token that was issued.
func (p *Provider) EndGrants() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.grants {
		g.ended = true
	}
}

// Visit goes to the provider as a browser does that was sent to the URL, and returns where
// it sends that back to.
func (p *Provider) Visit(to string) *url.URL {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := p.server.Client().Transport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		p.t.Fatalf("oauthtest: the provider answers %d and sends nobody back", answer.StatusCode)
	}
	return back
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls[r.URL.Path]++
	knobs := p.knobs
	p.mu.Unlock()
	if handler := knobs.Handlers[r.URL.Path]; handler != nil {
		handler(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, http.StatusOK, bent(p.document(), knobs.Discovery))
	case "/keys":
		reply(w, http.StatusOK, p.Keys())
	case "/authorize":
		p.serveAuthorize(w, r, knobs)
	case "/token":
		p.serveToken(w, r, knobs)
	case "/userinfo":
		p.serveUserInfo(w, r, knobs)
	case "/revoke":
		p.serveRevoke(w, r)
	default:
		http.NotFound(w, r)
	}
}

// bent returns doc, changed, without what became nil.
func bent(doc map[string]any, change func(map[string]any)) map[string]any {
	if change != nil {
		change(doc)
	}
	for name, value := range doc {
		if value == nil {
			delete(doc, name)
		}
	}
	return doc
}

func (p *Provider) document() map[string]any {
	return map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "revocation_endpoint": p.URL + "/revoke",
		"authorization_response_iss_parameter_supported": true,
		"id_token_signing_alg_values_supported":          []string{"none", "HS256", "ES256"},
	}
}

// Keys is the key set that is published.
func (p *Provider) Keys() jose.JSONWebKeySet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.kid, Use: "sig", Algorithm: string(p.alg)}}}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
