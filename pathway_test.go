package tenon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// ways are how somebody proves a first factor, by the route that takes it: the body
// that does. Each route that is marked as a first factor has a way here.
func ways() map[string]func(t *testing.T, w *world, b *browser, key *passkeytest.Authenticator) map[string]any {
	type prove = func(t *testing.T, w *world, b *browser, key *passkeytest.Authenticator) map[string]any
	return map[string]prove{
		"POST /sign-in/email": func(*testing.T, *world, *browser, *passkeytest.Authenticator) map[string]any {
			return credentials(email, password)
		},
		"POST /magic-link/verify": func(t *testing.T, w *world, b *browser, _ *passkeytest.Authenticator) map[string]any {
			return map[string]any{"token": w.magicLink(t, b, email)}
		},
		"POST /sign-in/email-otp": func(t *testing.T, w *world, b *browser, _ *passkeytest.Authenticator) map[string]any {
			return map[string]any{"email": email, "otp": w.mailedCode(t, b, email, "sign-in")}
		},
		// Who has an account is not let in by an invitation, but told to sign in (rule R21).
		"POST " + pathAccept: func(t *testing.T, w *world, _ *browser, _ *passkeytest.Authenticator) map[string]any {
			_, secret := w.signedIn(t, fmt.Sprintf("inviter%d@example.com", w.count(t, "tenon_users"))).invites(email)
			return map[string]any{"token": secret}
		},
		"POST /passkey/verify-authentication": func(_ *testing.T, _ *world, b *browser, key *passkeytest.Authenticator) map[string]any {
			return map[string]any{"response": b.assertion(key)}
		},
	}
}

// The pathway matrix: no way in, for an enrolled user, comes to anything of a session
// before the second factor: no row, no cookie, no token in the body, nothing that a
// cache could keep (rules R2, R8). A passkey that verified its user is both factors.
func TestR2_NoWayInGoesAroundTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, key := w.withPasskey(t, email)
		a := w.enrol(t, owner)
		prove := ways()
		for pattern := range w.FirstFactors() {
			way, ok := prove[pattern]
			if !ok {
				t.Errorf("%s is a first factor without a way into this test", pattern)
				continue
			}
			b := w.browser(t)
			body := way(t, w, b, key)
			before := w.rowsOfSessions(t)
			got := b.post(strings.TrimPrefix(pattern, "POST "), body)
			if strings.Contains(pattern, "passkey") {
				assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE 'passkey:%:uv'"), 1)
				continue
			}
			if strings.Contains(pattern, pathAccept) {
				assert.Equal(t, w.rowsOfSessions(t), before)
				assert.Len(t, got.Cookies(), 0)
				continue
			}
			w.nothingOfASession(t, pattern, b, got, before)
			met := b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
			if met.StatusCode != http.StatusOK || w.count(t, "tenon_sessions") != before[0]+1 || !b.isSignedIn() {
				t.Errorf("%s: the second factor: %d %s", pattern, met.StatusCode, met.body)
			}
		}
	}, withPasskeys, func(c *tenon.Config) { c.SessionCache = &sessioncache.Config{Bound: 30 * time.Second} })
}

// nothingOfASession fails the test if the answer, the browser or the database has
// anything of a session that was not there.
func (w *world) nothingOfASession(t *testing.T, way string, b *browser, got answer, before [2]int) {
	t.Helper()
	if got.StatusCode != http.StatusOK || got.decode(t)["twoFactorRedirect"] != any(true) {
		t.Errorf("%s: no challenge: %d %s", way, got.StatusCode, got.body)
	}
	assert.Equal(t, w.rowsOfSessions(t), before)
	for _, c := range got.Cookies() {
		if c.MaxAge >= 0 && !slices.Contains([]string{"tenon_dev_two_factor"}, c.Name) {
			t.Errorf("%s: cookie %s", way, c.Name)
		}
	}
	for _, part := range []string{"tnn_ses", "tnn_ref", "accessToken", "refreshToken", "eyJ", `"session"`, `"user"`} {
		if strings.Contains(got.body, part) {
			t.Errorf("%s: the answer has %s", way, part)
		}
	}
	// What the browser holds now opens nothing, to the cache or to anybody else.
	for _, path := range []string{"/list-sessions", "/list-accounts", "/token"} {
		if code := b.get(path).StatusCode; code != http.StatusUnauthorized && code != http.StatusNotFound {
			t.Errorf("%s: %s answers %d", way, path, code)
		}
	}
	assert.Equal(t, b.get("/get-session").body, "null\n")
}

// rowsOfSessions counts sessions and known devices (rule R9), whether they live or not.
func (w *world) rowsOfSessions(t *testing.T) [2]int {
	t.Helper()
	return [2]int{w.count(t, "tenon_sessions"), w.count(t, "tenon_devices")}
}

// The same in bearer mode, where everything would be in the body.
func TestR2_NoWayInGoesAroundTheSecondFactorForBearers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, key := w.withPasskey(t, email)
		a := w.enrol(t, owner)
		for pattern, way := range ways() {
			if strings.Contains(pattern, "passkey") || strings.Contains(pattern, pathAccept) {
				continue // two factors at once; see TestR16_PasskeysInBearerMode. No session at all.
			}
			b := w.browser(t)
			body := way(t, w, b, key)
			before := w.rowsOfSessions(t)
			got := b.bearer(t, strings.TrimPrefix(pattern, "POST "), body)
			w.nothingOfASession(t, pattern, b, got, before)
			assert.Len(t, got.Cookies(), 0)
			challenge, _ := got.decode(t)["challengeToken"].(string)
			r := b.request(http.MethodGet, "/list-accounts", "", nil)
			r.Header.Set("Authorization", "Bearer "+challenge)
			assert.Equal(t, b.do(r).StatusCode, http.StatusUnauthorized)
			met := b.bearer(t, "/two-factor/verify-totp", map[string]any{"code": a.code(t), "challengeToken": challenge})
			assert.True(t, met.decode(t)["accessToken"] != nil, "tokens after two factors")
		}
	}, withPasskeys)
}

