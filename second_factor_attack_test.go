package tenon_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
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
		thief := w.signedIn(t, "bob@example.com") // a known device, of somebody else
		thief.signIn(email)
		assert.Equal(t, thief.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusTooManyRequests)
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
		// With a new password, which they do not know, strangers keep nobody from the
		// recovery codes, wherever the owner is.
		abroad := w.browser(t)
		assert.Equal(t, abroad.reset(w.newResetLink(t, email), "another good one").StatusCode, http.StatusOK)
		abroad.signInWith(email, "another good one")
		assert.Equal(t, abroad.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[2]}).StatusCode, http.StatusOK)
	})
}

// R7: who has a second factor is told to nobody who does not know the password.
func TestR7_ASecondFactorShowsToNobodyWithoutThePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const enrolled, plain, unknown = "aa@example.com", "bb@example.com", "cc@example.com"
		w.enrol(t, w.signedIn(t, enrolled))
		w.signedIn(t, plain)
		w.browser(t).signIn("warm@example.com")
		for _, path := range []string{"/sign-in/email", "/sign-in/magic-link", "/email-otp/send-verification-otp", "/request-password-reset"} {
			answers, counts := map[string]string{}, map[string]int{}
			for _, to := range []string{enrolled, plain, unknown} {
				body := map[string]any{"email": to}
				switch path {
				case "/sign-in/email":
					body["password"] = "not this one"
				case "/email-otp/send-verification-otp":
					body["type"] = "sign-in"
				}
				b := w.browser(t)
				counts[to] = bundbtest.FaultsOf(w.DB).Count(func() { answers[to] = shape(b.post(path, body), to) })
			}
			assert.Equal(t, answers[enrolled], answers[unknown])
			assert.Equal(t, answers[enrolled], answers[plain])
			assert.Equal(t, counts[enrolled], counts[plain])
			assert.Equal(t, counts[enrolled], counts[unknown])
		}
	})
}

// A challenge is met by its own user's factors alone, and five tries are five whatever
// they are tried with.
func TestR8_FiveTriesAreSpreadOverAllFactors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const bob = "bob@example.com"
		adas := w.enrol(t, w.signedIn(t, email))
		b := w.signedIn(t, bob)
		key := passkeytest.New(base)
		assert.Equal(t, b.addPasskey(key).StatusCode, http.StatusOK)
		bobs := w.enrol(t, b)
		sessions := w.count(t, "tenon_sessions")
		half := w.browser(t)
		half.signIn(bob)
		assert.Equal(t, half.post("/two-factor/verify-totp", map[string]any{"code": adas.code(t)}).code(t), "INVALID_CODE")
		assert.Equal(t, half.post("/two-factor/verify-backup-code", map[string]any{"code": adas.codes[0]}).code(t), "INVALID_BACKUP_CODE")
		assert.Equal(t, half.post("/two-factor/verify-otp", map[string]any{"code": "123456"}).StatusCode, http.StatusBadRequest)
		key.Tricks.BogusSignature = true
		_, raw := half.options()
		assert.Equal(t, half.authenticate(key.Get(t, raw)).code(t), "AUTHENTICATION_FAILED")
		assert.Equal(t, half.post("/two-factor/verify-totp", map[string]any{"code": "000000"}).code(t), "INVALID_CODE")
		for path, code := range map[string]string{"totp": bobs.code(t), "backup-code": bobs.codes[0]} {
			assert.Equal(t, half.post("/two-factor/verify-"+path, map[string]any{"code": code}).code(t), "INVALID_TWO_FACTOR_COOKIE")
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
		assert.Equal(t, w.count(t, "tenon_recovery_codes WHERE used_at IS NOT NULL"), 0)
	}, withPasskeys)
}

