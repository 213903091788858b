package tenon_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

// program is a client of the API: no cookies of its own, and tokens.
type program struct {
	*browser
	access, refresh string
}

// signedInProgram signs a user in with X-Token-Mode: bearer.
func (w *world) signedInProgram(t *testing.T, to string) *program {
	t.Helper()
	p := &program{browser: w.browser(t)}
	got := p.send(http.MethodPost, "/sign-in/email", credentials(to, password), http.Header{"X-Token-Mode": {"bearer"}})
	assert.Equal(t, got.StatusCode, http.StatusOK)
	p.keep(t, got)
	return p
}

// send sends JSON with headers and without cookies.
func (p *program) send(method, path string, body any, headers http.Header) answer {
	p.t.Helper()
	raw, err := json.Marshal(body)
	assert.NoError(p.t, err)
	r := p.request(method, path, "application/json", strings.NewReader(string(raw)))
	if body == nil {
		r = p.request(method, path, "", nil)
	}
	for name, values := range headers {
		r.Header[name] = values
	}
	return p.do(r)
}

// call sends a request with the access token.
func (p *program) call(method, path string, body any) answer {
	p.t.Helper()
	return p.send(method, path, body, http.Header{"Authorization": {"Bearer " + p.access}})
}

func (p *program) exchange() answer {
	p.t.Helper()
	return p.send(http.MethodPost, "/token/refresh", map[string]any{"refreshToken": p.refresh}, nil)
}

// keep takes the tokens of an answer, which must have no cookie.
func (p *program) keep(t *testing.T, a answer) {
	t.Helper()
	var ok bool
	body := a.decode(t)
	p.access, ok = body["accessToken"].(string)
	assert.True(t, ok && strings.Count(p.access, ".") == 2, a.body)
	p.refresh, ok = body["refreshToken"].(string)
	assert.True(t, ok && regexp.MustCompile("^"+session.RefreshPattern+"$").MatchString(p.refresh), a.body)
	assert.Equal(t, len(a.Header.Values("Set-Cookie")), 0)
	assert.Equal(t, a.Header.Get("Cache-Control"), "no-store")
	shape := regexp.MustCompile(`"accessTokenExpiresAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z".*"refreshTokenExpiresAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
	assert.True(t, shape.MatchString(a.body), a.body)
}

func TestR16_ABearerSessionFromSignInToSignOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		p := w.signedInProgram(t, email)
		assert.Contains(t, p.call(http.MethodGet, "/get-session", nil).body, `"email":"Ada@example.com"`)
		assert.Equal(t, p.get("/get-session").body, "null\n") // there is no cookie
		assert.Equal(t, strings.Count(p.call(http.MethodGet, "/list-sessions", nil).body, `"current":true`), 1)

		bundbtest.ClockOf(w.db).Advance(10*time.Minute + time.Second)
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		old := *p
		p.keep(t, p.exchange())
		assert.NotEqual(t, p.refresh, old.refresh)
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusOK)

		out := p.call(http.MethodPost, "/sign-out", map[string]any{})
		assert.Equal(t, out.body, "{\"success\":true}\n")
		assert.Equal(t, out.Header.Get("Set-Cookie"), "")
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		refused := p.exchange()
		assert.Equal(t, refused.StatusCode, http.StatusUnauthorized)
		assert.Equal(t, refused.code(t), "INVALID_REFRESH_TOKEN")
	})
}

func TestR14_AnOlderTokenOverTheWireEndsTheSession(t *testing.T) {
	t.Parallel()
	var reused sync.Map // by the user, since both databases run at once
	hooks := func(cfg *tenon.Config) {
		cfg.SessionHooks.RefreshReused = func(_ context.Context, e session.RefreshReused) error {
			count, _ := reused.LoadOrStore(e.UserID, new(atomic.Int64))
			count.(*atomic.Int64).Add(1)
			return nil
		}
	}
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		user, _, err := authbun.New(w.DB).UserByEmail(t.Context(), strings.ToLower(email))
		assert.NoError(t, err)
		p := w.signedInProgram(t, email)
		thief := *p
		p.keep(t, p.exchange())
		p.keep(t, p.exchange())
		got := thief.exchange()
		assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
		unknown := (&program{browser: thief.browser, refresh: "nonsense"}).exchange()
		assert.Equal(t, clean(got.body), clean(unknown.body)) // nobody learns what became of the token
		assert.Equal(t, p.exchange().StatusCode, http.StatusUnauthorized)
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		count, _ := reused.Load(user.ID)
		assert.Equal(t, count.(*atomic.Int64).Load(), 1)
	}, hooks)
}

// clean takes the request's id out of a problem.
func clean(body string) string {
	return regexp.MustCompile(`"requestId":"[^"]*"`).ReplaceAllString(body, "")
}

