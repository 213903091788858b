package tenon_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

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

// withOAuth turns signing in by a provider on, at which nobody is: all of its endpoints are
// known beforehand, so that sending somebody there asks nobody.
func withOAuth(c *tenon.Config) {
	c.OAuth = oauthbun.New(oauth.Config{Providers: []oauth.Provider{{Provider: provider.Google("client", token.NewSecret("secret"))}}})
}

// idp is a provider for the App: as "acme", which proves the mailboxes of example.com, and
// as "other".
type idp struct {
	*oauthtest.Provider

	svc  *oauth.Service // of the App
	told refusals       // what the hooks of the App heard
}

// eachIDP runs fn with an App and a provider on each database.
func eachIDP(t *testing.T, fn func(t *testing.T, w *world, i *idp), change ...func(*oauth.Config)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		fn(t, newWorld(t, db, i.into(change...)), i)
	})
}

// into makes the provider one of an App.
func (i *idp) into(change ...func(*oauth.Config)) func(*tenon.Config) {
	return func(c *tenon.Config) {
		cfg := oauth.Config{Client: i.Config(), Hooks: oauth.Hooks{SignInRefused: i.told.hear}}
		for _, id := range []string{"acme", "other"} {
			p := i.Provider.Provider(id)
			p.EmailAuthority = provider.EmailAuthority{Domains: []string{"example.com"}}
			cfg.Providers = append(cfg.Providers, oauth.Provider{Provider: p})
		}
		for _, f := range change {
			f(&cfg)
		}
		c.OAuth = oauthbun.New(cfg).Into(&i.svc)
	}
}

// is signs somebody in at the provider whose address it has confirmed.
func (i *idp) is(subject, address string) {
	i.SetAccount(oauthtest.Account{Subject: subject, Email: address, Verified: true, Name: "Ada at Acme"})
}

// store is that of the App.
func (i *idp) store(w *world) oauth.Store { return oauthbun.NewStore(w.DB) }

// begin starts a flow and returns the provider's page.
func (b *browser) begin(id string, body map[string]any) string {
	b.t.Helper()
	sent := map[string]any{"provider": id}
	maps.Copy(sent, body)
	got := b.post("/sign-in/social", sent)
	if got.StatusCode != http.StatusOK {
		b.t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	to, _ := got.decode(b.t)["url"].(string)
	return to
}

// comeBack opens where the provider sent the browser.
func (b *browser) comeBack(back *url.URL) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, back.String(), nil)
	assert.NoError(b.t, err)
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

// social signs in by the provider.
func (b *browser) social(i *idp) answer {
	b.t.Helper()
	return b.comeBack(i.Visit(b.begin("acme", nil)))
}

// arrives fails the test if the browser was not sent to target, signed in.
func (b *browser) arrives(got answer, target string) {
	b.t.Helper()
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != target || !b.isSignedIn() {
		b.t.Errorf("%d to %q, signed in: %v %s", got.StatusCode, got.Header.Get("Location"), b.isSignedIn(), got.body)
	}
}

// rowsWithout returns all rows of all tables but one.
func (w *world) rowsWithout(t testing.TB, table string) string {
	t.Helper()
	var kept []string
	for _, section := range strings.Split(string(bundbtest.Dump(t, w.db)), "== ") {
		if !strings.HasPrefix(section, table+"\n") {
			kept = append(kept, section)
		}
	}
	return strings.Join(kept, "== ")
}

// askProvider reports whether a route is a first factor that somebody proves at an identity
// provider.
func askProvider(pattern string) bool {
	switch pattern {
	case "GET /callback/{provider}", "POST /sign-in/social", "POST /oauth/exchange":
		return true
	}
	return false
}
