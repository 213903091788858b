package tenon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// secured is withPasskey, with the passkey as second factor.
func (w *world) secured(t testing.TB, to string) (*browser, *passkeytest.Authenticator) {
	t.Helper()
	b, a := w.withPasskey(t, to)
	b.enablePasskeys()
	return b, a
}

func (b *browser) enablePasskeys() {
	b.t.Helper()
	got := b.post("/two-factor/enable", map[string]any{"password": password, "method": "passkey"})
	if got.StatusCode != http.StatusOK {
		b.t.Fatal(got.body)
	}
}

// halfway is a browser in which the password was proven, and the passkey is asked for.
func (w *world) halfway(t testing.TB, to string) *browser {
	t.Helper()
	b := w.browser(t)
	methods, _ := b.signIn(to).decode(t)["twoFactorMethods"].([]any)
	assert.True(t, slices.Contains(methods, any("passkey")), "a passkey is offered")
	assert.False(t, b.isSignedIn(), "no session yet")
	return b
}

// options are those of a sign-in or of a second step.
func (b *browser) options() (o passkey.RequestOptions, raw []byte) {
	b.t.Helper()
	got := b.get("/passkey/generate-authenticate-options")
	assert.Equal(b.t, got.StatusCode, http.StatusOK)
	assert.NoError(b.t, json.Unmarshal([]byte(got.body), &o))
	return o, []byte(got.body)
}

func TestR11_APasskeyIsASecondStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.secured(t, email)
		half := w.halfway(t, email)
		o, raw := half.options()
		assert.Len(t, o.AllowCredentials, 1)
		assert.Equal(t, o.AllowCredentials[0].ID, b.passkeys()[0]["credentialID"].(string))
		assert.Equal(t, o.UserVerification, "required")
		got := half.authenticate(a.Get(t, raw))
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.True(t, half.isSignedIn(), "a session after two factors")
		assert.Equal(t, half.cookie("two_factor"), "")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE 'password%passkey:%'"), 1)

		// One that verified its user is both factors (rule R11).
		alone := w.browser(t)
		assert.Equal(t, alone.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.True(t, alone.isSignedIn(), "a session by the passkey alone")
		// So it is in a browser that is halfway, for whomever it belongs to.
		_, bobs := w.withPasskey(t, "bob@example.com")
		half = w.halfway(t, email)
		assert.Equal(t, half.signInByPasskeyOf(w, bobs).StatusCode, http.StatusUnauthorized)
		assert.False(t, half.isSignedIn(), "another user's passkey is no second step")
	}, withPasskeys)
}

// signInByPasskeyOf answers the options of b with an authenticator that they exclude.
func (b *browser) signInByPasskeyOf(w *world, a *passkeytest.Authenticator) answer {
	b.t.Helper()
	o, _ := b.options()
	o.AllowCredentials = nil
	return b.authenticate(a.Get(b.t, assert.Must(json.Marshal(o))(b.t)))
}

// What was asked for in a second step is nothing elsewhere, and not for ever.
func TestR10_ASecondStepBelongsToItsSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.secured(t, email)
		half, other := w.halfway(t, email), w.halfway(t, email)
		_, raw := half.options()
		response := json.RawMessage(a.Get(t, raw))
		other.options()
		assert.Equal(t, other.authenticate(response).code(t), "CHALLENGE_NOT_FOUND")
		// The cookie of the ceremony without that of the sign-in.
		bare := w.browser(t)
		body := assert.Must(json.Marshal(map[string]any{"response": response}))(t)
		r := bare.request(http.MethodPost, "/passkey/verify-authentication", "application/json", bytes.NewReader(body))
		r.Header.Set("Cookie", "tenon_dev_passkey="+half.cookie("passkey"))
		assert.Equal(t, bare.do(r).code(t), "INVALID_TWO_FACTOR_COOKIE")
		assert.False(t, half.isSignedIn() || other.isSignedIn() || bare.isSignedIn(), "nobody came in")

		// The factor is turned off and on: everything in flight is dead (rule R1).
		_, raw = half.options()
		response = a.Get(t, raw)
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/two-factor/disable", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, half.authenticate(response).StatusCode, http.StatusUnauthorized)
		assert.False(t, half.isSignedIn(), "the challenge died")
		assert.True(t, b.isSignedIn(), "the session in which it was turned off goes on")
	}, withPasskeys)
}

