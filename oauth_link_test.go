package tenon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// providers are identity providers on loopback, and what the App told of them.
type providers struct {
	// acme proves addresses of example.com, loose proves none. The App knows acme as
	// "plain", too: without OpenID Connect, and so as another issuer.
	acme, loose *oauthtest.Provider
	svc         *oauth.Service // of the App

	mu       sync.Mutex
	refused  []oauth.Refused
	linked   []oauth.Linked
	unlinked []oauth.Unlinked
}

// eachAcme is each, with providers.
func eachAcme(t *testing.T, fn func(t *testing.T, w *world, p *providers), change ...func(*tenon.Config)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		p := &providers{acme: oauthtest.NewProvider(t, db.Now), loose: oauthtest.NewProvider(t, db.Now)}
		p.is("ada", email)
		on := func(c *tenon.Config) { c.OAuth = oauthbun.New(p.config()).Into(&p.svc) }
		fn(t, newWorld(t, db, append([]func(*tenon.Config){on}, change...)...), p)
	})
}

// is signs somebody in at both providers, who say that the address is confirmed.
func (p *providers) is(subject, address string) {
	a := oauthtest.Account{Subject: subject, Email: address, Verified: true, Name: "Ada at Acme"}
	p.acme.SetAccount(a)
	p.loose.SetAccount(a)
}

func (p *providers) config() oauth.Config {
	acme := p.acme.Provider("acme")
	acme.Name, acme.EmailAuthority = "Acme", provider.EmailAuthority{Domains: []string{"example.com"}}
	plain := provider.Provider{
		ID: "plain", Issuer: "https://plain.example", ClientID: oauthtest.ClientID, ClientSecret: token.NewSecret(oauthtest.ClientSecret),
		AuthURL: p.acme.URL + "/authorize", TokenURL: p.acme.URL + "/token", UserInfoURL: p.acme.URL + "/userinfo",
		EmailAuthority: acme.EmailAuthority,
	}
	return oauth.Config{
		Providers: []oauth.Provider{{Provider: acme, KeepTokens: true}, {Provider: p.loose.Provider("loose")}, {Provider: plain}},
		Client:    p.acme.Config(), Hooks: p.hooks(),
	}
}

func (p *providers) hooks() oauth.Hooks {
	return oauth.Hooks{
		SignInRefused:   func(_ context.Context, e oauth.Refused) error { return told(p, &p.refused, e) },
		AccountLinked:   func(_ context.Context, e oauth.Linked) error { return told(p, &p.linked, e) },
		AccountUnlinked: func(_ context.Context, e oauth.Unlinked) error { return told(p, &p.unlinked, e) },
	}
}

func told[E any](p *providers, all *[]E, e E) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	*all = append(*all, e)
	return nil
}

// server is the one behind an id.
func (p *providers) server(id string) *oauthtest.Provider {
	if id == "loose" {
		return p.loose
	}
	return p.acme
}

// ask posts what begins a flow: to sign-in/social, link-social or oauth/step-up.
func (b *browser) ask(path, id string) answer {
	b.t.Helper()
	return b.post(path, map[string]any{"provider": id, "callbackURL": "/done"})
}

// leave is ask, and returns the provider's page.
func (b *browser) leave(path, id string) string {
	b.t.Helper()
	got := b.ask(path, id)
	to, _ := got.decode(b.t)["url"].(string)
	if got.StatusCode != http.StatusOK || to == "" {
		b.t.Fatalf("%s: %d %s", path, got.StatusCode, got.body)
	}
	return to
}

// walk begins a flow and follows it to the end.
func (b *browser) walk(p *providers, path, id string) answer {
	b.t.Helper()
	return b.comeBack(p.server(id).Visit(b.leave(path, id)))
}

