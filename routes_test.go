package tenon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// operation is a route as the OpenAPI document describes it.
type operation struct{ method, path string }

// operations returns all routes.
func (w *world) operations(t *testing.T) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	assert.NoError(t, json.Unmarshal([]byte(w.browser(t).get("/openapi.json").body), &document))
	var all []operation
	for path, methods := range document.Paths {
		for method := range methods {
			all = append(all, operation{strings.ToUpper(method), path})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].path+all[i].method < all[j].path+all[j].method })
	if len(all) < 12 {
		t.Fatalf("the document lists %d routes only", len(all))
	}
	return all
}

func TestGETsChangeNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		waiting := w.browser(t)
		waiting.signUp("waiting@example.com")
		token := w.link(t, "waiting@example.com")
		before := bundbtest.Dump(t, w.db)
		options := 0
		for _, o := range w.operations(t) {
			if o.method != http.MethodGet {
				continue
			}
			if strings.HasPrefix(o.path, "/passkey/generate-") { // rule R23 lets them write
				options++
				continue
			}
			b.get(o.path)
			b.page(o.path + "?token=" + token)
			b.do(b.request(http.MethodHead, o.path+"?token="+token, "", nil))
		}
		assert.True(t, bytes.Equal(before, bundbtest.Dump(t, w.db)), "a GET changed the database")
		assert.Equal(t, options, 3)
	}, everything)
}

func TestEveryRouteSurvivesHostileInput(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		bodies := map[string]string{
			"nothing": "", "not JSON": "{", "array": "[]", "null": "null", "string": `"x"`, "number": "1e999",
			"two values": "{}{}", "NUL": `{"email":"a\u0000@example.com"}`, "raw NUL": "{\"email\":\"a\x00\"}",
			"invalid UTF-8": "{\"email\":\"\xff\xfe\"}", "lone surrogate": `{"email":"\ud800"}`,
			"CRLF":           `{"email":"a@example.com\r\nBcc: b@example.com","name":"a\r\nb","password":"12345678"}`,
			"duplicate keys": `{"email":"a@example.com","email":"b@example.com"}`,
			"case of keys":   `{"EMAIL":"a@example.com","Password":"12345678"}`,
			"unknown key":    `{"isAdmin":true}`, "prototype": `{"__proto__":{"admin":true}}`,
			"wrong types":  `{"email":1,"password":[],"name":{},"token":false,"rememberMe":"x"}`,
			"deep nesting": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
			"a megabyte":   `{"email":"` + strings.Repeat("a", 1<<20) + `"}`,
			"many keys":    "{" + strings.Repeat(`"k":1,`, 9000) + `"z":1}`,
		}
		for _, o := range w.operations(t) {
			for name, body := range bodies {
				for _, media := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "\x7f"} {
					r := b.request(o.method, o.path, "", io.NopCloser(strings.NewReader(body)))
					r.ContentLength = int64(len(body))
					if o.method == http.MethodGet {
						r.Body, r.ContentLength = nil, 0
					}
					r.Header["Content-Type"] = []string{media}
					if got := b.do(r); got.StatusCode >= http.StatusInternalServerError {
						t.Errorf("%s %s, %s as %q: %d %s", o.method, o.path, name, media, got.StatusCode, got.body)
					}
				}
			}
		}
	}, everything)
}

func TestHostileQueriesAndHeaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for _, o := range w.operations(t) {
			for _, query := range []string{"?%zz", "?token=%00", "?token=%ff", "?token=a&token=b", "?x=" + strings.Repeat("a", 9000), "?;", "?token=" + strings.Repeat("tnn_", 900)} {
				r := b.request(o.method, o.path, "application/json", nil)
				r.URL.RawQuery = query[1:]
				if got := b.do(r); got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s %s%.40s: %d %s", o.method, o.path, query, got.StatusCode, got.body)
				}
			}
			for name, value := range map[string]string{
				"Cookie": strings.Repeat("tenon_dev_session=x; ", 500), "Authorization": "Bearer \xff", "X-Api-Key": "x",
				"X-Forwarded-For": "1.2.3.4, evil", "X-Forwarded-Host": "evil.example", "Accept": strings.Repeat("a/b,", 4000),
				"Origin": "null", "Sec-Fetch-Site": "x", "X-Token-Mode": "bearer", "User-Agent": strings.Repeat("\x80", 9000),
			} {
				r := b.request(o.method, o.path, "application/json", nil)
				r.Header[name] = []string{value}
				if got := b.do(r); got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s %s with %s: %d %s", o.method, o.path, name, got.StatusCode, got.body)
				}
			}
		}
	}, everything)
}

func TestForgedTokensOfEveryLength(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		token := w.link(t, email)
		forged := []string{"", "tnn", "tnn_vrf_", token + "x", "x" + token, strings.ToUpper(token), strings.Replace(token, "vrf", "ses", 1)}
		for i := range len(token) {
			flipped := []byte(token)
			flipped[i] ^= 1
			forged = append(forged, token[:i], string(flipped))
		}
		for _, f := range forged {
			got := b.post("/verify-email", map[string]any{"token": f})
			if got.StatusCode != http.StatusBadRequest && got.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d %s", f, got.StatusCode, got.body)
			}
			r := b.request(http.MethodGet, "/get-session", "", nil)
			r.Header.Set("Cookie", "tenon_dev_session="+f)
			assert.Equal(t, b.do(r).body, "null\n")
		}
		assert.Equal(t, w.count(t, "tenon_users"), 0)
		assert.Equal(t, b.post("/verify-email", map[string]any{"token": token}).StatusCode, http.StatusOK)
	})
}

