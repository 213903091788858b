package tenon_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// everyLie is what a hostile provider tells, and what it tells about addresses and
// subjects besides.
func everyLie() []oauthtest.Lie {
	claim := func(name string, value any) func(*oauthtest.Provider) {
		return func(p *oauthtest.Provider) { p.Claim(name, value) }
	}
	callback := func(change func(q url.Values)) func(*oauthtest.Provider) {
		return func(p *oauthtest.Provider) { p.Bend(func(k *oauthtest.Knobs) { k.Callback = change }) }
	}
	return append(oauthtest.Lies(), []oauthtest.Lie{
		{Name: "subject of spaces", Want: provider.ErrProfile, Tell: claim("sub", "  ")},
		{Name: "subject that is a number", Want: provider.ErrInvalidIDToken, Tell: claim("sub", 7)},
		{Name: "endless subject", Want: provider.ErrProfile, Tell: claim("sub", strings.Repeat("s", 256))},
		{Name: "no address", Want: provider.ErrEmailNotShared, Tell: func(p *oauthtest.Provider) {
			p.Claim("email", nil)
			p.Bend(func(k *oauthtest.Knobs) { k.UserInfo = func(doc map[string]any) { delete(doc, "email") } })
		}},
		{Name: "address that is none", Want: auth.ErrInvalidEmail, Tell: claim("email", "ada@@example.com")},
		{Name: "code sent twice", Want: nil, Tell: callback(func(q url.Values) { q.Add("code", "another") })},
		{Name: "state of nobody", Want: nil, Tell: callback(func(q url.Values) { q.Set("state", "nobody's") })},
		{Name: "no state", Want: nil, Tell: callback(func(q url.Values) { q.Del("state") })},
		{Name: "error that is markup", Want: provider.ErrMisconfigured, Tell: callback(func(q url.Values) { q.Set("error", "<script>alert(1)</script>") })},
		{Name: "error beside a code", Want: provider.ErrDenied, Tell: callback(func(q url.Values) { q.Set("error", "access_denied") })},
	}...)
}

// codeOf is what the host and the browser hear of a lie.
func codeOf(lie oauthtest.Lie) []string {
	if lie.Want == nil {
		return []string{"STATE_MISMATCH"}
	}
	if public, ok := errors.AsType[*problem.Error](lie.Want); ok {
		return []string{public.Code}
	}
	return []string{"INVALID_TOKEN", "UNABLE_TO_GET_USER_INFO", "OAUTH_CALLBACK_INVALID", "OAUTH_CODE_REFUSED"}
}

// Each thing that a hostile provider says is refused on a page that tells the browser what
// to do, and, where the flow named a place, there; the host hears why; nobody is signed in,
// made or linked, and no secret is in a page, an address, the log or what the host heard.
func TestR19_AHostileProviderSignsNobodyIn(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		w.signedIn(t, email).walk(p, "/link-social", "acme").arrived(t)
		w.signedIn(t, "bob@example.com")
		tables := []string{"tenon_users", "tenon_sessions", "tenon_oauth_links", "tenon_oauth_attachments", "tenon_sign_ups", "tenon_devices"}
		counts := func() (n []int) {
			for _, table := range tables {
				n = append(n, w.count(t, table))
			}
			return n
		}
		before := counts()
		lies := everyLie()
		// The user who is linked, one whose mailbox is proven, and nobody yet.
		for _, who := range [][2]string{{"ada", email}, {"bob", "bob@example.com"}, {"new", "new@example.com"}} {
			for _, lie := range lies {
				bundbtest.ClockOf(w.db).Advance(time.Minute) // keys that nobody knows are looked for now and then
				for _, own := range []bool{false, true} {
					p.is(who[0], who[1])
					p.acme.Bend(func(k *oauthtest.Knobs) { *k = oauthtest.Knobs{} })
					lie.Tell(p.acme)
					if who[0] == "ada" && (lie.Name == "no address" || lie.Name == "address that is none") {
						continue // the subject says who it is
					}
					w.tellsLie(t, p, lie, own)
				}
			}
		}
		assert.Equal(t, counts(), before)
		assert.True(t, len(lies) >= 35, "the table shrank")
		p.acme.Bend(func(k *oauthtest.Knobs) { *k = oauthtest.Knobs{} })
		p.is("ada", email)
		w.browser(t).walk(p, "/sign-in/social", "acme").arrived(t) // what is not bent signs in
		w.noSecretsOf(t, p)
	})
}

