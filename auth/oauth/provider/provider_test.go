package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// TestR19_AProviderProvesOnlyItsOwnMail: the table of authorities.
func TestR19_AProviderProvesOnlyItsOwnMail(t *testing.T) {
	t.Parallel()
	google := provider.Google("id", token.NewSecret(secret)).EmailAuthority
	listed := provider.EmailAuthority{Domains: []string{"acme.example"}}
	for _, c := range []struct {
		authority  provider.EmailAuthority
		email, hd  string
		verified   bool
		wantProven bool
	}{
		{provider.EmailAuthority{}, "a@acme.example", "acme.example", true, false},
		{provider.EmailAuthority{All: true}, "a@acme.example", "", true, true},
		{provider.EmailAuthority{All: true}, "a@acme.example", "", false, false},
		{google, "a@gmail.com", "", true, true},
		{google, "A@GMail.com", "", true, true},
		{google, "a@googlemail.com", "", true, true},
		{google, "a@acme.example", "acme.example", true, true},
		{google, "a@acme.example", "ACME.example", true, true},
		{google, "a@acme.example", "other.example", true, false},
		{google, "a@acme.example", "", true, false},
		{google, "a@sub.acme.example", "acme.example", true, false},
		{google, "a@gmail.com.evil.example", "", true, false},
		{google, "a@evil-gmail.com", "", true, false},
		{listed, "a@acme.example", "", true, true},
		{listed, "a@sub.acme.example", "", true, false},
		{listed, "a@evil.example@acme.example", "", true, false},
		{listed, `"a@evil.example"@acme.example`, "", true, false},
		{listed, "a@acme.example.", "", true, false},
		{listed, "a@\uff41cme.example", "", true, false},
		{provider.EmailAuthority{All: true}, "a@\uff41cme.example", "", true, false},
		{provider.EmailAuthority{All: true}, "a@localhost", "", true, false},
		{listed, "@acme.example", "", true, false},
	} {
		i := newIDP(t)
		i.claims = func(m map[string]any) { m["email"], m["email_verified"], m["hd"] = c.email, c.verified, c.hd }
		client := i.client(t, func(p *provider.Provider) { p.EmailAuthority = c.authority })
		got := assert.Must(client.Exchange(t.Context(), i.authorize(t, client)))(t).Identity
		assert.True(t, got.EmailProven == c.wantProven, c.email+" with "+c.hd)
	}
	s := token.NewSecret(secret)
	for _, p := range []provider.Provider{
		provider.OpenID("x", "https://x.example", "id", s), provider.GitLab("", "id", s), provider.Microsoft("common", "id", s),
		provider.Facebook("id", s), provider.Discord("id", s), provider.Slack("id", s), provider.LinkedIn("id", s),
		provider.X("id", s), provider.Bitbucket("id", s), provider.Twitch("id", s), provider.Spotify("id", s),
	} {
		assert.Equal(t, p.EmailAuthority, provider.EmailAuthority{})
	}
}

