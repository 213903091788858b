package provider_test

import (
	"crypto"
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

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const (
	clientID    = "tenon-client"
	redirectURI = "https://app.example/api/auth/callback/acme"
	accessToken = "access-token-of-the-user" // #nosec G101 -- made up
	subject     = "248289761001"
)

// secret is long enough to key HS256, so that only the configuration refuses it.
const secret = "a client secret of more than thirty-two bytes" // #nosec G101 -- made up

// at is when everything happens.
func at() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// idp is an OpenID provider whose every answer a test can bend.
type idp struct {
	*httptest.Server

	signer crypto.Signer
	alg    jose.SignatureAlgorithm
	kid    string

	mu    sync.Mutex
	calls map[string]int
	now   time.Time
	form  url.Values // of the last call of the token endpoint

	// What a test bends.
	discovery func(map[string]any)
	claims    func(map[string]any)
	header    map[jose.HeaderKey]any
	sign      func(payload []byte) string // instead of signing
	answer    func(map[string]any)
	userInfo  map[string]any
	handlers  map[string]http.HandlerFunc // instead of a path's
	challenge string
	nonce     string
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	i := &idp{
		signer: newKey(t), alg: jose.ES256, kid: "key-1", calls: map[string]int{}, now: at(),
		userInfo: map[string]any{"sub": subject, "email": "info@acme.example", "email_verified": true},
		handlers: map[string]http.HandlerFunc{},
	}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return assert.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
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

func (i *idp) called(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

func (i *idp) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.calls[r.URL.Path]++
	i.mu.Unlock()
	if h := i.handlers[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, http.StatusOK, i.document())
	case "/keys":
		reply(w, http.StatusOK, i.jwks())
	case "/token":
		i.serveToken(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer "+accessToken {
			reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
			return
		}
		reply(w, http.StatusOK, i.userInfo)
	case "/revoke":
		w.WriteHeader(http.StatusOK)
	default:
		http.NotFound(w, r)
	}
}

func (i *idp) document() map[string]any {
	doc := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
		"jwks_uri": i.URL + "/keys", "userinfo_endpoint": i.URL + "/userinfo", "revocation_endpoint": i.URL + "/revoke",
		"authorization_response_iss_parameter_supported": true,
		"id_token_signing_alg_values_supported":          []string{"none", "HS256", "ES256"},
	}
	if i.discovery != nil {
		i.discovery(doc)
	}
	return doc
}

func (i *idp) jwks() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.signer.Public(), KeyID: i.kid, Use: "sig", Algorithm: string(i.alg)}}}
}

// serveToken checks the client and PKCE as a provider has to.
func (i *idp) serveToken(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	id, pass, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	pass, _ = url.QueryUnescape(pass)
	i.mu.Lock()
	i.form = r.PostForm
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case id != clientID || pass != secret:
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
	case r.PostForm.Get("grant_type") == "refresh_token" && r.PostForm.Get("refresh_token") != "refresh-1",
		r.PostForm.Get("grant_type") == "authorization_code" && base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge:
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "secret words"})
	default:
		doc := map[string]any{
			"access_token": accessToken, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-1",
			"scope": "openid email", "id_token": i.idToken(),
		}
		if i.answer != nil {
			i.answer(doc)
		}
		reply(w, http.StatusOK, doc)
	}
}

func (i *idp) defaults() map[string]any {
	now := i.Now()
	return map[string]any{
		"iss": i.URL, "sub": subject, "aud": clientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"nonce": i.nonce, "email": "ann@acme.example", "email_verified": true, "name": "Ann", "at_hash": hashOf(accessToken),
	}
}

func hashOf(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (i *idp) idToken() string {
	c := i.defaults()
	if i.claims != nil {
		i.claims(c)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(c)
	if err != nil {
		return "unmarshalable"
	}
	if i.sign != nil {
		return i.sign(payload)
	}
	return signed(i.signer, i.alg, i.kid, i.header, payload)
}

func signed(key any, alg jose.SignatureAlgorithm, kid string, header map[jose.HeaderKey]any, payload []byte) string {
	options := (&jose.SignerOptions{ExtraHeaders: maps.Clone(header)}).WithHeader("kid", kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		return err.Error()
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return err.Error()
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return err.Error()
	}
	return text
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *idp) config() provider.Config {
	pool := x509.NewCertPool()
	pool.AddCert(i.Certificate())
	return provider.Config{Now: i.Now, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: pool}
}

func (i *idp) provider() provider.Provider {
	return provider.OpenID("acme", i.URL, clientID, token.NewSecret(secret))
}

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
	q := assert.Must(url.Parse(to))(t).Query()
	assert.NotContains(t, to, verifier.Reveal())
	i.challenge, i.nonce = q.Get("code_challenge"), q.Get("nonce")
	return provider.Callback{
		Code: token.NewSecret("code-1"), Issuer: i.URL, Verifier: verifier, Nonce: "nonce-of-this-flow", RedirectURI: redirectURI,
	}
}
