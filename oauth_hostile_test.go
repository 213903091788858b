package tenon_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A stranger begins the flow of an app whose target is the callback of a provider that is
// theirs: the code that ends the flow of whoever follows goes to no provider (rule R16).
func TestR16_TheCodeOfAnAppGoesToNoProvider(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i, evil := &idp{Provider: oauthtest.NewProvider(t, db.Now)}, oauthtest.NewProvider(t, db.Now)
		w := newWorld(t, db, i.into(func(c *oauth.Config) {
			c.Providers = append(c.Providers, oauth.Provider{Provider: evil.Provider("evil")})
		}))
		i.is("1", email)
		evil.SetAccount(oauthtest.Account{Subject: "mallory", Email: "mallory@elsewhere.example"})
		stranger, victim := w.browser(t), w.browser(t)
		flow := flowOfApp()
		flow["provider"], flow["callbackURL"], flow["errorCallbackURL"] = "evil", "/", "/"
		at := evil.Visit(stranger.beginBearer(t, flow))
		query := at.Query()
		query.Del("code")
		at.RawQuery = query.Encode()
		flow["provider"], flow["callbackURL"] = "acme", at.String()
		got := victim.comeBack(i.Visit(stranger.beginBearer(t, flow)))
		to, err := url.Parse(got.Header.Get("Location"))
		assert.NoError(t, err)
		code := to.Query().Get("code")
		assert.NotEqual(t, code, "")
		victim.comeBack(to)
		told := slices.ContainsFunc(evil.Forms("authorization_code"), func(form url.Values) bool { return form.Get("code") == code })
		assert.False(t, told, "the other provider has the code")
		assert.Equal(t, evil.Called("/token"), 0)
	})
}

// Whoever had the mailbox may be on the way when its owner leaves it: what was read before
// is no reason to link (rule R1).
func TestR1_NobodyIsLinkedByAnAddressThatTheOwnerLeft(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"address": "UPDATE tenon_users SET email = 'new@example.com', security_version = security_version + 1",
		"factor":  "UPDATE tenon_users SET second_factor_at = created_at, security_version = security_version + 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := bundbtest.Postgres(t, tenon.Schemas()...)
			i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
			w := newWorld(t, db, i.into(), func(c *tenon.Config) { c.RedirectTargets = []string{"myapp://"} })
			w.signedIn(t, email)
			owner := w.text(t, "SELECT id FROM tenon_users WHERE email = 'ada@example.com'")
			i.is("stranger", email)
			back := i.Visit(w.browser(t).beginBearer(t, flowOfApp()))
			barrier := bundbtest.FaultsOf(w.DB).StallOn("KEY SHARE", 1)
			done := make(chan answer, 1)
			go func() { done <- w.browser(t).comeBack(back) }()
			barrier.Wait(t)
			_, err := db.Statement(change).Exec(bundbtest.Outside(t.Context()))
			assert.NoError(t, err)
			barrier.Release()
			<-done
			links, err := i.store(w).Links(t.Context(), owner)
			assert.NoError(t, err)
			assert.Len(t, links, 0)
		})
	}
}

// Two clients at one issuer know the same people. The tokens of the one are nothing to the
// other: they must not replace those that are kept for it.
func TestTheTokensOfOneClientAreNotKeptForAnother(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		b.arrives(b.social(i), "/")
		chosen := map[string]any{"accountId": b.atProvider("acme")}
		kept := b.post("/get-access-token", chosen).decode(t)["accessToken"]
		again := w.browser(t)
		again.arrives(again.comeBack(i.Visit(again.begin("other", nil))), "/")
		assert.Equal(t, again.post("/get-access-token", chosen).decode(t)["accessToken"], kept)
		assert.Equal(t, again.comeBack(i.Visit(again.leave("/link-social", "other"))).Header.Get("Location"), "/done")
		assert.Equal(t, again.post("/get-access-token", chosen).decode(t)["accessToken"], kept)
	}, func(c *oauth.Config) {
		for n := range c.Providers {
			c.Providers[n].KeepTokens = true
		}
	})
}