// R12: whoever sits at a trusted device and knows the password has no second factor.
func TestR12_ATrustedDeviceChangesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		a := w.enrol(t, owner)
		b := w.browser(t)
		b.signIn(email)
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t), "trustDevice": true}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, b.signIn(email).decode(t)["twoFactorRedirect"], nil)
		assert.True(t, b.isSignedIn(), "in without being asked")
		for path, body := range map[string]map[string]any{
			"/two-factor/enable": {"password": password}, "/two-factor/disable": {"password": password},
			"/two-factor/generate-backup-codes": {"password": password}, "/two-factor/get-totp-uri": {"password": password},
			"/change-email": {"newEmail": newEmail}, "/delete-user": {"password": password},
		} {
			assert.Equal(t, b.post(path, body).code(t), "SESSION_NOT_FRESH")
		}
		assert.Equal(t, b.get("/passkey/generate-register-options").code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, b.get("/two-factor/qr").code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, w.count(t, "tenon_totp WHERE NOT confirmed"), 0)
		bearer := w.browser(t).post("/sign-in/email", credentials(email, password))
		assert.Equal(t, bearer.decode(t)["twoFactorRedirect"], any(true))
	}, withPasskeys)
}

// R1: an enrolment that was begun before the account changed is not confirmed after it.
func TestR1_APendingEnrolmentOutlivesNoChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrolPending(t, b)
		assert.Equal(t, b.changePassword(password, "another good one").StatusCode, http.StatusOK)
		assert.True(t, b.isSignedIn(), "the same session")
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).code(t), "TOTP_NOT_ENABLED")
		assert.Equal(t, b.post("/two-factor/get-totp-uri", map[string]any{"password": "another good one"}).code(t), "TOTP_NOT_ENABLED")
		assert.Equal(t, b.get("/two-factor/qr").code(t), "TOTP_NOT_ENABLED")
		assert.Equal(t, b.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[0]}).StatusCode >= 400, true)
		assert.Equal(t, w.count(t, "tenon_users WHERE second_factor_at IS NOT NULL"), 0)
	})
}

// R22: a superuser who acts as a user with a second factor has none of the user's.
func TestR22_WhoActsAsAUserProvesNoFactorOfTheirs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada := w.signedIn(t, email)
		a := w.enrol(t, ada)
		root := w.signedIn(t, rootEmail)
		id := ada.idOf()
		assert.Equal(t, root.admin("impersonate-user", map[string]any{"userId": id}).StatusCode, http.StatusOK)
		assert.Equal(t, root.idOf(), id)
		for path, body := range map[string]map[string]any{
			"/two-factor/verify-totp": {"code": a.code(t)}, "/two-factor/verify-backup-code": {"code": a.codes[0]},
			"/step-up": {"totpCode": a.code(t)}, "/two-factor/enable": {"password": password},
			"/two-factor/disable": {"password": password}, "/two-factor/generate-backup-codes": {"password": password},
			"/two-factor/get-totp-uri": {"password": password},
		} {
			got := root.post(path, body)
			assert.True(t, got.StatusCode == http.StatusForbidden || got.code(t) == "INVALID_TWO_FACTOR_COOKIE", path+got.body)
		}
		assert.Equal(t, root.get("/two-factor/qr").StatusCode, http.StatusForbidden)
		assert.Equal(t, root.idOf(), id)
		assert.Equal(t, w.count(t, "tenon_recovery_codes WHERE used_at IS NOT NULL"), 0)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE actor_id <> '' AND channels <> 'impersonation'"), 0)
		assert.Equal(t, ada.post("/step-up", map[string]any{"totpCode": a.code(t)}).StatusCode, http.StatusOK)
	}, withRoot)
}