func TestMicrosoftAdmitsTheConfiguredTenants(t *testing.T) {
	t.Parallel()
	const own, other, personal = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-3333-4444-555555555555", "9188040d-6c67-4c5b-b112-36a304b66dad"
	for _, c := range []struct {
		tenant, tid, iss, key string
		ok                    bool
	}{
		{"common", own, own, "{tenantid}", true},
		{"common", personal, personal, "", true},
		{"common", own, other, "", false},
		{"common", "{tenantid}", "{tenantid}", "", false},
		{"common", "", "", "", false},
		{"common", own, own, other, false}, // a key of another tenant
		{"organizations", own, own, own, true},
		{"organizations", personal, personal, "", false},
		{"consumers", personal, personal, personal, true},
		{"consumers", own, own, "", false},
		{own, own, own, "", true},
		{strings.ToUpper(own), own, own, "", true},
		{own, other, other, "", false},
		{own, personal, personal, "", false},
	} {
		i := newIDP(t)
		issuer := func(tid string) string { return "https://login.microsoftonline.com/" + tid + "/v2.0" }
		i.signer, i.alg = assert.Must(rsaKey())(t), jose.RS256
		i.claims = func(m map[string]any) { m["iss"], m["tid"], m["oid"] = issuer(c.iss), c.tid, "object" }
		i.handlers["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
			key := map[string]any{}
			_ = json.Unmarshal(assert.Must(json.Marshal(i.jwks().Keys[0]))(t), &key)
			if c.key != "" {
				key["issuer"] = issuer(c.key)
			}
			reply(w, http.StatusOK, map[string]any{"keys": []any{key}})
		}
		p := provider.Microsoft(c.tenant, clientID, token.NewSecret(secret))
		p.TokenURL, p.JWKSURL, p.AuthStyle = i.URL+"/token", i.URL+"/keys", provider.Basic
		client := assert.Must(provider.New(p, i.config()))(t)
		cb := i.authorize(t, client)
		cb.Issuer = ""
		got, err := client.Exchange(t.Context(), cb)
		if c.ok {
			assert.NoError(t, err)
			assert.Equal(t, got.Identity.Issuer, issuer(c.tid))
			assert.Equal(t, got.Identity.Subject, c.tid+":object")
			continue
		}
		assert.ErrorIs(t, err, provider.ErrIssuer)
	}

	// The callback names the tenant that the token is of, or none.
	for named, want := range map[string]error{own: nil, other: provider.ErrCallback, "evil": provider.ErrCallback} {
		i := newIDP(t)
		i.signer, i.alg = assert.Must(rsaKey())(t), jose.RS256
		i.claims = func(m map[string]any) {
			m["iss"], m["tid"], m["oid"] = "https://login.microsoftonline.com/"+own+"/v2.0", own, "object"
		}
		p := provider.Microsoft("common", clientID, token.NewSecret(secret))
		p.TokenURL, p.JWKSURL, p.AuthStyle = i.URL+"/token", i.URL+"/keys", provider.Basic
		client := assert.Must(provider.New(p, i.config()))(t)
		cb := i.authorize(t, client)
		cb.Issuer = "https://login.microsoftonline.com/" + named + "/v2.0"
		_, err := client.Exchange(t.Context(), cb)
		assert.True(t, errors.Is(err, want), named)
		assert.Equal(t, i.Called("/token") == 0, named == "evil")
	}
	_, err := provider.New(provider.Microsoft("acme.onmicrosoft.com", clientID, token.Secret{}), provider.Config{Now: at})
	assert.ErrorIs(t, err, provider.ErrConfig)
}

