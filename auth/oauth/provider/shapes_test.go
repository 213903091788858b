package provider_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// shape is what a provider says, after its public documentation, and what is made
// of it.
type shape struct {
	Token        map[string]any    `json:"token"`
	IDToken      map[string]any    `json:"id_token"`
	WithoutNonce bool              `json:"without_nonce"`
	UserInfo     json.RawMessage   `json:"userinfo"`
	Emails       json.RawMessage   `json:"emails"`
	User         string            `json:"user"`
	Identity     provider.Identity `json:"identity"`
	Mailbox      string            `json:"mailbox"` // the code of the error, where there is none
	Scopes       []string          `json:"scopes"`
}

func shapeProvider(t *testing.T, file string) provider.Provider {
	t.Helper()
	s := token.NewSecret(secret)
	name, _, _ := strings.Cut(file, "-")
	switch name {
	case "apple":
		return assert.Must(provider.Apple(appleConfig(t)))(t)
	case "gitlab":
		return provider.GitLab("", clientID, s)
	case "microsoft":
		return provider.Microsoft("common", clientID, s)
	case "codeberg":
		return codeberg(s)
	}
	if issuer, ok := discoveredShapes()[name]; ok {
		p := provider.OpenID(name, issuer, clientID, s)
		p.TokenURL, p.AuthURL, p.JWKSURL, p.UserInfoURL = issuer+"/token", issuer+"/auth", issuer+"/certs", issuer+"/userinfo"
		p.EmailAuthority.Domains = []string{"acme.example"}
		return p
	}
	return map[string]func(string, token.Secret) provider.Provider{
		"google": provider.Google, "github": provider.GitHub, "facebook": provider.Facebook, "discord": provider.Discord,
		"slack": provider.Slack, "linkedin": provider.LinkedIn, "x": provider.X, "bitbucket": provider.Bitbucket,
		"twitch": provider.Twitch, "spotify": provider.Spotify,
	}[name](clientID, s)
}

// discoveredShapes are the issuers of providers that publish a discovery document.
func discoveredShapes() map[string]string {
	return map[string]string{
		"keycloak": "https://sso.example/realms/acme", "okta": "https://acme.okta.example/oauth2/default",
		"auth0": "https://acme.eu.auth0.example/", "zitadel": "https://acme.zitadel.example", "dex": "https://dex.acme.example/dex",
	}
}

// codeberg is a provider of a host's own that speaks plain OAuth 2.
func codeberg(s token.Secret) provider.Provider {
	return provider.Provider{
		ID: "codeberg", Issuer: "https://codeberg.org", ClientID: clientID, ClientSecret: s,
		AuthURL:     "https://codeberg.org/login/oauth/authorize",
		TokenURL:    "https://codeberg.org/login/oauth/access_token",
		UserInfoURL: "https://codeberg.org/api/v1/user",
		Fields:      provider.Fields{Subject: []string{"id"}, Name: []string{"full_name", "login"}, Picture: "avatar_url"},
	}
}

// described are the providers that this package has an entry or a word for.
func described() []string {
	return []string{
		"google", "github", "gitlab", "microsoft", "apple", "facebook", "discord", "slack", "linkedin", "x", "bitbucket",
		"twitch", "spotify", "keycloak", "okta", "auth0", "zitadel", "dex", "codeberg",
	}
}

// TestEveryProviderIsReadAsDocumented plays the providers on loopback, path by path.
func TestEveryProviderIsReadAsDocumented(t *testing.T) {
	t.Parallel()
	files := assert.Must(filepath.Glob("testdata/*.json"))(t)
	for _, name := range described() {
		assert.True(t, slices.Contains(files, filepath.Join("testdata", name+".json")), name+" has no shape")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s shape
			assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile(file))(t), &s))
			p := shapeProvider(t, name)
			server := httptest.NewTLSServer(nil)
			t.Cleanup(server.Close)
			flow := &played{t: t, p: p, s: s}
			server.Config.Handler = flow
			moved := relocated(p, server.URL)
			pool := x509.NewCertPool()
			pool.AddCert(server.Certificate())
			c := assert.Must(provider.New(moved, provider.Config{
				Now: at, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: pool,
			}))(t)
			got := assert.Must(c.Exchange(t.Context(), flow.authorize(c)))(t)
			email, err := got.Identity.Mailbox()
			assert.Equal(t, email, s.Identity.Email)
			assert.Equal(t, problem.CodeOf(err), s.Mailbox)
			assert.Equal(t, plain(t, got.Identity), plain(t, s.Identity))
			assert.Equal(t, any(got.Tokens.Access.Reveal()), s.Token["access_token"])
			if s.Scopes != nil {
				assert.Equal(t, got.Tokens.Scopes, s.Scopes)
			}
		})
	}
}