// arrived fails the test unless a flow ended where it was to.
func (a answer) arrived(t testing.TB) {
	t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/done" {
		t.Fatalf("%d to %q: %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
}

// byAcme makes a user who has nothing but an account at Acme.
func (w *world) byAcme(t testing.TB, p *providers) *browser {
	t.Helper()
	b := w.browser(t)
	b.walk(p, "/sign-in/social", "acme").arrived(t)
	assert.True(t, b.isSignedIn(), "signed in by Acme")
	return b
}

// accounts is the list of ways in of who is signed in.
func (b *browser) accounts() (list []map[string]any) {
	b.t.Helper()
	got := b.get("/list-accounts")
	assert.NoError(b.t, json.Unmarshal([]byte(got.body), &list))
	return list
}

// unlink takes the account at a provider away.
func (b *browser) unlink(id string) answer {
	b.t.Helper()
	for _, a := range b.accounts() {
		if a["providerId"] == id {
			return b.post("/unlink-account", map[string]any{"accountId": a["id"]})
		}
	}
	b.t.Fatalf("there is no account at %s", id)
	return answer{}
}

// noMail leaves links and codes by mail out of the ways in.
func noMail(c *tenon.Config) { c.Passwordless.NoLinks, c.Passwordless.NoCodes = true, true }

func TestLinkAndUnlink(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		p.is("s-1", "elsewhere@acme.example") // which address it has is nobody's business
		b, elsewhere := w.signedIn(t, email), w.browser(t)
		assert.Equal(t, elsewhere.signIn(email).StatusCode, http.StatusOK)
		b.walk(p, "/link-social", "acme").arrived(t)
		assert.True(t, b.isSignedIn() && !elsewhere.isSignedIn(), "the other session ended, this one did not")
		assert.Equal(t, w.lastMail(t, email), oauth.MailLinked)
		list := b.accounts()
		assert.Len(t, list, 2)
		for field, want := range map[string]any{"providerId": "acme", "accountId": "s-1", "userId": b.idOf(), "scopes": []any{"openid", "email", "profile"}} {
			assert.Equal(t, list[1][field], want)
		}

		other := w.browser(t)
		other.walk(p, "/sign-in/social", "acme").arrived(t)
		assert.Equal(t, other.idOf(), b.idOf())
		assert.Contains(t, other.get("/get-session").body, `"provider":"acme"`)
		assert.NotContains(t, b.get("/get-session").body, `"provider"`)
		assert.Contains(t, b.get("/list-sessions").body, `"provider":"acme"`)

		assert.Equal(t, other.unlink("acme").body, `{"status":true}`+"\n")
		assert.True(t, other.isSignedIn() && !b.isSignedIn(), "taking it away ends the other session, too")
		assert.Equal(t, w.lastMail(t, email), oauth.MailUnlinked)
		assert.Len(t, other.accounts(), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links")+w.count(t, "tenon_oauth_grants"), 0)
		assert.Equal(t, []int{len(p.linked), len(p.unlinked), len(p.refused)}, []int{1, 1, 0})
		assert.False(t, p.linked[0].Automatic, "the user asked for it")
	})
}

// The account that is one's own already gets new tokens, and nothing else changes.
func TestLinkingAgainReplacesTheTokens(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.signedIn(t, email)
		b.walk(p, "/link-social", "acme").arrived(t)
		elsewhere := w.browser(t)
		assert.Equal(t, elsewhere.signIn(email).StatusCode, http.StatusOK)
		got := b.post("/link-social", map[string]any{"provider": "acme", "scopes": []string{"calendar"}})
		to, _ := got.decode(t)["url"].(string)
		assert.Equal(t, b.comeBack(p.acme.Visit(to)).Header.Get("Location"), "/")
		assert.True(t, elsewhere.isSignedIn(), "nothing protects the account otherwise")
		assert.Equal(t, b.accounts()[1]["scopes"], any([]any{"openid", "email", "profile", "calendar"}))
		assert.Equal(t, w.count(t, "tenon_oauth_grants WHERE generation = 2"), 1)
		assert.Len(t, p.linked, 1)
	})
}

