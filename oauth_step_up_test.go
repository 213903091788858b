package tenon_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

// multi is everything but the provider at which nobody is.
func multi(c *tenon.Config) {
	mine := c.OAuth
	everything(c)
	c.OAuth = mine
}

// stale is a user who has nothing but an account at Acme, and whose last proof is old.
func (w *world) stale(t testing.TB, p *providers) *browser {
	t.Helper()
	b := w.byAcme(t, p)
	bundbtest.ClockOf(w.db).Advance(time.Hour)
	assert.Equal(t, b.ask("/link-social", "loose").code(t), "SESSION_NOT_FRESH")
	return b
}

// What a provider says in a step-up makes nothing fresh unless it is about the user's own
// account, and about a proof that it asked for since. The fifth time ends the session.
func TestR12_AStepUpIsByTheOwnAccountAndANewProof(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend func(w *world, p *providers)
		code string
	}{
		"another account": {func(_ *world, p *providers) { p.is("eve", email) }, "OTHER_ACCOUNT"},
		"signed in there an hour ago": {func(w *world, p *providers) {
			p.acme.Claim("auth_time", w.db.Now().Add(-time.Hour).Unix())
		}, "NOT_REAUTHENTICATED"},
		"signed in there before the minute that clocks may differ by": {func(w *world, p *providers) {
			p.acme.Claim("auth_time", w.db.Now().Add(-62*time.Second).Unix())
		}, "NOT_REAUTHENTICATED"},
		"it does not say when":        {func(_ *world, p *providers) { p.acme.Claim("auth_time", nil) }, "NOT_REAUTHENTICATED"},
		"it says it in a text":        {func(_ *world, p *providers) { p.acme.Claim("auth_time", "now") }, "NOT_REAUTHENTICATED"},
		"a proof that is not a proof": {func(_ *world, p *providers) { p.acme.Claim("nonce", "other") }, "INVALID_TOKEN"},
		"the provider knows nobody":   {func(_ *world, p *providers) { p.acme.Claim("sub", "") }, "INVALID_TOKEN"},
		"somebody else says it":       {func(_ *world, p *providers) { p.acme.Claim("iss", "https://evil.example") }, "INVALID_TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				b := w.stale(t, p)
				c.bend(w, p)
				for range 4 {
					p.refuses(t, b, p.acme.Visit(b.leave("/oauth/step-up", "acme")), http.StatusUnauthorized, c.code)
					assert.Equal(t, b.ask("/link-social", "loose").code(t), "SESSION_NOT_FRESH")
				}
				fifth := p.acme.Visit(b.leave("/oauth/step-up", "acme"))
				p.refuses(t, b, fifth, http.StatusUnauthorized, "SESSION_ENDED")
				assert.False(t, b.isSignedIn(), "the session ended")
				for _, e := range p.refused {
					assert.True(t, e.Purpose == "step-up" && e.UserID != "", "the refusal says whose account it was about")
				}
			})
		})
	}
}

// Whoever says no at the provider, or comes back in another session, has not guessed.
func TestR12_WhatIsNoProofIsNoWrongProof(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.stale(t, p)
		p.acme.Deny("access_denied")
		for range 6 {
			p.refuses(t, b, p.acme.Visit(b.leave("/oauth/step-up", "acme")), http.StatusForbidden, "OAUTH_ACCESS_DENIED")
		}
		p.acme.Deny("")
		back := p.acme.Visit(b.leave("/oauth/step-up", "acme"))
		for range 6 {
			p.refuses(t, w.browser(t), back, http.StatusBadRequest, "STATE_MISMATCH")
		}
		b.comeBack(back).arrived(t)
		p.refuses(t, b, back, http.StatusBadRequest, "STATE_MISMATCH")
		b.walk(p, "/link-social", "loose").arrived(t)
	})
}

// Users who have something stronger prove that (rule R12), whenever they got it.
func TestR12_AProviderIsNoStepUpBesideSomethingStronger(t *testing.T) {
	t.Parallel()
	for name, strengthen := range map[string]func(t *testing.T, w *world, b *browser){
		"a password": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.post("/set-password", map[string]any{"newPassword": password}).StatusCode, http.StatusOK)
		},
		"a passkey": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		},
		"a second factor": func(t *testing.T, w *world, b *browser) { w.enrol(t, b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				b := w.byAcme(t, p)
				inFlight := p.acme.Visit(b.leave("/oauth/step-up", "acme"))
				strengthen(t, w, b)
				p.refuses(t, b, inFlight, http.StatusUnauthorized, "SESSION_CHANGED")
				bundbtest.ClockOf(w.db).Advance(time.Hour)
				got := b.ask("/oauth/step-up", "acme")
				assert.Equal(t, got.StatusCode, http.StatusForbidden)
				assert.Equal(t, got.code(t), "STEP_UP_NOT_ALLOWED")
				assert.Equal(t, b.ask("/link-social", "loose").code(t), "SESSION_NOT_FRESH")
			}, withPasskeys)
		})
	}
}