// tellsLie goes to a provider that lies and back, and checks what becomes of it.
func (w *world) tellsLie(t *testing.T, p *providers, lie oauthtest.Lie, own bool) {
	t.Helper()
	b, heard := w.browser(t), len(p.refused)
	body := map[string]any{"provider": "acme", "callbackURL": "/done"}
	if own {
		body["errorCallbackURL"] = "/oops?x=1"
	}
	to, _ := b.post("/sign-in/social", body).decode(t)["url"].(string)
	got := b.comeBack(p.acme.Visit(to))
	if len(p.refused) != heard+1 {
		t.Errorf("%s: the host heard %+v", lie.Name, p.refused[heard:])
		return
	}
	told := p.refused[heard]
	location := assert.Must(url.Parse(got.Header.Get("Location")))(t)
	// Which flow it was, nobody knows; what the operator has to look at, has a reference.
	named := own && told.Code != "STATE_MISMATCH" && told.Code != "OAUTH_MISCONFIGURED"
	switch {
	case !slices.Contains(codeOf(lie), told.Code) || told.Provider != "acme":
		t.Errorf("%s: the host heard %+v", lie.Name, told)
	case named && (got.StatusCode != http.StatusSeeOther || location.Path != "/oops" || location.Query().Get("error") != told.Code || location.Query().Get("x") != "1"):
		t.Errorf("%s: %d to %s", lie.Name, got.StatusCode, location)
	case !named && (got.StatusCode < 400 || got.StatusCode > 500 || !strings.Contains(got.body, `<p class="notice" role="alert">`)):
		t.Errorf("%s: %d %s", lie.Name, got.StatusCode, got.body)
	case len(got.Cookies()) > 0 || b.isSignedIn():
		t.Errorf("%s: cookies %v", lie.Name, got.Cookies())
	}
	if lie.Want != nil && !strings.Contains(told.Reason, lie.Want.Error()) {
		t.Errorf("%s: the host heard the reason %q", lie.Name, told.Reason)
	}
	w.noSecretIn(t, p, lie.Name, got.body+location.String()+told.Reason+told.Code)
	assert.NotContains(t, got.body, "alert(1)")
	assert.Equal(t, got.Header.Get("Referrer-Policy"), "no-referrer")
}

func (w *world) noSecretIn(t testing.TB, p *providers, where, text string) {
	t.Helper()
	for _, secret := range append(p.acme.Secrets(), oauthtest.ClientSecret, "eyJhbGci") {
		if strings.Contains(text, secret) {
			t.Errorf("%s: there is a secret", where)
		}
	}
}

// noSecretsOf looks for everything that a provider issued in the log and in the rows.
func (w *world) noSecretsOf(t testing.TB, p *providers) {
	t.Helper()
	w.noSecretIn(t, p, "the log", w.logs.String())
	rows := string(bundbtest.Dump(t, w.db))
	for _, secret := range p.acme.Secrets() {
		if strings.Contains(rows, secret) {
			t.Errorf("a row has a secret")
		}
	}
}

// A state, and a code, of one provider are nothing at the path of another.
func TestR20_AProviderDoesNotFinishTheFlowOfAnother(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.browser(t)
		back := p.loose.Visit(b.leave("/sign-in/social", "loose"))
		swapped := *back
		swapped.Path = strings.TrimSuffix(back.Path, "loose") + "acme"
		p.refuses(t, b, &swapped, http.StatusBadRequest, "STATE_MISMATCH")
		assert.Equal(t, p.acme.Called("/token")+p.loose.Called("/token"), 0)
		// With a state of acme's, the code of the other is nothing there, nor is its issuer.
		query := back.Query()
		query.Set("state", assert.Must(url.Parse(b.leave("/sign-in/social", "acme")))(t).Query().Get("state"))
		swapped.RawQuery = query.Encode()
		p.refuses(t, b, &swapped, http.StatusBadRequest, "OAUTH_CALLBACK_INVALID")
		assert.Equal(t, p.acme.Called("/token")+p.loose.Called("/token"), 0)
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	})
}

