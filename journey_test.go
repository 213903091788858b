package tenon_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

func TestJourney(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		up := b.signUp(email)
		assert.Equal(t, up.StatusCode, http.StatusOK)
		assert.Equal(t, up.decode(t)["token"], nil)
		assert.Equal(t, b.signIn(email).code(t), "INVALID_EMAIL_OR_PASSWORD")
		proof := b.post("/verify-email?token="+w.link(t, email), map[string]any{})
		assert.Equal(t, proof.StatusCode, http.StatusOK)
		assert.Equal(t, b.get("/get-session").body, "null\n")

		in := b.signIn(email)
		assert.Equal(t, in.StatusCode, http.StatusOK)
		assert.Equal(t, in.decode(t)["token"], nil)
		me := b.get("/get-session").decode(t)
		session, _ := me["session"].(map[string]any)
		user, _ := me["user"].(map[string]any)
		assert.Equal(t, user["email"], any(email))
		assert.Equal(t, user["emailVerified"], any(true))
		assert.Equal(t, session["token"], session["id"])
		organization, _ := session["activeOrganizationId"].(string)
		assert.Equal(t, w.count(t, "tenon_members WHERE organization_id = ? AND user_id = ? AND role = 'owner'", organization, user["id"]), 1)

		assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, b.get("/get-session").body, "null\n")
		assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusUnauthorized)
	})
}

var nonce = regexp.MustCompile(`name="_nonce" value="([^"]+)"`)

// open follows a mailed link as a browser does and returns the page behind it.
func (b *browser) open(path string) answer {
	b.t.Helper()
	first := b.page(path)
	assert.Equal(b.t, first.StatusCode, http.StatusSeeOther)
	location := first.Header.Get("Location")
	assert.NotContains(b.t, location, "tnn_")
	return b.page("/" + location)
}

func (b *browser) submit(page answer, values url.Values) answer {
	b.t.Helper()
	found := nonce.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("the page has no form:\n%s", page.body)
	}
	values.Set("_nonce", found[1])
	return b.form("/verify-email?"+page.Request.URL.RawQuery, values)
}

func TestR24_LinkPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		link := "/verify-email?callbackURL=%2Fdone%3Fx%3D1&token=" + w.link(t, email)
		scanner := w.browser(t)
		for range 3 {
			got := scanner.get(link)
			assert.Equal(t, got.StatusCode, http.StatusMethodNotAllowed)
			assert.Equal(t, got.Header.Get("Allow"), http.MethodPost)
			assert.Equal(t, got.code(t), "CONFIRM_WITH_POST")
			scanner.open(link)
		}
		assert.Equal(t, w.count(t, "tenon_users"), 0)

		page := b.open(link)
		assert.Equal(t, page.StatusCode, http.StatusOK)
		assert.Contains(t, page.body, email)
		assert.NotContains(t, page.body, "tnn_")
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			assert.Equal(t, page.Header.Get(name), want)
		}
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			assert.Contains(t, page.Header.Get("Content-Security-Policy"), part)
		}
		done := b.submit(page, url.Values{})
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		assert.Equal(t, done.Header.Get("Location"), "/done?x=1")
		assert.Equal(t, w.count(t, "tenon_users"), 1)

		again := b.page(link)
		assert.Equal(t, again.StatusCode, http.StatusSeeOther)
		dead := b.page("/" + again.Header.Get("Location"))
		assert.Equal(t, dead.Header.Get("Location"), "/done?error=INVALID_TOKEN&x=1")
	})
}

func TestR24_LinkPageWithoutCallbackShowsPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		link := "/verify-email?token=" + w.link(t, email)
		done := b.submit(b.open(link), url.Values{})
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		success := b.page("/" + done.Header.Get("Location"))
		assert.Contains(t, success.body, "Your address is confirmed")
		dead := b.open(link)
		assert.Equal(t, dead.StatusCode, http.StatusBadRequest)
		assert.Contains(t, dead.body, "not valid any more")
	})
}