func TestR8_FiveWrongPasskeysEndTheSecondStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, a := w.secured(t, email)
		half := w.halfway(t, email)
		a.Tricks.BogusSignature = true
		for range 5 {
			_, raw := half.options()
			assert.Equal(t, half.authenticate(a.Get(t, raw)).code(t), "AUTHENTICATION_FAILED")
		}
		a.Tricks.BogusSignature = false
		o, raw := half.options()
		assert.Len(t, o.AllowCredentials, 0) // nobody is halfway any more
		assert.Equal(t, half.authenticate(a.Get(t, raw)).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE 'password%passkey:%'"), 0)
	}, withPasskeys)
}

// 64 answers to one challenge, each right and each with a counter of its own: one
// gets a session.
func TestOneOf64RacersMeetsTheChallenge(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		a.Synced = true // whose counter stays at zero: only the challenge decides
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		b.enablePasskeys()
		half := w.halfway(t, email)
		sessions := w.count(t, "tenon_sessions")
		answers := make(chan json.RawMessage, 64)
		for range cap(answers) {
			_, raw := half.options()
			answers <- a.Get(t, raw)
		}
		won := w.race(t, errRefused, func(context.Context) error {
			switch got := half.authenticate(<-answers); got.StatusCode {
			case http.StatusOK:
				return nil
			case http.StatusUnauthorized, http.StatusBadRequest:
				return errRefused
			default:
				t.Error(got.body)
				return errRefused
			}
		})
		assert.Equal(t, won, 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions+1)
	}, withPasskeys)
}

func TestR12_WithASecondFactorOnlyThatMakesFresh(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.secured(t, email)
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		assert.NotEqual(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, b.get("/passkey/generate-register-options").code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
	}, withPasskeys)
}

func TestTheLastSecondFactorStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.secured(t, email)
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		id, _ := b.passkeys()[0]["id"].(string)
		got := b.post("/passkey/delete-passkey", map[string]any{"id": id})
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Equal(t, got.code(t), "LAST_SECOND_FACTOR")
		assert.Len(t, b.passkeys(), 1)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/passkey/delete-passkey", map[string]any{"id": id}).StatusCode, http.StatusOK)
	}, withPasskeys)
}

// A key that cannot verify its user is a second factor, and never the first.
func TestR11_AnUnverifiedPasskeyIsASecondFactorOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		a.Tricks = passkeytest.Tricks{NoUV: true, NoHandle: true}
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, b.passkeys()[0]["userVerified"], any(false))
		b.enablePasskeys()
		assert.Equal(t, w.browser(t).signInByPasskey(a).code(t), "AUTHENTICATION_FAILED")
		a.Tricks.NoHandle = false
		assert.Equal(t, w.browser(t).signInByPasskey(a).code(t), "AUTHENTICATION_FAILED")
		a.Tricks.NoHandle = true
		half := w.halfway(t, email)
		assert.Equal(t, half.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.True(t, half.isSignedIn(), "password and key are two factors")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE '%:uv%'"), 0)
		assert.Equal(t, half.stepUpByPasskey(a).StatusCode, http.StatusOK)
	}, func(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{AllowUnverified: true}) })
}

func TestR16_ASecondStepInBearerMode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, a := w.secured(t, email)
		p := &program{browser: w.browser(t)}
		first := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), http.Header{"X-Token-Mode": {"bearer"}})
		challenge, _ := first.decode(t)["challengeToken"].(string)
		options := p.post("/passkey/generate-authenticate-options", map[string]any{"challengeToken": challenge})
		assert.Equal(t, options.StatusCode, http.StatusOK)
		assert.Equal(t, options.Header.Get("Set-Cookie"), "")
		got := p.post("/passkey/verify-authentication", map[string]any{
			"response": json.RawMessage(a.Get(t, []byte(options.body))), "challengeToken": challenge,
			"ceremonyToken": options.decode(t)["ceremonyToken"],
		})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		p.keep(t, got)
		assert.Equal(t, p.call(http.MethodGet, "/passkey/list-user-passkeys", nil).StatusCode, http.StatusOK)
		assert.Equal(t, p.post("/passkey/generate-authenticate-options", map[string]any{"challengeToken": challenge}).code(t), "INVALID_TWO_FACTOR_COOKIE")
	}, withPasskeys)
}