// A route that starts a session must be marked as a first factor. Every route is
// called with everything that could start one.
func TestR2_OnlyMarkedRoutesStartSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		firstFactors := w.FirstFactors()
		keys := passkeytest.New(base)
		assert.Equal(t, w.signedIn(t, email).addPasskey(keys).StatusCode, http.StatusOK)
		inviter := w.signedIn(t, "inviter@example.com")
		for i, o := range w.operations(t) {
			if askProvider(o.method + " " + o.path) {
				continue // see TestR2_EveryWayInByAProvider…
			}
			b := w.browser(t)
			// A network of its own: the budget of mails is not what is tested.
			b.client.Transport = inProcess{w, fmt.Sprintf("198.51.100.%d", i+1)}
			fresh := fmt.Sprintf("fresh%d@example.com", i)
			b.signUp(fresh)
			body := map[string]any{}
			for name, value := range map[string]any{"email": email, "password": password, "name": "Ada", "token": w.link(t, fresh)} {
				if w.accepts(t, o, name) {
					body[name] = value
				}
			}
			switch o.path {
			case "/magic-link/verify":
				body["token"] = w.magicLink(t, b, fresh)
			case "/sign-in/email-otp":
				body["email"], body["otp"] = fresh, w.mailedCode(t, b, fresh, "sign-in")
			case "/organization/accept-invitation":
				_, body["token"] = w.with(t, inviter.cookie("session")).invites(fmt.Sprintf("invited%d@example.com", i))
			case "/passkey/verify-authentication":
				body["response"] = b.assertion(keys)
			}
			before := w.count(t, "tenon_sessions")
			if o.method == http.MethodGet {
				b.page(o.path)
			} else {
				b.post(o.path, body)
			}
			started := w.count(t, "tenon_sessions") > before
			if started != firstFactors[o.method+" "+o.path] || started != (b.cookie("session") != "") {
				t.Errorf("%s %s: session started: %v, cookie: %v", o.method, o.path, started, b.cookie("session") != "")
			}
		}
	}, everything)
}

// accepts reports whether a route's body has a field of that name.
func (w *world) accepts(t *testing.T, o operation, name string) bool {
	t.Helper()
	got := w.browser(t).post(o.path, map[string]any{name: "x"})
	return !strings.Contains(got.body, "UNKNOWN_FIELD")
}

func TestR16_OriginsAndModes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for name, headers := range map[string]http.Header{
			"another site": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
			"a sibling":    {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://localhost:9999"}},
			"old browser":  {"Origin": {"https://evil.example"}},
			"null origin":  {"Origin": {"null"}},
		} {
			r := b.request(http.MethodPost, "/sign-out", "application/json", nil)
			for key, values := range headers {
				r.Header[key] = values
			}
			got := b.do(r)
			if got.StatusCode != http.StatusForbidden || got.code(t) != "INVALID_ORIGIN" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			assert.Equal(t, got.Header.Get("Access-Control-Allow-Origin"), "")
		}
		for _, header := range []string{"Authorization", "X-Api-Key"} {
			r := b.request(http.MethodGet, "/list-sessions", "", nil)
			r.Header.Set(header, "Bearer x")
			assert.Equal(t, b.do(r).StatusCode, http.StatusUnauthorized)
		}
		r := b.request(http.MethodPost, "/sign-in/email", "application/json", strings.NewReader(`{"email":"ada@example.com","password":"correct horse battery"}`))
		r.Header.Set("X-Token-Mode", "bearer")
		r.Header.Set("Sec-Fetch-Site", "same-origin") // a page of our own, which is not among BearerOrigins
		got := b.do(r)
		assert.Equal(t, got.StatusCode, http.StatusForbidden)
		assert.Equal(t, got.code(t), "BEARER_ORIGIN_NOT_ALLOWED")
		assert.NotContains(t, got.body, "tnn_")
		assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusOK)
	})
}

func TestLinksComeFromTheBaseURLAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		r := b.request(http.MethodPost, "/sign-up/email", "application/json", strings.NewReader(`{"name":"Ada","email":"ada@example.com","password":"correct horse battery"}`))
		for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host"} {
			r.Header.Set(header, "evil.example")
		}
		r.Host = "evil.example"
		assert.Equal(t, b.do(r).StatusCode, http.StatusOK)
		w.link(t, "ada@example.com")
		for _, m := range w.mailbox.Messages() {
			assert.NotContains(t, m.Text+m.HTML, "evil.example")
			assert.Contains(t, m.Text, mount+"/verify-email?")
		}
	})
}

func TestAnswersAreNotCached(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for _, o := range w.operations(t) {
			want := "no-store"
			switch o.path {
			case "/jwks":
				want = "public, max-age=900"
			case passkey.PathScript:
				want = "no-cache" // kept, and asked for every time
			}
			if got := b.do(b.request(o.method, o.path, "", nil)); got.Header.Get("Cache-Control") != want {
				t.Errorf("%s %s: Cache-Control: %s", o.method, o.path, got.Header.Get("Cache-Control"))
			}
		}
	}, everything)
}