// R28: recovery codes and waiting sign-ins outlive a new key, and their key outlives
// every attempt to destroy it while they live.
func TestR28_SecondFactorsOutliveANewKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		half := w.browser(t)
		half.signIn(email)
		old := w.kid(t, crypto.PurposeToken)
		for _, purpose := range []string{crypto.PurposeToken, crypto.PurposeData} {
			_, err := w.Keys.RotateDEK(t.Context(), purpose, "")
			assert.NoError(t, err)
		}
		assert.Equal(t, half.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[0]}).StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(400 * 24 * time.Hour) // only the codes need it now
		_, err := w.Keys.DestroyKey(t.Context(), old, false)
		assert.ErrorIs(t, err, crypto.ErrKeyInUse)
		for _, body := range []map[string]any{{"code": a.codes[1]}, {"code": a.code(t)}} {
			b := w.browser(t)
			b.signIn(email)
			path := map[bool]string{true: "/two-factor/verify-totp", false: "/two-factor/verify-backup-code"}[len(body["code"].(string)) == 6]
			assert.Equal(t, b.post(path, body).StatusCode, http.StatusOK)
		}
		// By force: the codes are gone, and whoever has nothing else is not offered them.
		_, err = w.Keys.DestroyKey(t.Context(), old, true)
		assert.NoError(t, err)
		b := w.browser(t)
		assert.Equal(t, b.signIn(email).decode(t)["twoFactorMethods"], any([]any{"totp"}))
		assert.Equal(t, b.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[2]}).code(t), "BACKUP_CODES_NOT_ENABLED")
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
	})
}

// Turned on and off at once by many tabs: what is on has codes, and what is off has
// none.
func TestPromise4_TurningOnAndOffAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, key := w.withPasskey(t, email)
		for round := range 6 {
			assert.Equal(t, b.stepUpByPasskey(key).StatusCode, http.StatusOK)
			me := w.caller(t, b)
			var group sync.WaitGroup
			for i := range 16 {
				group.Go(func() {
					ctx := bundbtest.Flow(t.Context())
					var err error
					if (i+round)%2 == 0 {
						_, err = w.TwoFactor.Enable(ctx, me, twofactor.EnableParams{Password: password, Method: auth.MethodPasskey})
					} else {
						err = w.TwoFactor.Disable(ctx, me, password)
					}
					w.harmless(t, err)
				})
			}
			group.Wait()
			on := w.count(t, "tenon_users WHERE second_factor_at IS NOT NULL")
			assert.Equal(t, w.count(t, "tenon_recovery_codes"), 10*on)
			assert.True(t, b.isSignedIn(), "the session in which it was done goes on")
		}
	}, withPasskeys)
}

// Turning the second factor off leaves nothing that skips or continues a second step,
// and a deletion leaves nothing at all.
func TestR1_NothingOutlivesTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, key := w.withPasskey(t, email)
		a := w.enrol(t, owner)
		trusted, half := w.browser(t), w.browser(t)
		trusted.signIn(email)
		assert.Equal(t, trusted.post("/two-factor/verify-totp", map[string]any{"code": a.code(t), "trustDevice": true}).StatusCode, http.StatusOK)
		half.signIn(email)
		_, raw := half.options()
		assert.Equal(t, owner.post("/two-factor/disable", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, w.lastMail(t, email), twofactor.MailDisabled)
		for range 2 { // off, and on again with the same passkey
			assert.False(t, trusted.isSignedIn(), "the other session ended")
			assert.Equal(t, half.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).code(t), "INVALID_TWO_FACTOR_COOKIE")
			assert.Equal(t, half.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[0]}).code(t), "INVALID_TWO_FACTOR_COOKIE")
			assert.True(t, half.authenticate(key.Get(t, raw)).StatusCode >= 400, "the passkey's second step is dead")
			assert.False(t, half.isSignedIn(), "nobody is in")
			owner.enablePasskeysFresh(key)
		}
		assert.Equal(t, trusted.signIn(email).decode(t)["twoFactorMethods"], any([]any{"passkey", "backup_code"}))
		assert.Equal(t, owner.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		for _, table := range []string{"totp", "recovery_codes", "challenges", "trusted_devices", "passkeys", "devices", "users"} {
			if n := w.count(t, "tenon_"+table); n != 0 {
				t.Errorf("%d left in %s", n, table)
			}
		}
	}, withPasskeys)
}

// enablePasskeysFresh is enablePasskeys after a step-up.
func (b *browser) enablePasskeysFresh(key *passkeytest.Authenticator) {
	b.t.Helper()
	assert.Equal(b.t, b.stepUpByPasskey(key).StatusCode, http.StatusOK)
	b.enablePasskeys()
	assert.Equal(b.t, b.stepUpByPasskey(key).StatusCode, http.StatusOK)
}