// bearer posts in bearer mode.
func (b *browser) bearer(t testing.TB, path string, body map[string]any) answer {
	t.Helper()
	encoded := assert.Must(json.Marshal(body))(t)
	r := b.request(http.MethodPost, path, "application/json", io.NopCloser(strings.NewReader(string(encoded))))
	r.ContentLength = int64(len(encoded))
	r.Header.Set("X-Token-Mode", "bearer")
	return b.do(r)
}

// The matrix of sensitive routes and proofs (rule R12), for a superuser, to whom all of
// them are open: without a second factor any proof is one; with it, only that.
func TestR12_EverySensitiveRouteAndEveryProof(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var sensitive route.Table
		longest := time.Duration(0)
		for _, r := range w.Routes() {
			if r.Fresh > 0 {
				sensitive, longest = append(sensitive, r), max(longest, r.Fresh)
			}
		}
		assert.True(t, len(sensitive) > 20, "sensitive routes are marked")
		b := w.user(t, rootEmail)
		var a *authenticator
		// stale is a browser whose proofs are too old for everything.
		stale := func() *browser {
			c := w.browser(t)
			if c.asked(rootEmail) {
				assert.Equal(t, c.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
			}
			bundbtest.ClockOf(w.db).Advance(longest + time.Second)
			return c
		}
		mailed := func(c *browser) {
			code := w.mailedCode(t, c, rootEmail, "sign-in")
			c.post("/step-up", map[string]any{"code": code})
		}
		check := func(proof string, c *browser, open bool) {
			for _, r := range sensitive {
				if fresh := c.passesTheGate(r); fresh != open {
					t.Errorf("%s, enrolled %v, %s: open %v", r.Pattern(), a != nil, proof, fresh)
				}
			}
		}
		byPassword := func(c *browser) { c.post("/step-up", map[string]any{"password": password}) }

		check("nothing", stale(), false)
		c := stale()
		byPassword(c)
		check("password", c, true)
		c = w.browser(t)
		assert.Equal(t, c.useLink(w.magicLink(t, c, rootEmail)).StatusCode, http.StatusOK)
		check("mail", c, true)

		assert.Equal(t, b.signIn(rootEmail).StatusCode, http.StatusOK)
		a = w.enrol(t, b)
		check("nothing", stale(), false)
		c = w.having(t, w.trusting(t, a, rootEmail).cookie("trust_device"))
		assert.False(t, c.asked(rootEmail), "the device is trusted")
		check("password on a trusted device", c, false)
		c = stale()
		byPassword(c)
		check("password", c, false)
		c = stale()
		mailed(c)
		check("mail", c, false)
		for name, body := range map[string]func() map[string]any{
			"app":      func() map[string]any { return map[string]any{"totpCode": a.code(t)} },
			"recovery": func() map[string]any { return map[string]any{"backupCode": a.codes[0]} },
		} {
			c = stale()
			if got := c.post("/step-up", body()); got.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			check(name, c, true)
		}
	}, everything, withRoot)
}

// passesTheGate calls a route with what its handler refuses, and reports whether that
// was asked at all.
func (b *browser) passesTheGate(r route.Route) bool {
	b.t.Helper()
	path := r.Path + "?" + url.Values{"surprise": {"1"}}.Encode()
	got := b.get(path)
	if r.HasBody() {
		got = b.post(r.Path, map[string]any{"surprise": true})
	}
	if got.StatusCode == http.StatusForbidden {
		if code := got.code(b.t); code != "SESSION_NOT_FRESH" && code != "SECOND_FACTOR_REQUIRED" {
			b.t.Errorf("%s: %s", r.Pattern(), code)
		}
		return false
	}
	assert.Equal(b.t, got.StatusCode, http.StatusUnprocessableEntity)
	return true
}

// Only routes that are marked meet a challenge: every route is called in the middle of
// a sign-in with all that could complete it (rule R2).
func TestR2_OnlyMarkedRoutesCompleteASignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		completed := map[string]bool{}
		for _, r := range w.Routes() {
			b := w.browser(t)
			assert.True(t, b.asked(email), "a second factor is asked for")
			body := map[string]any{}
			o := operation{r.Method, r.Path}
			for name, value := range map[string]any{"email": email, "password": password, "totpCode": a.code(t), "trustDevice": true} {
				if r.HasBody() && w.accepts(t, o, name) {
					body[name] = value
				}
			}
			if r.HasBody() && w.accepts(t, o, "code") {
				body["code"] = a.code(t)
				if strings.Contains(r.Path, "backup-code") {
					body["code"] = a.codes[0]
				}
			}
			before := w.count(t, "tenon_sessions")
			if r.HasBody() {
				b.post(r.Path, body)
			} else {
				b.page(r.Path)
			}
			started := w.count(t, "tenon_sessions") > before
			if started && !r.SecondFactor || started != (b.cookie("session") != "") {
				t.Errorf("%s: a session was started", r.Pattern())
			}
			completed[r.Path] = started
		}
		assert.True(t, completed["/two-factor/verify-totp"] && completed["/two-factor/verify-backup-code"], "the second step completes a sign-in")
	}, everything)
}
