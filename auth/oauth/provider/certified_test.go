package provider_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// certified names conformance/oidc/provider.mjs, its packages installed.
const certified = "TENON_OIDC_PROVIDER"

// startCertified starts the certified provider in Node and returns its issuer.
func startCertified(t *testing.T, options map[string]any) string {
	t.Helper()
	program := os.Getenv(certified)
	if program == "" {
		t.Skip("SKIPPED: the certified OpenID provider is a judge of its own: conformance/run.sh oidc")
	}
	node := assert.Must(exec.LookPath("node"))(t)
	cmd := exec.CommandContext(t.Context(), node, program, string(assert.Must(json.Marshal(options))(t)))
	stdin := assert.Must(cmd.StdinPipe())(t)
	stdout := assert.Must(cmd.StdoutPipe())(t)
	cmd.Stderr = t.Output()
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	var said struct {
		Issuer string `json:"issuer"`
	}
	line := assert.Must(bufio.NewReader(stdout).ReadBytes('\n'))(t)
	assert.NoError(t, json.Unmarshal(line, &said))
	return said.Issuer
}

func certifiedClients() []map[string]any {
	return []map[string]any{
		{"client_id": "basic", "client_secret": secret, "redirect_uris": []string{redirectURI}},
		{
			"client_id": "params", "client_secret": secret, "redirect_uris": []string{redirectURI},
			"token_endpoint_auth_method": "client_secret_post", "id_token_signed_response_alg": "ES256",
		},
		{"client_id": "public", "redirect_uris": []string{redirectURI}, "token_endpoint_auth_method": "none"},
	}
}

func certifiedClient(t *testing.T, issuer, id string, change ...func(*provider.Provider)) *provider.Client {
	t.Helper()
	p := provider.OpenID("certified", issuer, id, token.NewSecret(secret))
	for _, f := range change {
		f(&p)
	}
	return assert.Must(provider.New(p, provider.Config{Now: time.Now, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))(t)
}

// walker is a browser without scripts: cookies, redirects, forms.
type walker struct {
	t    *testing.T
	http *http.Client
}

func newWalker(t *testing.T) *walker {
	t.Helper()
	return &walker{t: t, http: &http.Client{
		Jar: assert.Must(cookiejar.New(nil))(t),
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), redirectURI) {
				return http.ErrUseLastResponse // the callback, which nobody serves
			}
			return nil
		},
	}}
}

var formAction = regexp.MustCompile(`action="(/interaction/[\w-]+/(login|consent|cancel))"`)

// walk goes from the authorization URL to the callback, as the person, and
// cancels at the page of that name.
func (w *walker) walk(to, person, cancelAt string) url.Values {
	w.t.Helper()
	response := assert.Must(w.http.Get(to))(w.t)
	for range 5 {
		body := string(assert.Must(io.ReadAll(response.Body))(w.t))
		response.Body.Close()
		if response.StatusCode >= 300 {
			return assert.Must(response.Location())(w.t).Query()
		}
		forms := formAction.FindAllStringSubmatch(body, -1)
		if len(forms) != 2 {
			w.t.Fatalf("no page of the provider: %s", body)
		}
		action := forms[0][1]
		if forms[0][2] == cancelAt {
			action = forms[1][1]
		}
		at := assert.Must(response.Request.URL.Parse(action))(w.t)
		response = assert.Must(w.http.PostForm(at.String(), url.Values{"login": {person}, "password": {"password"}}))(w.t)
	}
	w.t.Fatal("the provider asks for ever")
	return nil
}

// visit authorizes with a fresh flow and returns the callback.
func (w *walker) visit(c *provider.Client, person, cancelAt string, change ...func(*provider.AuthRequest)) provider.Callback {
	w.t.Helper()
	r := provider.AuthRequest{State: "state-1", Nonce: "nonce-1", Verifier: provider.NewVerifier(), RedirectURI: redirectURI}
	for _, f := range change {
		f(&r)
	}
	q := w.walk(assert.Must(c.AuthCodeURL(w.t.Context(), r))(w.t), person, cancelAt)
	assert.Equal(w.t, q.Get("state"), "state-1")
	cb := provider.Callback{
		Error: q.Get("error"), Issuer: q.Get("iss"), Verifier: r.Verifier, Nonce: r.Nonce, RedirectURI: r.RedirectURI,
	}
	if code := q.Get("code"); code != "" {
		cb.Code = token.NewSecret(code)
	}
	return cb
}

func TestCertifiedProviderSignsPeopleIn(t *testing.T) {
	t.Parallel()
	for _, inToken := range []bool{false, true} {
		issuer := startCertified(t, map[string]any{"clients": certifiedClients(), "claimsInIDToken": inToken})
		for _, c := range []*provider.Client{
			certifiedClient(t, issuer, "basic"),
			certifiedClient(t, issuer, "params", func(p *provider.Provider) {
				p.AuthStyle, p.Algorithms = provider.Params, []string{"ES256"}
			}),
			certifiedClient(t, issuer, "public", func(p *provider.Provider) { p.ClientSecret = token.Secret{} }),
		} {
			got := assert.Must(c.Exchange(t.Context(), newWalker(t).visit(c, "ann", "")))(t)
			who := got.Identity
			assert.Equal(t, []string{who.Issuer, who.Subject, who.Email, who.Name}, []string{issuer, "5a1e0000-ann", "ann@acme.example", "Ann Example"})
			assert.True(t, who.EmailVerified && !who.EmailProven, "verified, and no proof before the host lists domains")
			assert.Equal(t, got.Tokens.Scopes, []string{"openid", "email", "profile"})
			bob := assert.Must(c.Exchange(t.Context(), newWalker(t).visit(c, "bob", "")))(t).Identity
			assert.False(t, bob.EmailVerified, "bob's address")
		}
	}
}