// Whoever finds a security key that has no PIN can give it one: that it verifies a
// user now says nothing about whose it is (WebAuthn level 3, 7.2, uvInitialized).
func TestR11_AKeyThatGetsAPINLaterIsASecondFactorStill(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		a.Tricks = passkeytest.Tricks{NoUV: true}
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		a.Tricks = passkeytest.Tricks{}
		finder := w.browser(t)
		assert.Equal(t, finder.signInByPasskey(a).code(t), "AUTHENTICATION_FAILED")
		assert.False(t, finder.isSignedIn(), "the key alone opens nothing")
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		b.enablePasskeys()
		half := w.halfway(t, email)
		assert.Equal(t, half.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE '%:uv%'"), 0)
	}, func(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{AllowUnverified: true}) })
}

// The answer to options belongs to the sign-in that they were made for: to its user,
// to the version of the account, to the kind of client.
func TestR10_AnAnswerMeetsNoOtherSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const bob = "bob@example.com"
		_, bobs := w.withPasskey(t, bob)
		owner, key := w.secured(t, email)
		other, _ := w.secured(t, "eve@example.com")
		sessions := w.count(t, "tenon_sessions")

		half := w.halfway(t, email)
		_, raw := half.options()
		half.signIn("eve@example.com") // the same browser begins anew, as somebody else
		assert.Equal(t, half.authenticate(key.Get(t, raw)).code(t), "INVALID_TWO_FACTOR_COOKIE")

		half = w.halfway(t, email)
		_, raw = half.options()
		assert.Equal(t, owner.stepUpByPasskey(key).StatusCode, http.StatusOK)
		assert.Equal(t, owner.post("/two-factor/generate-backup-codes", map[string]any{"password": password}).StatusCode, http.StatusOK)
		half.signIn(email)
		assert.Equal(t, half.authenticate(key.Get(t, raw)).code(t), "INVALID_TWO_FACTOR_COOKIE")

		p := &program{browser: half}
		first := w.browser(t).bearer(t, "/sign-in/email", credentials(email, password))
		options := p.post("/passkey/generate-authenticate-options", map[string]any{"challengeToken": first.decode(t)["challengeToken"]})
		got := half.post("/passkey/verify-authentication", map[string]any{
			"response": json.RawMessage(key.Get(t, []byte(options.body))), "ceremonyToken": options.decode(t)["ceremonyToken"],
		})
		assert.Equal(t, got.code(t), "INVALID_TWO_FACTOR_COOKIE")
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
		assert.True(t, other.isSignedIn() && !half.isSignedIn(), "nobody came in")

		// Options of a sign-in are for whoever answers, though another user is halfway.
		fresh := w.browser(t)
		_, raw = fresh.options()
		fresh.signIn(email)
		assert.Equal(t, fresh.authenticate(bobs.Get(t, raw)).StatusCode, http.StatusOK)
		assert.Contains(t, fresh.get("/get-session").body, bob)
	}, withPasskeys)
}

// One that was registered without verifying its user counts once, whatever the host
// asks for today.
func TestR11_AnUnverifiedPasskeyNeverCountsTwice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.secured(t, email)
		_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "UPDATE tenon_passkeys SET user_verified = FALSE")
		assert.NoError(t, err)
		half := w.halfway(t, email)
		assert.Equal(t, half.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE '%:uv%'"), 0)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE 'password passkey:%'"), 2)
	}, withPasskeys)
}

// Nor does one that verified its user without being asked to.
func TestR11_VerificationThatNobodyRequiredCountsForNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, a := w.secured(t, email)
		half := w.halfway(t, email)
		o, raw := half.options()
		assert.NotEqual(t, o.UserVerification, "required")
		assert.Equal(t, half.authenticate(a.Get(t, raw)).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE 'password passkey:%'"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels LIKE '%:uv%'"), 0)
	}, func(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{AllowUnverified: true}) })
}

// Options of a step-up do not outlive what changed the account (rule R1).
func TestR1_AStepUpByPasskeyOutlivesNoChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		options := b.get("/passkey/generate-step-up-options")
		assert.Equal(t, b.changePassword(password, "another good one").StatusCode, http.StatusOK)
		got := b.post("/passkey/verify-step-up", map[string]any{"response": json.RawMessage(a.Get(t, []byte(options.body)))})
		assert.Equal(t, got.code(t), "CHALLENGE_NOT_FOUND")
		assert.Equal(t, b.stepUpByPasskey(a).StatusCode, http.StatusOK)
	}, withPasskeys)
}
