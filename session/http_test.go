package session_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

const (
	hostCookie = "__Host-tenon_session"
	devCookie  = "tenon_dev_session"
)

func (w *world) handler(baseURL string) *session.Handler {
	w.t.Helper()
	return assert.Must(session.NewHandler(w.svc, session.HandlerConfig{BaseURL: baseURL}))(w.t)
}

// call sends a request with the cookie's value as a browser of the site does.
func call(t *testing.T, h http.Handler, method, path, body, token string, change ...func(*http.Request)) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Cookie", hostCookie+"="+token)
	}
	for _, c := range change {
		c(r)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	return string(assert.Must(io.ReadAll(res.Body))(t))
}

func want(t *testing.T, res *http.Response, status int, body string) {
	t.Helper()
	got := strings.TrimSuffix(bodyOf(t, res), "\n")
	if res.StatusCode != status || body != "" && got != body {
		t.Errorf("got %d %s, want %d %s", res.StatusCode, got, status, body)
	}
	assert.Equal(t, res.Header.Get("Cache-Control"), "no-store")
}

func TestR27_GoldenCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	facts := w.facts("u1")
	facts.BrowserOnly = true
	browserOnly := w.start(facts)
	for name, c := range map[string]struct {
		base  string
		write func(*session.Handler, http.ResponseWriter)
		want  string
	}{
		"https": {
			"https://app.example.com", set(grant),
			hostCookie + "=" + grant.Token.Reveal() + "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
		},
		"loopback": {
			"http://localhost:8080", set(grant),
			devCookie + "=" + grant.Token.Reveal() + "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
		},
		"browser only": {
			"https://app.example.com", set(browserOnly),
			hostCookie + "=" + browserOnly.Token.Reveal() + "; Path=/; HttpOnly; Secure; SameSite=Lax",
		},
		"cleared": {
			"https://app.example.com", func(h *session.Handler, w http.ResponseWriter) { h.ClearCookie(w) },
			hostCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
	} {
		rec := httptest.NewRecorder()
		c.write(w.handler(c.base), rec)
		if got := rec.Header().Get("Set-Cookie"); got != c.want {
			t.Errorf("%s: Set-Cookie: %s\nwant %s", name, got, c.want)
		}
	}
	w.clock.advance(29 * 24 * time.Hour)
	rec := httptest.NewRecorder()
	w.handler("https://app.example.com").SetCookie(rec, grant)
	assert.Contains(t, rec.Header().Get("Set-Cookie"), "; Max-Age=86400;")
}

func set(g session.Grant) func(*session.Handler, http.ResponseWriter) {
	return func(h *session.Handler, w http.ResponseWriter) { h.SetCookie(w, g) }
}

func TestR27_OnlyTheBaseURLsCookieCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.start(w.facts("u1")).Token.Reveal()
	for base, accepted := range map[string]string{"https://app.example.com": hostCookie, "http://localhost:8080": devCookie} {
		h := w.handler(base)
		for _, name := range []string{hostCookie, devCookie, "tenon_session", "__Secure-tenon_session", "__host-tenon_session"} {
			res := call(t, h, "GET", "/get-session", "", "", func(r *http.Request) { r.Header.Set("Cookie", name+"="+token) })
			assert.Equal(t, strings.HasPrefix(bodyOf(t, res), "{"), name == accepted)
		}
	}
	for _, base := range []string{"", "http://app.example.com", "ftp://localhost", "localhost:8080", "http://192.0.2.1"} {
		if _, err := session.NewHandler(w.svc, session.HandlerConfig{BaseURL: base}); err == nil {
			t.Errorf("base URL %q: no error", base)
		}
	}
}

func TestGetSessionGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	want(t, call(t, h, "GET", "/get-session", "", ""), 200, "null")
	facts := w.facts("u1")
	facts.OrganizationID = "o1"
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", "owner"))
	grant := w.start(facts)
	golden := `{"session":{"id":"ID","userId":"u1","token":"ID","expiresAt":"2026-03-11T05:06:07.123Z","createdAt":"2026-03-04T05:06:07.123Z",` +
		`"updatedAt":"2026-03-04T05:06:07.123Z","ipAddress":"192.0.2.7","userAgent":"` + firefoxOnWindows + `","activeOrganizationId":"o1","activeTeamId":null,` +
		`"device":"Firefox on Windows","current":true,"endsAt":"2026-04-03T05:06:07.123Z"},` +
		`"user":{"id":"u1","email":"u1@example.com","name":"Ada","image":null,"emailVerified":true,"role":"user",` +
		`"createdAt":"2026-03-04T04:06:07.123Z","updatedAt":"2026-03-04T04:06:07.123Z","twoFactorEnabled":false}}`
	golden = strings.ReplaceAll(golden, "ID\"", grant.Session.ID+"\"")
	for _, query := range []string{"", "?disableCookieCache=true&disableRefresh=true"} {
		res := call(t, h, "GET", "/get-session"+query, "", grant.Token.Reveal())
		want(t, res, 200, golden)
		assert.Equal(t, res.Header.Get("Set-Cookie"), "")
	}
	want(t, call(t, h, "GET", "/get-session?surprise=1", "", grant.Token.Reveal()), 422, "")
	w.user("u1", func(u *sessiontest.UserState) {
		u.Superuser, u.SecondFactor, u.Image = true, true, "https://example.com/a.png"
	})
	body := bodyOf(t, call(t, h, "GET", "/get-session", "", grant.Token.Reveal()))
	assert.Contains(t, body, `"role":"admin"`)
	assert.Contains(t, body, `"twoFactorEnabled":true`)
	assert.Contains(t, body, `"image":"https://example.com/a.png"`)
	assert.NotContains(t, body, grant.Token.Reveal()[8:])
}

// The list of devices says by which provider a session began, whatever was proven in it
// since; a session that began otherwise says nothing of it.
func TestSessionsNameTheProviderThatTheyBeganWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	w.user("root", func(u *sessiontest.UserState) { u.Superuser = true })
	for channels, want := range map[string]int{
		"provider:acme": 1, "provider:acme totp": 1, "password": 0, "password provider:acme": 0,
	} {
		w.user("u1", nil)
		facts := w.facts("u1")
		facts.Channels = strings.Fields(channels)
		grant := w.start(facts)
		if want == 1 {
			grant = w.elevate(grant, "password")
		}
		token, root := grant.Token.Reveal(), w.start(w.facts("root")).Token.Reveal()
		for where, body := range map[string]string{
			"get-session":        bodyOf(t, call(t, h, "GET", "/get-session", "", token)),
			"list-sessions":      bodyOf(t, call(t, h, "GET", "/list-sessions", "", token)),
			"list-user-sessions": bodyOf(t, call(t, h, "POST", "/admin/list-user-sessions", `{"userId":"u1"}`, root)),
		} {
			if got := strings.Count(body, `"provider":"acme"`); got != want || strings.Count(body, `"provider"`) != want {
				t.Errorf("%s, %s: %s", channels, where, body)
			}
		}
		assert.NoError(t, w.svc.Revoke(t.Context(), "u1", grant.Session.ID))
	}
}

func TestListAndRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", nil)
	h := w.handler("https://app.example.com")
	mine, current, theirs := w.start(w.facts("u1")), w.start(w.facts("u1")), w.start(w.facts("u2"))
	token := current.Token.Reveal()
	body := bodyOf(t, call(t, h, "GET", "/list-sessions", "", token))
	assert.Equal(t, strings.Count(body, `"token":"`), 2)
	assert.Equal(t, strings.Count(body, `"current":true`), 1)
	assert.Contains(t, body, `"token":"`+mine.Session.ID+`"`)
	assert.NotContains(t, body, theirs.Session.ID)
	assert.NotContains(t, body, token[8:])

	foreign := bodyOf(t, call(t, h, "POST", "/revoke-session", `{"token":"`+theirs.Session.ID+`"}`, token))
	for _, id := range []string{uuid.NewString(), "nonsense"} {
		res := call(t, h, "POST", "/revoke-session", `{"token":"`+id+`"}`, token)
		want(t, res, 404, strings.TrimSuffix(foreign, "\n"))
	}
	w.live(theirs)
	want(t, call(t, h, "POST", "/revoke-session", `{}`, token), 422, "")
	want(t, call(t, h, "POST", "/revoke-session", `{"token":"`+mine.Session.ID+`"}`, token), 200, `{"status":true}`)
	w.dead(mine)
	res := call(t, h, "POST", "/revoke-session", `{"token":"`+current.Session.ID+`"}`, token)
	want(t, res, 200, `{"status":true}`)
	assert.Contains(t, res.Header.Get("Set-Cookie"), "Max-Age=0")
	want(t, call(t, h, "GET", "/list-sessions", "", token), 401, "")
}

func TestRevokeOtherSessionsAndAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	current, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	token := current.Token.Reveal()
	res := call(t, h, "POST", "/revoke-other-sessions", `{}`, token)
	want(t, res, 200, `{"status":true}`)
	assert.Equal(t, res.Header.Get("Set-Cookie"), "")
	w.live(current)
	w.dead(other)
	res = call(t, h, "POST", "/revoke-sessions", `{}`, token)
	want(t, res, 200, `{"status":true}`)
	assert.Contains(t, res.Header.Get("Set-Cookie"), "Max-Age=0")
	w.dead(current)
}

func TestSignOutSaysTheSameToEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	grant := w.start(w.facts("u1"))
	token := grant.Token.Reveal()
	for _, raw := range []string{token, token, "", "junk", withChecksum(token[:24] + token[8:40])} {
		for _, body := range []string{`{}`, ``, `{"callbackURL":"/","disableRedirect":true,"state":"x"}`} {
			res := call(t, h, "POST", "/sign-out", body, raw)
			want(t, res, 200, `{"success":true}`)
			assert.Equal(t, res.Header.Get("Set-Cookie"), hostCookie+"=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
		}
	}
	w.dead(grant)
	want(t, call(t, h, "POST", "/sign-out", `{"surprise":1}`, ""), 422, "")
}

func TestSignOutDuringAnOutageCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	grant := w.start(w.facts("u1"))
	w.fake.SetDown(true)
	res := call(t, h, "POST", "/sign-out", `{}`, grant.Token.Reveal())
	want(t, res, 503, "")
	assert.Equal(t, res.Header.Get("Set-Cookie"), "")
	w.fake.SetDown(false)
	want(t, call(t, h, "POST", "/sign-out", `{}`, grant.Token.Reveal()), 200, `{"success":true}`)
	w.dead(grant)
}

func TestUnsafeRoutesRefuseForeignPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	grant := w.start(w.facts("u1"))
	for _, path := range []string{"/sign-out", "/revoke-session", "/revoke-sessions", "/revoke-other-sessions"} {
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			body := `{"token":"` + grant.Session.ID + `"}`
			res := call(t, h, "POST", path, body, grant.Token.Reveal(), func(r *http.Request) { r.Header.Set(name, value) })
			want(t, res, 403, "")
		}
	}
	w.live(grant)
}

func TestKeysDoNotManageSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	grant := w.start(w.facts("u1"))
	asKey := func(r *http.Request) {
		r.Header.Set("X-Api-Key", "k")
		*r = *r.WithContext(principal.NewContext(r.Context(), &principal.Principal{UserID: "u1", APIKeyID: "k1"}))
	}
	for _, path := range []string{"/revoke-sessions", "/revoke-other-sessions"} {
		want(t, call(t, h, "POST", path, `{}`, grant.Token.Reveal(), asKey), 403, "")
	}
	w.live(grant)
}
