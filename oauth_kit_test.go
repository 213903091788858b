package tenon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const (
	idpClient = "tenon-client"
	idpSecret = "a client secret of more than thirty-two bytes" // #nosec G101 -- made up
	idpAccess = "access-token-of-the-user"                      // #nosec G101 -- made up
)

// idp is an OpenID provider on loopback at which everybody is signed in as claims say.
type idp struct {
	*httptest.Server

	key *ecdsa.PrivateKey
	now func() time.Time

	mu     sync.Mutex
	codes  map[string]visit
	calls  int // of the token endpoint
	during func()
}

// visit is one consent.
type visit struct {
	challenge, nonce string
	claims           map[string]any
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	i := &idp{key: assert.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t), codes: map[string]visit{}, now: time.Now}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func (i *idp) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"authorization_response_iss_parameter_supported": true,
		})
	case "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "key-1", Use: "sig", Algorithm: "ES256"}}})
	case "/token":
		i.serveToken(w, r)
	}
}

func (i *idp) serveToken(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	i.mu.Lock()
	i.calls++
	kept, ok := i.codes[r.PostForm.Get("code")]
	delete(i.codes, r.PostForm.Get("code"))
	during := i.during
	i.mu.Unlock()
	if during != nil {
		during()
	}
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != kept.challenge {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant"})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": idpAccess, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-1", "scope": "openid email",
		"id_token": i.idToken(kept.nonce, kept.claims),
	})
}

// idToken signs claims, completed by what every token has.
func (i *idp) idToken(nonce string, claims map[string]any) string {
	now := i.now()
	all := map[string]any{
		"iss": i.URL, "aud": idpClient, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": nonce, "auth_time": now.Unix(),
	}
	maps.Copy(all, claims)
	payload, _ := json.Marshal(all)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", "key-1"))
	if err != nil {
		return err.Error()
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return err.Error()
	}
	text, _ := jws.CompactSerialize()
	return text
}

// consent is what happens at the provider: it returns where the browser is sent back to.
func (i *idp) consent(t testing.TB, to string, claims map[string]any) *url.URL {
	t.Helper()
	asked := assert.Must(url.Parse(to))(t).Query()
	code := rand.Text()
	i.mu.Lock()
	i.codes[code] = visit{challenge: asked.Get("code_challenge"), nonce: asked.Get("nonce"), claims: claims}
	i.mu.Unlock()
	back := assert.Must(url.Parse(asked.Get("redirect_uri")))(t)
	back.RawQuery = url.Values{"code": {code}, "state": {asked.Get("state")}, "iss": {i.URL}}.Encode()
	return back
}

// provider is the provider as a host configures it: it proves addresses of example.com.
func (i *idp) provider(id string) oauth.Provider {
	p := provider.OpenID(id, i.URL, idpClient, token.NewSecret(idpSecret))
	p.EmailAuthority = provider.EmailAuthority{Domains: []string{"example.com"}}
	return oauth.Provider{Provider: p}
}

// with turns signing in by the provider on, under the ids "acme" and "other".
func (i *idp) with(change ...func(*oauth.Config)) func(*tenon.Config) {
	pool := x509.NewCertPool()
	pool.AddCert(i.Certificate())
	return func(c *tenon.Config) {
		cfg := oauth.Config{
			Providers: []oauth.Provider{i.provider("acme"), i.provider("other")},
			Client:    provider.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: pool},
		}
		for _, f := range change {
			f(&cfg)
		}
		i.now = c.DB.Now
		c.OAuth = oauthbun.New(cfg)
	}
}

// person is an account at the provider.
func person(subject, address string) map[string]any {
	return map[string]any{"sub": subject, "email": address, "email_verified": true, "name": "Ada at Acme"}
}

// begin starts a sign-in and returns the provider's page.
func (b *browser) begin(id string, body map[string]any) string {
	b.t.Helper()
	body = maps.Clone(body)
	if body == nil {
		body = map[string]any{}
	}
	body["provider"] = id
	got := b.post("/sign-in/social", body)
	if got.StatusCode != http.StatusOK {
		b.t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	to, _ := got.decode(b.t)["url"].(string)
	return to
}

// comeBack follows the provider back.
func (b *browser) comeBack(back *url.URL) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, back.String(), nil)
	assert.NoError(b.t, err)
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

// social signs in at the provider as a person.
func (b *browser) social(i *idp, claims map[string]any) answer {
	b.t.Helper()
	return b.comeBack(i.consent(b.t, b.begin("acme", nil), claims))
}
