package tenon_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func mailCodes(c *tenon.Config) { c.TwoFactor = twofactor.Policy{MailCodes: true} }

// Every way to turn a second factor on answers recovery codes: a mailed code is no
// second step after the mailbox.
func TestR11_WithMailedCodesRecoveryCodesFollowTheMailbox(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		got := b.post("/two-factor/enable", map[string]any{"password": password, "method": "otp"})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		codes, _ := got.decode(t)["backupCodes"].([]any)
		assert.Len(t, codes, 10)
		for _, code := range codes[:2] {
			w.later()
			c := w.browser(t)
			link := c.useLink(w.magicLink(t, c, email)).decode(t)
			assert.Equal(t, link["twoFactorMethods"], any([]any{"backup_code"}))
			assert.Equal(t, c.post("/two-factor/verify-backup-code", map[string]any{"code": code}).StatusCode, http.StatusOK)
			assert.True(t, c.isSignedIn(), "in by the mailbox and a recovery code")
		}
	}, mailCodes)
}

// R16: the token of a challenge in the hands of a page gets the page no tokens.
func TestR16_NoTokensForPagesInTheSecondStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrol(t, b)
		pk := passkeytest.New(base)
		assert.Equal(t, b.addPasskey(pk).StatusCode, http.StatusOK)
		p, sessions := &program{browser: w.browser(t)}, w.count(t, "tenon_sessions")
		for _, header := range []http.Header{
			{"Origin": {base}}, {"Sec-Fetch-Site": {"same-origin"}}, {"Sec-Fetch-Site": {"none"}},
		} {
			first := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), http.Header{"X-Token-Mode": {"bearer"}})
			challenge := first.decode(t)["challengeToken"]
			for path, body := range map[string]map[string]any{
				"/two-factor/verify-totp":                {"code": a.code(t), "challengeToken": challenge},
				"/two-factor/verify-backup-code":         {"code": a.codes[0], "challengeToken": challenge},
				"/passkey/generate-authenticate-options": {"challengeToken": challenge},
			} {
				got := p.send(http.MethodPost, path, body, header)
				assert.Equal(t, got.code(t), "BEARER_ORIGIN_NOT_ALLOWED")
			}
			options := p.post("/passkey/generate-authenticate-options", map[string]any{"challengeToken": challenge})
			answer := map[string]any{
				"response": json.RawMessage(pk.Get(t, []byte(options.body))), "challengeToken": challenge,
				"ceremonyToken": options.decode(t)["ceremonyToken"],
			}
			assert.Equal(t, p.send(http.MethodPost, "/passkey/verify-authentication", answer, header).code(t), "BEARER_ORIGIN_NOT_ALLOWED")
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
	}, withPasskeys)
}

// A passkey that joins a mailed code is what the second step asks for from then on,
// and so does a step-up (rule R12).
func TestR12_APasskeyBesideAMailedCodeIsWhatAStepUpTakes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.post("/two-factor/enable", map[string]any{"password": password, "method": "otp"}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
		a := passkeytest.New(base)
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, b.post("/two-factor/disable", map[string]any{"password": password}).code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/two-factor/disable", map[string]any{"password": password}).StatusCode, http.StatusOK)
	}, mailCodes, withPasskeys)
}

// R9: whoever knows the password guesses at the second factor until no more guesses
// are welcome. The owner's session, and the browser that they came from before, go on.
func TestR9_GuessesAtTheSecondFactorLockNoOwnerOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrol(t, b)
		home := w.browser(t)
		home.signIn(email)
		assert.Equal(t, home.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
		for _, guess := range []struct{ path, code string }{
			{"/two-factor/verify-totp", "000000"},
			{"/two-factor/verify-backup-code", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"},
		} {
			for locked := 0; locked < 3; {
				thief := w.browser(t)
				thief.signIn(email)
				for range 5 {
					if got := thief.post(guess.path, map[string]any{"code": guess.code}); got.StatusCode == http.StatusTooManyRequests {
						locked++
						bundbtest.ClockOf(w.db).Advance(time.Minute)
					}
				}
			}
		}
		assert.Equal(t, b.post("/step-up", map[string]any{"totpCode": a.code(t)}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/step-up", map[string]any{"backupCode": a.codes[0]}).StatusCode, http.StatusOK)
		for _, body := range []map[string]any{{"code": a.code(t)}, {"code": a.codes[1]}} {
			home.signIn(email)
			path := "/two-factor/verify-totp"
			if body["code"] == a.codes[1] {
				path = "/two-factor/verify-backup-code"
			}
			got := home.post(path, body)
			assert.Equal(t, got.StatusCode, http.StatusOK)
		}
	})
}