// Somebody made the browser open another link while the page was shown: the
// button confirms what it says, or nothing.
func TestR24_TheButtonConfirmsTheAddressThatItNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, attacker := w.browser(t), w.browser(t)
		b.signUp(email)
		attacker.signUp("eve@example.com")
		page := b.open("/verify-email?token=" + w.link(t, email))
		b.open("/verify-email?token=" + w.link(t, "eve@example.com"))
		got := b.submit(page, url.Values{"signUp": signUpField.FindStringSubmatch(page.body)[1:2]})
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Contains(t, got.body, "eve@example.com")
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	})
}

var signUpField = regexp.MustCompile(`name="signUp" value="([^"]+)"`)

func TestR23_TheFormNeedsItsPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		page := b.open("/verify-email?token=" + w.link(t, email))
		value := nonce.FindStringSubmatch(page.body)[1]
		for name, change := range map[string]func(r *http.Request, values url.Values){
			"cross-site":  func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"same-site":   func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"no evidence": func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site") },
			"bad origin": func(r *http.Request, _ url.Values) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "https://evil.example")
			},
			"no nonce":    func(_ *http.Request, values url.Values) { values.Del("_nonce") },
			"wrong nonce": func(_ *http.Request, values url.Values) { values.Set("_nonce", strings.Repeat("A", 26)) },
			"other type":  func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "text/plain") },
		} {
			values := url.Values{"_nonce": {value}}
			r := b.request(http.MethodPost, "/verify-email", "application/x-www-form-urlencoded", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			change(r, values)
			r.Body = http.NoBody
			if encoded := values.Encode(); encoded != "" {
				body := strings.NewReader(encoded)
				r.Body, r.ContentLength = readCloser{body}, int64(body.Len())
			}
			if got := b.do(r); got.StatusCode < 400 || got.StatusCode >= 500 {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestR5_AnotherBrowserAsksForThePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		attacker, victim := w.browser(t), w.browser(t)
		attacker.signUp(email)
		link := "/verify-email?token=" + w.link(t, email)
		assert.Equal(t, victim.post(link, map[string]any{}).code(t), "SIGN_UP_PROOF_REQUIRED")

		page := victim.open(link)
		assert.Contains(t, page.body, `name="password"`)
		wrong := victim.submit(page, url.Values{"password": {"not this one"}})
		assert.Equal(t, wrong.StatusCode, http.StatusUnauthorized)
		assert.Contains(t, wrong.body, `role="alert"`)

		fresh := victim.page("/verify-email?new=1")
		assert.Contains(t, fresh.body, `name="newPassword"`)
		done := victim.submit(fresh, url.Values{"newPassword": {"a password of my own"}, "name": {"The owner"}})
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		assert.Equal(t, attacker.signIn(email).code(t), "INVALID_EMAIL_OR_PASSWORD")
		in := victim.post("/sign-in/email", credentials(email, "a password of my own"))
		assert.Equal(t, in.StatusCode, http.StatusOK)
		user, _ := in.decode(t)["user"].(map[string]any)
		assert.Equal(t, user["name"], any("The owner"))
	})
}

func TestCallbackURLsAreJudged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for _, target := range []string{"//evil.example", "https://evil.example/x", "/\\evil.example", "javascript:alert(1)"} {
			body := credentials(email, password)
			body["name"], body["callbackURL"] = "Ada", target
			assert.Equal(t, b.post("/sign-up/email", body).code(t), "INVALID_CALLBACK_URL")
			delete(body, "name")
			assert.Equal(t, b.post("/sign-in/email", body).code(t), "INVALID_CALLBACK_URL")
			page := b.page("/verify-email?token=x&callbackURL=" + url.QueryEscape(target))
			assert.Equal(t, page.StatusCode, http.StatusForbidden)
		}
	})
}