// What a provider says in another way than JSON's true, or about addresses that it does
// not administer, is as if somebody had typed it (rule R19, CVE-2026-55076).
func TestR19_AProvidersWordIsNoProof(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(p *providers) string{
		"a text":                    func(p *providers) string { p.acme.Claim("email_verified", "true"); return "acme" },
		"a number":                  func(p *providers) string { p.acme.Claim("email_verified", 1); return "acme" },
		"nothing":                   func(p *providers) string { p.acme.Claim("email_verified", false); return "acme" },
		"of nobody's domain":        func(*providers) string { return "loose" },
		"of a subdomain":            func(p *providers) string { p.is("eve", "ada@sub.example.com"); return "acme" },
		"of a domain that ends so":  func(p *providers) string { p.is("eve", "ada@evilexample.com"); return "acme" },
		"of a domain with a letter": func(p *providers) string { p.is("eve", "ada@example.com.evil.example"); return "acme" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				victim := w.signedIn(t, email)
				p.is("eve", email)
				id := bend(p)
				b := w.browser(t)
				got := b.walk(p, "/sign-in/social", id)
				assert.Equal(t, got.StatusCode, http.StatusOK)
				assert.Contains(t, got.body, "Check your mail")
				assert.False(t, b.isSignedIn(), "nothing was proven")
				assert.Equal(t, []int{w.count(t, "tenon_users"), w.count(t, "tenon_oauth_links")}, []int{1, 0})
				assert.True(t, victim.isSignedIn(), "nothing happened to the user")
			})
		})
	}
}

// An attacker who knows the victim's address signs up with it first. The victim, who never
// saw that page, comes by a provider later. The attacker's password opens nothing, then and
// ever after, and their link, even in the victim's hands, makes nothing of it.
func TestR4_PreHijackByAPassword(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		eve, victim := w.browser(t), w.browser(t)
		assert.Equal(t, eve.signUp(email).StatusCode, http.StatusOK)
		link := w.link(t, email)
		waiting := eve.leave("/sign-in/social", "loose") // in the same browser, too
		victim.walk(p, "/sign-in/social", "acme").arrived(t)
		assert.True(t, victim.isSignedIn(), "the victim is in")
		p.is("eve", email)
		assert.Contains(t, eve.comeBack(p.loose.Visit(waiting)).body, "Check your mail")
		for _, b := range []*browser{eve, victim, w.browser(t)} {
			assert.Equal(t, b.post("/verify-email", map[string]any{"token": link}).code(t), "INVALID_TOKEN")
		}
		assert.Equal(t, eve.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.False(t, eve.isSignedIn(), "the attacker is not")
		assert.Equal(t, []int{w.count(t, "tenon_users"), w.count(t, "tenon_credentials"), w.count(t, "tenon_oauth_links")}, []int{1, 0, 1})
		// The second mail to the victim is no sign-up link that would let the attacker in.
		assert.Equal(t, w.lastMail(t, email), auth.MailSignUpAttempt)
		assert.Equal(t, eve.signIn(email).StatusCode, http.StatusUnauthorized)
		victim.walk(p, "/sign-in/social", "loose") // as eve: still nobody's
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

// The other direction: the attacker waits at the address with an account at a provider
// that proves nothing. Whichever way the victim proves the mailbox, the attacker's account
// comes to nothing.
func TestR5_PreHijackByAProvider(t *testing.T) {
	t.Parallel()
	for name, come := range map[string]func(t *testing.T, w *world, p *providers, link string) *browser{
		"by a provider that proves it": func(t *testing.T, w *world, p *providers, _ string) *browser {
			victim := w.browser(t)
			p.is("ada", email)
			victim.walk(p, "/sign-in/social", "acme").arrived(t)
			return victim
		},
		"by a sign-up of her own": func(t *testing.T, w *world, _ *providers, _ string) *browser {
			bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
			return w.signedIn(t, email)
		},
		"by the attacker's link, with a password of her own": func(t *testing.T, w *world, _ *providers, link string) *browser {
			victim := w.browser(t)
			assert.Equal(t, victim.post("/verify-email", map[string]any{"token": link}).code(t), "SIGN_UP_PROOF_REQUIRED")
			assert.Equal(t, victim.post("/verify-email", map[string]any{"token": link, "newPassword": password}).StatusCode, http.StatusOK)
			assert.Equal(t, victim.signIn(email).StatusCode, http.StatusOK)
			return victim
		},
		"by a mailed link": func(t *testing.T, w *world, _ *providers, _ string) *browser {
			victim := w.browser(t)
			assert.Equal(t, victim.useLink(w.magicLink(t, victim, email)).StatusCode, http.StatusOK)
			return victim
		},
		"by a mailed code": func(t *testing.T, w *world, _ *providers, _ string) *browser {
			victim := w.browser(t)
			code := w.mailedCode(t, victim, email, "sign-in")
			assert.Equal(t, victim.post("/sign-in/email-otp", map[string]any{"email": email, "otp": code}).StatusCode, http.StatusOK)
			return victim
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				eve := w.browser(t)
				p.is("eve", email)
				assert.Contains(t, eve.walk(p, "/sign-in/social", "loose").body, "Check your mail")
				link := w.link(t, email)
				assert.Equal(t, w.count(t, "tenon_oauth_attachments"), 1)
				victim := come(t, w, p, link)
				assert.True(t, victim.isSignedIn(), "the victim is in")
				p.is("eve", email)
				assert.Contains(t, eve.walk(p, "/sign-in/social", "loose").body, "Check your mail")
				assert.False(t, eve.isSignedIn(), "the attacker is not")
				assert.Equal(t, eve.post("/verify-email", map[string]any{"token": link}).code(t), "INVALID_TOKEN")
				assert.Equal(t, w.count(t, "tenon_users"), 1)
				assert.Equal(t, w.count(t, "tenon_oauth_links WHERE subject = 'eve'"), 0)
				assert.Equal(t, w.count(t, "tenon_sessions WHERE user_id <> ?", victim.idOf()), 0)
			})
		})
	}
}

