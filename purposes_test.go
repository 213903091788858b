package tenon_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// doors are the routes that take the secret of a mailed link, by whose it is.
func doors() map[string]func(b *browser, raw string) answer {
	post := func(path string, more ...string) func(b *browser, raw string) answer {
		return func(b *browser, raw string) answer {
			body := map[string]any{"token": raw}
			for _, name := range more {
				body[name] = newPassword
			}
			return b.post(path, body)
		}
	}
	return map[string]func(b *browser, raw string) answer{
		"verify": post("/verify-email", "newPassword"), "reset": post("/reset-password", "newPassword"), "magic": post("/magic-link/verify"),
		"unlock": post("/unlock-account"), "leave": post("/change-email/confirm"), "enter": post("/change-email/verify"),
		"delete": post("/delete-user/callback"), "invitation": post(pathAccept),
	}
}

// mailedSecrets are one of each kind, for one user, and one sign-up.
func (w *world) mailedSecrets(t *testing.T, b *browser) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	w.lock(t, email)
	bundbtest.ClockOf(w.db).Advance(6 * time.Hour)
	w.browser(t).signIn(email)
	secrets["unlock"] = w.link(t, email)
	w.browser(t).signUp("waiting@example.com")
	secrets["verify"] = w.link(t, "waiting@example.com")
	bundbtest.ClockOf(w.db).Advance(time.Hour) // an address is mailed five times an hour
	assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
	leave := b.askToMove(t, newEmail)
	assert.Equal(t, b.post("/change-email/confirm", map[string]any{"token": leave}).StatusCode, http.StatusOK)
	secrets["enter"] = w.link(t, newEmail)
	secrets["leave"] = b.askToMove(t, "third@example.com")
	assert.Equal(t, b.post("/delete-user", map[string]any{"callbackURL": "/"}).StatusCode, http.StatusOK)
	secrets["delete"] = w.link(t, email)
	_, secrets["invitation"] = b.invites("guest@example.com")
	secrets["reset"], secrets["magic"] = w.newResetLink(t, email), w.magicLink(t, b, email)
	return secrets
}

// CVE-2026-114607: a secret is worth nothing at another door than its own, whatever is
// written over its kind, and it is still good at its own after that.
func TestCVE_2026_114607_EverySecretAtEveryDoor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		p := w.signedInProgram(t, email)
		secrets := w.mailedSecrets(t, b)
		kinds := map[string]string{}
		for name, raw := range secrets {
			kinds[name] = raw[4:7]
		}
		for name, raw := range map[string]string{
			"session": b.cookie("session"), "device": b.cookie("device"), "flow": b.cookie("flow"), "refresh": p.refresh, "access": p.access,
		} {
			assert.NotEqual(t, raw, "")
			secrets[name] = raw
		}
		before := w.protected(t)
		for name, raw := range secrets {
			for door, try := range doors() {
				if name == door {
					continue
				}
				for _, forged := range []string{raw, raw[:4] + kinds[door] + raw[7:]} {
					got := try(b, forged)
					if got.StatusCode != http.StatusBadRequest && got.StatusCode != http.StatusUnprocessableEntity {
						t.Errorf("%s at %s: %d %s", name, door, got.StatusCode, got.body)
					}
				}
			}
		}
		assert.Equal(t, w.protected(t), before)
		for _, name := range []string{"unlock", "verify", "magic", "leave"} {
			assert.Equal(t, doors()[name](b, secrets[name]).StatusCode, http.StatusOK)
		}
		assert.Equal(t, doors()["enter"](b, secrets["enter"]).StatusCode, http.StatusOK)
	})
}

// Another spelling of an address is another address, or the same one, and never a
// mailbox that nobody proved: letters outside ASCII are refused before the @, and
// after it they are what IDNA makes of them (CVE-2026-73420).
func TestCVE_2026_73420_LookAlikesGetNoMailOfOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		asks := map[string]func(to string) answer{
			"/request-password-reset": func(to string) answer { return b.post("/request-password-reset", map[string]any{"email": to}) },
			"/sign-in/magic-link":     func(to string) answer { return b.post("/sign-in/magic-link", map[string]any{"email": to}) },
			"code":                    func(to string) answer { return b.sendCode(to, "sign-in") },
			"/change-email":           func(to string) answer { return b.post("/change-email", map[string]any{"newEmail": to}) },
			"/sign-in/email":          func(to string) answer { return b.post("/sign-in/email", credentials(to, password)) },
		}
		for path, ask := range asks {
			for _, typed := range []string{
				"\u0430da@example.com", "ａda@example.com", "ada＠example.com", "ada@example.com\u202e", "ada@example.com,eve@evil.example",
				"ada@example.com\u0000.evil.example", "<ada@example.com>", "ada@evil.example@example.com", `"ada"@example.com`, "ad\u0131@example.com", "ada@[192.0.2.1]",
			} {
				got := ask(typed)
				if code := got.code(t); code != "INVALID_EMAIL" && code != "VALIDATION_ERROR" {
					t.Errorf("%s %q: %d %s", path, typed, got.StatusCode, got.body)
				}
			}
		}
		mails := func(to string) (n int) {
			assert.NoError(t, w.Drain(t.Context()))
			for _, m := range w.mailbox.Messages() {
				if strings.EqualFold(m.To, to) {
					n++
				}
			}
			return n
		}
		before := mails(email)
		for _, same := range []string{"ada@ｅxample.com", "ada@EXAMPLE。com", "ADA@example.com", "ada@exam\u00adple.com"} {
			w.later()
			assert.Equal(t, asks["/request-password-reset"](same).StatusCode, http.StatusOK)
		}
		assert.Equal(t, mails(email), before+4) // to the one that is on record
		for _, other := range []string{"ada@ex\u0430mple.com", "ada@example.co", "ada@xn--exmple-4nf.com"} {
			w.later()
			assert.Equal(t, asks["/request-password-reset"](other).StatusCode, http.StatusOK)
		}
		assert.Equal(t, mails(email), before+4)
	})
}

// Whatever a request says of its host, no mail of any route leads anywhere but home.
func TestGHSA_3529_5m8x_rpv3_NoRouteMailsLinksElsewhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.lock(t, email)
		for _, route := range w.fields(t) {
			if route.method == http.MethodGet {
				continue
			}
			w.later()
			b := w.browser(t)
			body := map[string]any{}
			for name, value := range map[string]string{
				"email": email, "newEmail": newEmail, "password": "not this one", "name": "Ada", "type": "sign-in", "callbackURL": "/x", "redirectTo": "/x",
			} {
				if slices.Contains(route.body, name) {
					body[name] = value
				}
			}
			r := b.request(route.method, route.path, "application/json", bytes.NewReader(assert.Must(json.Marshal(body))(t)))
			for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL", "Referer"} {
				r.Header.Set(header, "https://evil.example/")
			}
			r.Host = "evil.example"
			b.do(r)
		}
		assert.NoError(t, w.Drain(t.Context()))
		kinds := map[string]bool{}
		for _, m := range w.mailbox.Messages() {
			assert.NotContains(t, m.Text+m.HTML, "evil")
			for _, link := range m.Links {
				assert.True(t, strings.HasPrefix(link, mount+"/"), link)
			}
			kinds[m.Kind] = true
		}
		assert.True(t, len(kinds) >= 4, "mails of several kinds went")
	}, everything)
}