// TestASubjectIsAnImmutableIdentifier is CVE-2025-65431 and CVE-2026-42560.
func TestASubjectIsAnImmutableIdentifier(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"email", "login", "preferred_username", "data.username", "UPN", "name", "user.nickname", "", "https://x.example/email"} {
		p := provider.OpenID("x", "https://x.example", "id", token.Secret{})
		p.Fields.Subject = []string{field}
		_, err := provider.New(p, provider.Config{Now: at})
		assert.ErrorIs(t, err, provider.ErrConfig)
	}
	for userinfo, want := range map[string]string{
		`{"id":583231}`: "583231", `{"id":"583231"}`: "583231", `{"id":"a:b"}`: "a:b",
		`{"id":90071992547409931234}`: "90071992547409931234",
		`{"id":""}`:                   "", `{"id":0}`: "", `{"id":-1}`: "", `{"id":1.5}`: "", `{"id":1e3}`: "", `{"id":null}`: "",
		`{"id":true}`: "", `{"id":["1"]}`: "", `{"id":{"a":1}}`: "", `{}`: "", `{"ID":1}`: "", `{"id":" 1"}`: "", `{"id":"\u0000"}`: "",
		`[]`: "", `null`: "", `"id"`: "", ``: "", `{"id":"1"}{}`: "",
	} {
		i := newIDP(t)
		i.handlers["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(userinfo)) }
		c := i.oauth2(t, "id")
		got, err := c.Exchange(t.Context(), i.authorize(t, c))
		if want == "" {
			assert.ErrorIs(t, err, provider.ErrProfile)
			assert.Equal(t, got, provider.SignIn{})
			continue
		}
		assert.NoError(t, err)
		assert.Equal(t, got.Identity.Subject, want)
	}
	// Two parts cannot be taken for two others.
	i := newIDP(t)
	i.handlers["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"team":"a:b","id":"c"}`)) }
	c := i.oauth2(t, "team", "id")
	_, err := c.Exchange(t.Context(), i.authorize(t, c))
	assert.ErrorIs(t, err, provider.ErrSubject)
}

// oauth2 is the provider without ID tokens.
func (i *idp) oauth2(t *testing.T, subject ...string) *provider.Client {
	t.Helper()
	return i.client(t, func(p *provider.Provider) {
		p.AuthURL, p.TokenURL, p.UserInfoURL = i.URL+"/authorize", i.URL+"/token", i.URL+"/userinfo"
		p.Fields.Subject = subject
	})
}

func TestPlainOAuthTellsNothingByItsIss(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	i.userInfo["id"] = 1
	c := i.oauth2(t, "id")
	cb := i.authorize(t, c)
	cb.Issuer = "https://github.com/login/oauth" // not the name that we gave it
	got, err := c.Exchange(t.Context(), cb)
	assert.NoError(t, err)
	assert.True(t, got.Tokens.ID.IsZero(), "an ID token that nobody verified")
}

// TestAnUnpromisedIssMustBeRightAllTheSame: RFC 9207 section 2.4 leaves it to us.
func TestAnUnpromisedIssMustBeRightAllTheSame(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	i.discovery = func(d map[string]any) { delete(d, "authorization_response_iss_parameter_supported") }
	c := i.client(t)
	cb := i.authorize(t, c)
	cb.Issuer = "https://evil.example"
	_, err := c.Exchange(t.Context(), cb)
	assert.ErrorIs(t, err, provider.ErrIssuer)
	assert.Equal(t, i.Called("/token"), 0)
	cb.Issuer = ""
	_, err = c.Exchange(t.Context(), cb)
	assert.NoError(t, err)
}

func TestNamesAndPicturesAreHarmless(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, picture, wantName, wantPicture string }{
		{"  Ann \t\n Example\u0000 ", "https://a.example/p.png", "Ann Example", "https://a.example/p.png"},
		{"\u202eAnn", "http://a.example/p.png", "Ann", ""},
		{strings.Repeat("é", 200), "javascript:alert(1)", strings.Repeat("é", 128), ""},
		{"", "data:image/png;base64,AAAA", "", ""},
		{"\u0007", "https://user:pass@a.example/", "", ""},
		{"A", "https://a.example/" + strings.Repeat("x", 2048), "A", ""},
		{"A", "//a.example/p.png", "A", ""},
	} {
		i := newIDP(t)
		i.claims = func(m map[string]any) { m["name"], m["picture"] = c.name, c.picture }
		client := i.client(t)
		got := assert.Must(client.Exchange(t.Context(), i.authorize(t, client)))(t).Identity
		assert.Equal(t, got.Name, c.wantName)
		assert.Equal(t, got.Picture, c.wantPicture)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*provider.Provider, *provider.Config){
		"no id":               func(p *provider.Provider, _ *provider.Config) { p.ID = "" },
		"id with a slash":     func(p *provider.Provider, _ *provider.Config) { p.ID = "a/b" },
		"id in capitals":      func(p *provider.Provider, _ *provider.Config) { p.ID = "Acme" },
		"no client":           func(p *provider.Provider, _ *provider.Config) { p.ClientID = "" },
		"no issuer":           func(p *provider.Provider, _ *provider.Config) { p.Issuer = "" },
		"plain issuer":        func(p *provider.Provider, _ *provider.Config) { p.Issuer = "http://idp.example" },
		"issuer with a query": func(p *provider.Provider, _ *provider.Config) { p.Issuer = "https://idp.example/?a=b" },
		"issuer with a user":  func(p *provider.Provider, _ *provider.Config) { p.Issuer = "https://a@idp.example/" },
		"half of the URLs":    func(p *provider.Provider, _ *provider.Config) { p.AuthURL = "https://idp.example/a" },
		"no way to ask":       func(p *provider.Provider, _ *provider.Config) { p.AuthURL, p.TokenURL = p.Issuer, p.Issuer },
		"plain token endpoint": func(p *provider.Provider, _ *provider.Config) {
			p.AuthURL, p.JWKSURL, p.TokenURL = p.Issuer, p.Issuer, "http://idp.example/t"
		},
		"fragment": func(p *provider.Provider, _ *provider.Config) {
			p.AuthURL, p.JWKSURL, p.TokenURL = p.Issuer, p.Issuer, p.Issuer+"#"
		},
		"own state": func(p *provider.Provider, _ *provider.Config) { p.AuthParams = map[string]string{"state": "x"} },
		"own challenge": func(p *provider.Provider, _ *provider.Config) {
			p.AuthParams = map[string]string{"code_challenge_method": "plain"}
		},
		"scope with a space": func(p *provider.Provider, _ *provider.Config) { p.Scopes = []string{"a b"} },
		"domain in capitals": func(p *provider.Provider, _ *provider.Config) { p.EmailAuthority.Domains = []string{"Acme.example"} },
		"domain with an at":  func(p *provider.Provider, _ *provider.Config) { p.EmailAuthority.Domains = []string{"@acme.example"} },
		"alg none":           func(p *provider.Provider, _ *provider.Config) { p.Algorithms = []string{"none"} },
		"HS256 beside RS256": func(p *provider.Provider, _ *provider.Config) { p.Algorithms = []string{"RS256", "HS256"} },
		"HS256 and no secret": func(p *provider.Provider, _ *provider.Config) {
			p.Algorithms, p.ClientSecret = []string{"HS256"}, token.NewSecret("short")
		},
		"PBES2":               func(p *provider.Provider, _ *provider.Config) { p.Algorithms = []string{"PBES2-HS256+A128KW"} },
		"empty native client": func(p *provider.Provider, _ *provider.Config) { p.NativeClients = []string{""} },
		"no clock":            func(_ *provider.Provider, c *provider.Config) { c.Now = nil },
		"endless leeway":      func(_ *provider.Provider, c *provider.Config) { c.Leeway = 6 * time.Minute },
		"negative timeout":    func(_ *provider.Provider, c *provider.Config) { c.Timeout = -1 },
	} {
		p, cfg := provider.OpenID("acme", "https://idp.example", "id", token.NewSecret(secret)), provider.Config{Now: at}
		_, err := provider.New(p, cfg)
		assert.NoError(t, err)
		spoil(&p, &cfg)
		_, err = provider.New(p, cfg)
		assert.True(t, problem.CodeOf(err) == problem.CodeOf(provider.ErrConfig) || problem.KindOf(err) == problem.Internal && err != nil, name)
		assert.ErrorIs(t, err, provider.ErrConfig)
	}
}