func TestR16_TokenRevokeSaysTheSameToEverybody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		p, other := w.signedInProgram(t, email), w.signedInProgram(t, email)
		for _, raw := range []string{"nonsense", p.access, strings.ToUpper(p.refresh), p.refresh, p.refresh} {
			got := p.send(http.MethodPost, "/token/revoke", map[string]any{"refreshToken": raw}, nil)
			assert.Equal(t, got.StatusCode, http.StatusOK)
			assert.Equal(t, got.body, "{\"success\":true}\n")
		}
		assert.Equal(t, p.exchange().StatusCode, http.StatusUnauthorized)
		other.keep(t, other.exchange())
	})
}

func TestR16_BrowsersGetTokensOnlyAtBearerOrigins(t *testing.T) {
	t.Parallel()
	const listed, trusted = "https://app.example.com", "https://other.example.com"
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		p := w.signedInProgram(t, email)
		for _, origin := range []string{base, trusted, "null", "https://evil.example"} {
			headers := http.Header{"X-Token-Mode": {"bearer"}, "Origin": {origin}}
			before := w.count(t, "tenon_sessions")
			got := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), headers)
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.Equal(t, w.count(t, "tenon_sessions"), before)
			got = p.send(http.MethodPost, "/token/refresh", map[string]any{"refreshToken": p.refresh}, headers)
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.NotContains(t, got.body, "tnn_")
		}
		headers := http.Header{"X-Token-Mode": {"bearer"}, "Origin": {listed}, "Sec-Fetch-Site": {"cross-site"}}
		got := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), headers)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Equal(t, got.Header.Get("Access-Control-Allow-Origin"), listed)
		p.keep(t, got)
		p.keep(t, p.send(http.MethodPost, "/token/refresh", map[string]any{"refreshToken": p.refresh}, headers))
	}, func(cfg *tenon.Config) {
		cfg.TrustedOrigins, cfg.BearerOrigins = []string{listed, trusted}, []string{listed}
	})
}

func TestR16_ModesDoNotBleed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		p := w.signedInProgram(t, email)
		cookie := b.cookie("session")
		// Neither credential works in the other's place.
		for _, raw := range []string{p.access, p.refresh} {
			r := p.request(http.MethodGet, "/get-session", "", nil)
			r.Header.Set("Cookie", "tenon_dev_session="+raw)
			assert.Equal(t, p.do(r).body, "null\n")
		}
		for _, raw := range []string{cookie, p.refresh, ""} {
			got := p.send(http.MethodGet, "/get-session", nil, http.Header{"Authorization": {"Bearer " + raw}})
			assert.Equal(t, got.body, "null\n")
		}
		got := p.send(http.MethodPost, "/token/refresh", map[string]any{"refreshToken": cookie}, nil)
		assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
		// Both at once: the header counts, and signing out by it leaves the cookie alone.
		r := b.request(http.MethodPost, "/sign-out", "application/json", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+p.access)
		assert.Equal(t, b.do(r).StatusCode, http.StatusOK)
		assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusOK)
		assert.Equal(t, p.exchange().StatusCode, http.StatusUnauthorized)
		// Ended from the browser's list.
		p = w.signedInProgram(t, email)
		assert.Equal(t, b.post("/revoke-other-sessions", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, p.exchange().StatusCode, http.StatusUnauthorized)
		assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusOK)
	})
}

func TestR15_ARaisedVersionReachesAccessTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		p, other := w.signedInProgram(t, email), w.signedInProgram(t, email)
		assert.Equal(t, p.call(http.MethodPost, "/revoke-other-sessions", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, other.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		// The kept session goes on with a token of the new epoch.
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		p.keep(t, p.exchange())
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusOK)
	})
}

func TestBearerOriginsMustBeTrusted(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t)
	w := newWorld(t, db)
	for _, origins := range [][]string{{"https://app.example.com"}, {"*"}, {base + "/"}} {
		cfg := w.cfg
		cfg.BearerOrigins = origins
		if _, err := tenon.New(cfg); err == nil {
			t.Errorf("%q: no error", origins)
		}
	}
	w.cfg.BearerOrigins = []string{base}
	assert.Must(tenon.New(w.cfg))(t)
}

func TestPromise3_NoTokenOfABearerSessionIsReadableAtRest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		p := w.signedInProgram(t, email)
		first := *p
		p.keep(t, p.exchange())
		dump := string(bundbtest.Dump(t, w.db))
		for _, raw := range []string{first.refresh, p.refresh} {
			assert.Contains(t, dump, raw[8:30]) // the family shows that the row is there
			assert.NotContains(t, dump, raw[47:90])
			assert.NotContains(t, w.logs.String(), raw[47:90])
		}
		for _, raw := range []string{first.access, p.access} {
			assert.NotContains(t, dump, raw[strings.LastIndex(raw, "."):])
			assert.NotContains(t, w.logs.String(), raw[strings.LastIndex(raw, "."):])
		}
	})
}