// Whatever case a provider writes an address in, it is one mailbox, and an address of
// another mailbox that looks alike is not: no second user, no neighbour's account.
func TestR19_AnAddressIsOneMailboxHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.signedIn(t, email)
		for n, address := range []string{strings.ToUpper(email), "\u212aing@example.com", "ada@ex\u0430mple.com", "ada@\uff45xample.com", "\"ada\"@example.com", "x@y@example.com", "ada@example.com.", "ada+x@example.com"} {
			i.is("s"+string(rune('a'+n)), address)
			w.browser(t).social(i)
		}
		links, err := i.store(w).Links(t.Context(), w.text(t, "SELECT id FROM tenon_users WHERE email = 'ada@example.com'"))
		assert.NoError(t, err)
		assert.Len(t, links, 1) // the upper case
		assert.Equal(t, links[0].Identity.Subject, "sa")
		assert.Equal(t, w.count(t, "tenon_users"), 2) // ada+x is somebody
	}, func(c *oauth.Config) {
		c.Providers[0].EmailAuthority = provider.EmailAuthority{All: true}
	})
}

// The form of a provider becomes a GET of ours, whatever is in it: no other place, no
// header, no page (rule R23).
func TestR23_AFormOfAProviderLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, _ *idp) {
		b := w.browser(t)
		form := url.Values{
			"state": {"x\r\nSet-Cookie: a=b"}, "code": {"#@evil.example/?"}, "user": {"<script>"}, "callbackURL": {"https://evil.example"},
			"next": {"//evil.example"}, "iss": {"https://evil.example"},
		}
		r := b.request(http.MethodPost, "/callback/acme", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://evil.example")
		got := b.do(r)
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		to, err := url.Parse(got.Header.Get("Location"))
		assert.NoError(t, err)
		assert.Equal(t, to.Path, "/api/auth/callback/acme")
		assert.True(t, strings.HasPrefix(to.String(), w.cfg.BaseURL+"/api/auth/callback/acme?"), to.String())
		assert.Len(t, got.Cookies(), 0)
		assert.False(t, to.Query().Has("callbackURL") || to.Query().Has("next"), to.String())
		assert.Equal(t, got.Header.Get("Referrer-Policy"), "no-referrer")
	})
}

// The victim waits with a sign-up of her own, a stranger attaches an account to a later one,
// and she asks for another mail, or for a code: what proves her mailbox is hers alone (rule
// R5).
func TestR5_AnotherMailKeepsNoStrangersAccount(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(t *testing.T, w *world, victim *browser) answer{
		"another link": func(t *testing.T, w *world, victim *browser) answer {
			assert.Equal(t, victim.post("/send-verification-email", map[string]any{"email": email}).StatusCode, http.StatusOK)
			link := w.link(t, email)
			if got := victim.post("/verify-email", map[string]any{"token": link}); got.StatusCode == http.StatusOK {
				return got // her own sign-up
			}
			return victim.post("/verify-email", map[string]any{"token": link, "newPassword": password})
		},
		"a magic link": func(t *testing.T, w *world, victim *browser) answer {
			return victim.useLink(w.magicLink(t, victim, email))
		},
		"a code for the address": func(t *testing.T, w *world, victim *browser) answer {
			code := w.mailedCode(t, victim, email, "email-verification")
			got := victim.post("/email-otp/verify-email", map[string]any{"email": email, "otp": code})
			if got.StatusCode == http.StatusOK {
				return got
			}
			assert.Equal(t, got.code(t), "SIGN_UP_PROOF_REQUIRED")
			assert.Equal(t, w.count(t, "tenon_users"), 0)
			w.later()
			return victim.useLink(w.magicLink(t, victim, email))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				victim, eve := w.browser(t), w.browser(t)
				victim.signUp(email)
				w.later()
				p.is("eve", email)
				assert.Contains(t, eve.walk(p, "/sign-in/social", "loose").body, "Check your mail")
				w.later()
				assert.Equal(t, prove(t, w, victim).StatusCode, http.StatusOK)
				assert.Equal(t, w.count(t, "tenon_users"), 1)
				assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
				eve.walk(p, "/sign-in/social", "loose")
				assert.False(t, eve.isSignedIn(), "the stranger is in")
			})
		})
	}
}
