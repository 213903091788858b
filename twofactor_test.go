package tenon_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/totp"
)

// authenticator is a person's app, and what they wrote down.
type authenticator struct {
	w      *world
	secret totp.Secret
	used   int64 // the step of the last code
	codes  []string
}

// enrol turns the second factor on for whoever is signed in at b.
func (w *world) enrol(t testing.TB, b *browser) *authenticator {
	t.Helper()
	a := w.enrolPending(t, b)
	got := b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
	if got.StatusCode != http.StatusOK {
		t.Fatalf("confirm: %d %s", got.StatusCode, got.body)
	}
	return a
}

func (w *world) enrolPending(t testing.TB, b *browser) *authenticator {
	t.Helper()
	got := b.post("/two-factor/enable", map[string]any{"password": password})
	if got.StatusCode != http.StatusOK {
		t.Fatalf("enable: %d %s", got.StatusCode, got.body)
	}
	fields := got.decode(t)
	a := &authenticator{w: w}
	uri := assert.Must(url.Parse(fields["totpURI"].(string)))(t)
	a.secret = assert.Must(totp.ParseSecret(uri.Query().Get("secret")))(t)
	for _, code := range fields["backupCodes"].([]any) {
		a.codes = append(a.codes, code.(string))
	}
	return a
}

// code returns one that was not used, for which a person may have to wait.
func (a *authenticator) code(t testing.TB) string {
	t.Helper()
	scheme := assert.Must(totp.New(totp.Config{}))(t)
	now := scheme.Step(a.w.DB.Now())
	if a.used = max(a.used+1, now); a.used > now+1 {
		bundbtest.ClockOf(a.w.db).Advance(time.Minute)
	}
	return a.at(t, a.used)
}

func (a *authenticator) at(t testing.TB, step int64) string {
	t.Helper()
	code, ok := assert.Must(totp.New(totp.Config{}))(t).Code(a.secret, step)
	assert.True(t, ok, "a code")
	return code
}

// TestTwoFactorLife is what a person does: enrol, sign in by two steps, by a recovery
// code, and turn it off.
func TestTwoFactorLife(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other := w.browser(t)
		other.signIn(email)
		a := w.enrol(t, b)
		assert.Len(t, a.codes, 10)
		assert.True(t, b.isSignedIn(), "the session in which it was turned on goes on")
		assert.False(t, other.isSignedIn(), "the others ended")

		assert.NoError(t, w.Drain(t.Context()))
		mailed, _ := w.mailbox.Last(email)
		assert.Contains(t, mailed.Subject, "Two-factor")

		c := w.browser(t)
		got := c.signIn(email).decode(t)
		assert.Equal(t, got["twoFactorRedirect"], any(true))
		assert.Equal(t, got["twoFactorMethods"], any([]any{"totp", "backup_code"}))
		assert.False(t, c.isSignedIn(), "no session after one factor")
		answer := c.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
		assert.Equal(t, answer.StatusCode, http.StatusOK)
		assert.Equal(t, answer.decode(t)["token"], nil)
		assert.True(t, c.isSignedIn(), "a session after two")
		assert.Equal(t, c.cookie("two_factor"), "")

		d := w.browser(t)
		d.signIn(email)
		assert.Equal(t, d.post("/two-factor/verify-backup-code", map[string]any{"code": strings.ToLower(a.codes[3])}).StatusCode, http.StatusOK)
		assert.True(t, d.isSignedIn(), "a recovery code is a second factor")
		e := w.browser(t)
		e.signIn(email)
		again := e.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[3]})
		assert.Equal(t, again.code(t), "INVALID_BACKUP_CODE")

		assert.Equal(t, b.post("/two-factor/disable", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.True(t, b.isSignedIn() && !c.isSignedIn(), "only this session goes on")
		assert.Equal(t, e.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[4]}).code(t), "INVALID_TWO_FACTOR_COOKIE")
		assert.Equal(t, w.count(t, "tenon_totp")+w.count(t, "tenon_recovery_codes"), 0)
		assert.Equal(t, w.browser(t).signIn(email).decode(t)["twoFactorRedirect"], nil)
	})
}