// A user who was imported without a proof of the address, and whose account somebody else
// got hold of in the meantime: nothing that they put there survives the owner's first
// sign-in by a provider, and nothing that they have under way.
func TestR4_WhatAStrangerPutOnAnUnprovenAccountIsGone(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		eve := w.signedIn(t, email)
		p.is("eve", "eve@evil.example")
		eve.walk(p, "/link-social", "acme").arrived(t)
		key := passkeytest.New(base)
		assert.Equal(t, eve.addPasskey(key).StatusCode, http.StatusOK)
		other := w.browser(t)
		other.walk(p, "/sign-in/social", "acme").arrived(t)
		linking := p.loose.Visit(eve.leave("/link-social", "loose"))
		signingIn := p.acme.Visit(other.leave("/sign-in/social", "acme"))
		assertion := other.assertion(key)
		_, err := w.db.Statement("UPDATE tenon_users SET email_verified = ?, email_proof = ''").Exec(t.Context(), false)
		assert.NoError(t, err)

		victim := w.browser(t)
		p.is("ada", email)
		victim.walk(p, "/sign-in/social", "acme").arrived(t)
		assert.True(t, victim.isSignedIn(), "the owner is in")
		assert.True(t, !eve.isSignedIn() && !other.isSignedIn(), "the stranger is not")
		assert.Equal(t, []int{
			w.count(t, "tenon_users"), w.count(t, "tenon_passkeys"), w.count(t, "tenon_credentials"),
			w.count(t, "tenon_oauth_links"), w.count(t, "tenon_oauth_grants"), w.count(t, "tenon_oauth_links WHERE subject = 'ada'"),
		}, []int{1, 0, 0, 1, 1, 1})
		p.refuses(t, eve, linking, http.StatusUnauthorized, "SESSION_CHANGED")
		assert.Equal(t, other.authenticate(assertion).code(t), "AUTHENTICATION_FAILED")
		assert.Equal(t, eve.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Contains(t, other.comeBack(signingIn).body, "Check your mail") // an account of nobody's
		assert.True(t, victim.isSignedIn() && !other.isSignedIn(), "it stays that way")
		assert.Equal(t, w.count(t, "tenon_users WHERE email_proof = 'provider:acme'"), 1)
	}, withPasskeys)
}