func TestAppleSecretIsAnES256TokenThatRunsOut(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	cfg := appleConfig(t)
	der := assert.Must(x509.MarshalPKCS8PrivateKey(key))(t)
	cfg.PrivateKey = token.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	var secrets []string
	i := newIDP(t)
	i.handlers["/token"] = func(w http.ResponseWriter, r *http.Request) {
		secrets = append(secrets, r.PostFormValue("client_secret"))
		reply(w, http.StatusOK, map[string]any{"access_token": accessToken, "token_type": "bearer"})
	}
	p := assert.Must(provider.Apple(cfg))(t)
	p.TokenURL = i.URL + "/token"
	c := assert.Must(provider.New(p, i.config()))(t)
	for range 2 {
		_ = assert.Must(c.Refresh(t.Context(), token.NewSecret("r")))(t)
	}
	i.advance(50 * time.Minute)
	_ = assert.Must(c.Refresh(t.Context(), token.NewSecret("r")))(t)
	assert.Equal(t, secrets[0], secrets[1])
	assert.NotEqual(t, secrets[1], secrets[2])
	jws := assert.Must(jose.ParseSignedCompact(secrets[2], []jose.SignatureAlgorithm{jose.ES256}))(t)
	assert.Equal(t, jws.Signatures[0].Protected.KeyID, cfg.KeyID)
	var got map[string]any
	assert.NoError(t, json.Unmarshal(assert.Must(jws.Verify(key.Public()))(t), &got))
	assert.Equal(t, got, map[string]any{
		"iss": cfg.TeamID, "sub": cfg.ClientID, "aud": "https://appleid.apple.com",
		"iat": float64(i.Now().Unix()), "exp": float64(i.Now().Add(time.Hour).Unix()),
	})

	wrong := assert.Must(x509.MarshalPKCS8PrivateKey(assert.Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)))(t)
	for _, spoil := range []func(*provider.AppleConfig){
		func(a *provider.AppleConfig) { a.TeamID = "" },
		func(a *provider.AppleConfig) { a.KeyID = "" },
		func(a *provider.AppleConfig) { a.ClientID = "" },
		func(a *provider.AppleConfig) { a.PrivateKey = token.NewSecret("not PEM") },
		func(a *provider.AppleConfig) {
			a.PrivateKey = token.NewSecret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
		},
		func(a *provider.AppleConfig) {
			a.PrivateKey = token.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: wrong})))
		},
	} {
		bad := cfg
		spoil(&bad)
		_, err := provider.Apple(bad)
		assert.ErrorIs(t, err, provider.ErrConfig)
	}
}

func TestGitHubGrantsAreDeleted(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		id, pass, _ := r.BasicAuth()
		assert.Equal(t, []string{r.Method, r.URL.Path, id, body["access_token"]}, []string{"DELETE", "/api.github.com/applications/" + clientID + "/token", clientID, "gho"})
		assert.NotEqual(t, pass, "")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	i := newIDP(t)
	cfg := i.config()
	cfg.RootCAs = pool
	c := assert.Must(provider.New(relocated(provider.GitHub(clientID, token.NewSecret(secret)), server.URL), cfg))(t)
	assert.NoError(t, c.Revoke(t.Context(), token.NewSecret("gho"), provider.Access))
	assert.ErrorIs(t, c.Revoke(t.Context(), token.NewSecret("ghr"), provider.Refresh), provider.ErrUnsupported)
}