func TestR12_AStepUpIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		b.walk(p, "/link-social", "plain").arrived(t)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		for id, want := range map[string]string{
			"loose":   "ACCOUNT_NOT_FOUND",   // somebody else's, or nobody's
			"plain":   "NOT_REAUTHENTICATED", // OAuth 2 cannot say so
			"nothing": "PROVIDER_NOT_FOUND",
		} {
			assert.Equal(t, b.ask("/oauth/step-up", id).code(t), want)
		}
		assert.Equal(t, b.post("/oauth/step-up", map[string]any{"provider": "acme", "callbackURL": "https://evil.example"}).code(t), "INVALID_CALLBACK_URL")
		assert.Equal(t, w.browser(t).ask("/oauth/step-up", "acme").StatusCode, http.StatusUnauthorized)
	})
}

// The rows of the matrix of sensitive routes that providers add: a sign-in or a step-up by
// one is a proof for whoever has no second factor, and none for others.
func TestR12_EverySensitiveRouteAndAProvidersProof(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		var sensitive route.Table
		longest := time.Duration(0)
		for _, r := range w.Routes() {
			if r.Fresh > 0 {
				sensitive, longest = append(sensitive, r), max(longest, r.Fresh)
			}
		}
		assert.True(t, len(sensitive) > 22, "sensitive routes are marked")
		check := func(proof string, b *browser, open bool) {
			for _, r := range sensitive {
				if fresh := b.passesTheGate(r); fresh != open {
					t.Errorf("%s, %s: open %v", r.Pattern(), proof, fresh)
				}
			}
		}
		root := w.signedIn(t, rootEmail)
		root.walk(p, "/link-social", "acme").arrived(t)
		b := w.browser(t)
		b.walk(p, "/sign-in/social", "acme").arrived(t)
		check("signed in by a provider", b, true)
		_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
		assert.NoError(t, err)
		bundbtest.ClockOf(w.db).Advance(longest + time.Second)
		check("nothing", b, false)
		b.walk(p, "/oauth/step-up", "acme").arrived(t)
		check("stepped up by a provider", b, true)

		a := w.enrol(t, b)
		second := w.browser(t)
		got := second.walk(p, "/sign-in/social", "acme")
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.False(t, second.isSignedIn(), "the second factor is asked for")
		assert.Equal(t, second.post("/two-factor/verify-totp", map[string]any{"code": a.code(t), "trustDevice": true}).StatusCode, http.StatusOK)
		check("signed in by a provider and an app", second, true)
		trusting := w.having(t, second.cookie("trust_device"))
		trusting.walk(p, "/sign-in/social", "acme").arrived(t)
		check("signed in by a provider on a trusted device", trusting, false)
		assert.Equal(t, trusting.ask("/oauth/step-up", "acme").code(t), "STEP_UP_NOT_ALLOWED")
	}, multi, withRoot)
}

// Whom a policy restricts until they enrol can step up by a provider, which enrolling may
// take, and finish nothing else.
func TestR13_ARestrictedSessionStepsUpByAProvider(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.browser(t)
		b.walk(p, "/sign-in/social", "acme").arrived(t)
		link := p.loose.Visit(b.leave("/link-social", "loose"))
		bundbtest.ClockOf(w.db).Advance(9 * time.Minute)
		assert.Equal(t, b.get("/list-accounts").code(t), "SECOND_FACTOR_REQUIRED")
		p.refuses(t, b, link, http.StatusForbidden, "SECOND_FACTOR_REQUIRED")
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		assert.Equal(t, b.post("/two-factor/enable", map[string]any{}).code(t), "SESSION_NOT_FRESH")
		b.walk(p, "/oauth/step-up", "acme").arrived(t)
		w.enrol(t, b)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	}, demandSecondFactor, func(c *tenon.Config) { c.SecondFactor.Grace = 5 * time.Minute })
}