// plain leaves out what is not exported.
func plain(t *testing.T, i provider.Identity) string {
	t.Helper()
	return string(assert.Must(json.MarshalIndent(i, "", " "))(t))
}

// relocated moves the endpoints, not the issuer, to a server of ours: the host
// becomes the first part of the path.
func relocated(p provider.Provider, base string) provider.Provider {
	for _, u := range []*string{&p.TokenURL, &p.UserInfoURL, &p.JWKSURL, &p.RevocationURL} {
		*u = strings.Replace(*u, "https:/", base, 1)
	}
	if p.Emails != nil {
		emails := *p.Emails
		emails.URL = strings.Replace(emails.URL, "https:/", base, 1)
		p.Emails = &emails
	}
	return p
}

// played is a provider that says what the file says.
type played struct {
	t                *testing.T
	p                provider.Provider
	s                shape
	challenge, nonce string
}

func (f *played) authorize(c *provider.Client) provider.Callback {
	verifier := provider.NewVerifier()
	to := assert.Must(c.AuthCodeURL(f.t.Context(), provider.AuthRequest{State: "s", Nonce: "n", Verifier: verifier, RedirectURI: redirectURI}))(f.t)
	u := assert.Must(url.Parse(to))(f.t)
	assert.True(f.t, strings.HasPrefix(to, f.p.AuthURL+"?"), "goes to "+to)
	f.challenge, f.nonce = u.Query().Get("code_challenge"), u.Query().Get("nonce")
	assert.Equal(f.t, f.challenge == "", f.p.ID == "linkedin")
	assert.Equal(f.t, u.Query().Get("response_mode") == "form_post", f.p.ID == "apple")
	return provider.Callback{Code: token.NewSecret("code"), User: f.s.User, Verifier: verifier, Nonce: "n", RedirectURI: redirectURI}
}

func (f *played) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := "https:/" + r.URL.RequestURI()
	switch {
	case at == f.p.TokenURL:
		f.serveToken(w, r)
	case at == f.p.JWKSURL:
		key := assert.Must(rsaKey())(f.t)
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	case r.Header.Get("Authorization") != "Bearer "+f.s.Token["access_token"].(string):
		f.t.Errorf("%s: no access token", at)
	case f.p.Emails != nil && at == f.p.Emails.URL:
		if string(f.s.Emails) == "null" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		reply(w, http.StatusOK, f.s.Emails)
	case asks(r.URL, f.p.UserInfoURL):
		assert.Equal(f.t, r.URL.Query().Has("appsecret_proof"), f.p.ID == "facebook")
		reply(w, http.StatusOK, f.s.UserInfo)
	default:
		f.t.Errorf("unexpected call of %s", at)
	}
}

// asks reports whether the URL is the configured one, perhaps with more in its query.
func asks(u *url.URL, configured string) bool {
	want, err := url.Parse(configured)
	if err != nil || "/"+want.Host+want.Path != u.Path {
		return false
	}
	for name := range want.Query() {
		if u.Query().Get(name) != want.Query().Get(name) {
			return false
		}
	}
	return true
}

func (f *played) serveToken(w http.ResponseWriter, r *http.Request) {
	_, pass, basic := r.BasicAuth()
	if !basic {
		pass = r.PostFormValue("client_secret")
	} else {
		pass, _ = url.QueryUnescape(pass)
	}
	assert.Equal(f.t, basic, f.p.AuthStyle == provider.Basic)
	if f.p.ID == "apple" {
		assert.Equal(f.t, strings.Count(pass, "."), 2)
	} else {
		assert.Equal(f.t, pass, secret)
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if f.p.ID != "linkedin" {
		assert.Equal(f.t, base64.RawURLEncoding.EncodeToString(sum[:]), f.challenge)
	}
	if f.s.IDToken != nil {
		c := f.s.IDToken
		c["iat"], c["exp"] = at().Unix(), at().Unix()+300
		if !f.s.WithoutNonce {
			c["nonce"] = f.nonce
		}
		payload := assert.Must(json.Marshal(c))(f.t)
		f.s.Token["id_token"] = signed(assert.Must(rsaKey())(f.t), jose.RS256, "k", nil, payload)
	}
	reply(w, http.StatusOK, f.s.Token)
}

func appleConfig(t *testing.T) provider.AppleConfig {
	t.Helper()
	der := assert.Must(x509.MarshalPKCS8PrivateKey(newKey(t)))(t)
	return provider.AppleConfig{
		ClientID: clientID, TeamID: "TEAM123456", KeyID: "KEY1234567",
		PrivateKey: token.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
	}
}