func TestR12_StepUpByAProvider(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		before := b.cookie("session")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, b.ask("/link-social", "loose").code(t), "SESSION_NOT_FRESH")
		to := b.leave("/oauth/step-up", "acme")
		assert.Contains(t, to, "max_age=0")
		b.comeBack(p.acme.Visit(to)).arrived(t)
		assert.NotEqual(t, b.cookie("session"), before)
		assert.Equal(t, w.with(t, before).get("/get-session").body, "null\n")
		b.walk(p, "/link-social", "loose").arrived(t)
		assert.Len(t, p.refused, 0)
	})
}

// An app links by the ID token that it got, a bearer client like a browser.
func TestLinkByIDToken(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.signedIn(t, email)
		nonce := func() string {
			n, _ := b.post("/oauth/create-nonce", map[string]any{"provider": "acme"}).decode(t)["nonce"].(string)
			return n
		}
		link := func(c *browser, nonce, token string) answer {
			return c.post("/link-social", map[string]any{"provider": "acme", "idToken": map[string]any{"token": token, "nonce": nonce}})
		}
		n := nonce()
		token := p.acme.IDToken(n)
		assert.Equal(t, link(b, nonce(), token).code(t), "INVALID_TOKEN")
		assert.Equal(t, link(w.browser(t), n, token).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, link(b, n, token).body, `{"url":"","redirect":false,"status":true}`+"\n")
		assert.Equal(t, link(b, n, token).code(t), "INVALID_TOKEN")
		assert.Len(t, b.accounts(), 2)

		bob := w.signedIn(t, "bob@example.com")
		n = nonce()
		assert.Equal(t, link(bob, n, p.acme.IDToken(n)).code(t), "LINKED_ACCOUNT_ALREADY_EXISTS")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		n = nonce()
		assert.Equal(t, link(b, n, p.acme.IDToken(n)).code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, []int{len(p.linked), len(p.refused), w.count(t, "tenon_oauth_links")}, []int{1, 3, 1})
		for _, e := range p.refused {
			assert.True(t, e.Purpose == "link" && e.UserID != "", "the refusal says whose account it was about")
		}
	})
}

// A bearer client links by ID token alone: what comes back from a page has no session.
func TestR16_LinkingInBearerMode(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		w.user(t, email)
		app := w.signedInProgram(t, email)
		refused := func(path string) {
			t.Helper()
			got := app.call(http.MethodPost, path, map[string]any{"provider": "acme"})
			assert.Equal(t, got.code(t), "OAUTH_BROWSER_ONLY")
			assert.Len(t, got.Cookies(), 0)
		}
		refused("/link-social")
		nonce, _ := app.call(http.MethodPost, "/oauth/create-nonce", map[string]any{"provider": "acme"}).decode(t)["nonce"].(string)
		token := map[string]any{"token": p.acme.IDToken(nonce), "nonce": nonce}
		linked := app.call(http.MethodPost, "/link-social", map[string]any{"provider": "acme", "idToken": token})
		assert.Equal(t, linked.body, `{"url":"","redirect":false,"status":true}`+"\n")
		assert.Len(t, linked.Cookies(), 0)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)

		app.keep(t, app.exchange()) // the account changed
		_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
		assert.NoError(t, err)
		refused("/oauth/step-up")
	})
}

func TestAUserLinksTwentyAccounts(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.signedIn(t, email)
		for i := range oauth.DefaultMaxPerUser {
			p.is(fmt.Sprintf("s-%d", i), email)
			b.walk(p, "/link-social", "acme").arrived(t)
		}
		p.is("one-more", email)
		p.refuses(t, b, p.acme.Visit(b.leave("/link-social", "acme")), http.StatusConflict, "TOO_MANY_ACCOUNTS")
		p.is("s-3", email)
		b.walk(p, "/link-social", "acme").arrived(t) // is one of them
		assert.Equal(t, w.count(t, "tenon_oauth_links"), oauth.DefaultMaxPerUser)
	})
}