func TestCertifiedProviderHoldsUsToTheProtocol(t *testing.T) {
	t.Parallel()
	issuer := startCertified(t, map[string]any{"clients": certifiedClients()})
	c, w := certifiedClient(t, issuer, "basic"), newWalker(t)
	refused := func(cb provider.Callback, want error) {
		t.Helper()
		got, err := c.Exchange(t.Context(), cb)
		assert.ErrorIs(t, err, want)
		assert.Equal(t, got, provider.SignIn{})
	}
	cb := w.visit(c, "ann", "")
	wrong := cb
	wrong.Issuer = ""
	refused(wrong, provider.ErrIssuer) // promised by discovery
	wrong.Issuer = "https://evil.example"
	refused(wrong, provider.ErrIssuer)
	_ = assert.Must(c.Exchange(t.Context(), cb))(t) // the code went nowhere before
	refused(cb, provider.ErrCodeRefused)            // and is spent now

	cb = w.visit(c, "ann", "")
	cb.Verifier = provider.NewVerifier()
	refused(cb, provider.ErrCodeRefused)
	cb = w.visit(c, "ann", "")
	cb.RedirectURI += "/other"
	refused(cb, provider.ErrCodeRefused)
	cb = w.visit(c, "ann", "")
	cb.Nonce = "nonce-2"
	refused(cb, provider.ErrNonce)

	// Without a challenge the provider, which demands PKCE, says so; ours is never without.
	u := assert.Must(url.Parse(assert.Must(c.AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "s", Nonce: "n", Verifier: provider.NewVerifier(), RedirectURI: redirectURI,
	}))(t)))(t)
	q := u.Query()
	q.Del("code_challenge")
	u.RawQuery = q.Encode()
	assert.Equal(t, newWalker(t).walk(u.String(), "ann", "").Get("error"), "invalid_request")

	for _, page := range []string{"login", "consent"} {
		refused(newWalker(t).visit(c, "bob", page), provider.ErrDenied)
	}
	lost := certifiedClient(t, issuer, "basic", func(p *provider.Provider) { p.ClientSecret = token.NewSecret("wrong") })
	_, err := lost.Exchange(t.Context(), w.visit(lost, "ann", ""))
	assert.ErrorIs(t, err, provider.ErrMisconfigured)
	_, err = certifiedClient(t, issuer+"/", "basic").AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "s", Nonce: "n", Verifier: provider.NewVerifier(), RedirectURI: redirectURI,
	})
	assert.ErrorIs(t, err, provider.ErrDiscoveryIssuer)
}

func TestCertifiedProviderRefreshesAndRevokes(t *testing.T) {
	t.Parallel()
	issuer := startCertified(t, map[string]any{"clients": certifiedClients()})
	c, w := certifiedClient(t, issuer, "basic"), newWalker(t)
	first := assert.Must(c.Exchange(t.Context(), w.visit(c, "ann", "")))(t).Tokens
	second := assert.Must(c.Refresh(t.Context(), first.Refresh))(t)
	assert.False(t, second.Access.Equal(first.Access), "the same access token")
	assert.False(t, second.Refresh.Equal(first.Refresh), "the same refresh token")
	assert.NoError(t, c.Revoke(t.Context(), second.Refresh, provider.Refresh))
	assert.NoError(t, c.Revoke(t.Context(), second.Refresh, provider.Refresh))
	_, err := c.Refresh(t.Context(), second.Refresh)
	assert.ErrorIs(t, err, provider.ErrGrantEnded)

	first = assert.Must(c.Exchange(t.Context(), w.visit(c, "ann", "")))(t).Tokens
	second = assert.Must(c.Refresh(t.Context(), first.Refresh))(t)
	for _, replayed := range []token.Secret{first.Refresh, second.Refresh} { // the replay ends the family
		_, err = c.Refresh(t.Context(), replayed)
		assert.ErrorIs(t, err, provider.ErrGrantEnded)
	}
}

func TestCertifiedProviderTellsWhenSomebodySignedInAgain(t *testing.T) {
	t.Parallel()
	issuer := startCertified(t, map[string]any{"clients": certifiedClients()})
	c, w := certifiedClient(t, issuer, "basic"), newWalker(t)
	_ = assert.Must(c.Exchange(t.Context(), w.visit(c, "ann", "")))(t)
	before := time.Now().Truncate(time.Second)
	again := func(r *provider.AuthRequest) { r.Reauthenticate = true }
	got := assert.Must(c.Exchange(t.Context(), w.visit(c, "ann", "", again)))(t)
	assert.False(t, got.Identity.AuthenticatedAt.Before(before), "an old sign-in")

	// The ID token is good for an app of ours as well, while it is young and with its nonce.
	native := assert.Must(c.VerifyIDToken(t.Context(), provider.NativeToken{
		IDToken: got.Tokens.ID, Nonce: "nonce-1", AccessToken: got.Tokens.Access,
	}))(t)
	assert.Equal(t, native.Subject, "5a1e0000-ann")
	_, err := c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: got.Tokens.ID, Nonce: "nonce-2"})
	assert.ErrorIs(t, err, provider.ErrNonce)
	_, err = certifiedClient(t, issuer, "params").VerifyIDToken(t.Context(), provider.NativeToken{IDToken: got.Tokens.ID, Nonce: "nonce-1"})
	assert.ErrorIs(t, err, provider.ErrAudience)
}
