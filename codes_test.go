package tenon_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestPromise4_SixtyFourConsumersOfOneCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		for _, to := range []string{email, "new@example.com"} {
			b := w.browser(t)
			p := passwordless.CodeParams{Email: to, Code: w.mailedCode(t, b, to, "sign-in"), Flow: b.cookie("flow")}
			assert.Equal(t, w.race(t, passwordless.ErrInvalidCode, func(ctx context.Context) error {
				_, err := w.Passwordless.SignIn(ctx, passwordless.SignInParams{CodeParams: p})
				if errors.Is(err, passwordless.ErrTooManyCodes) {
					return passwordless.ErrInvalidCode
				}
				return err
			}), 1)
		}
		assert.Equal(t, w.count(t, "tenon_users"), 2)
		assert.Equal(t, w.count(t, "tenon_sessions"), 2)
	})
}

// wrongGuesses counts comparisons that failed.
type wrongGuesses struct {
	mu sync.Mutex
	n  int
}

func (g *wrongGuesses) add(context.Context, auth.SignInFailed) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	return nil
}

// A hundred codes, each guessed at five times by every route there is, come to ten
// comparisons in a day; asking again gives none back, links go on working.
func TestR10_AHundredCodesAreGuessedAtTenTimes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		guesses := new(wrongGuesses)
		w.cfg.AuthHooks.SignInFailed = guesses.add
		w.cfg.Passwordless.ResetByCode = true
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		routes := []struct {
			path, purpose string
			more          map[string]any
		}{
			{"/sign-in/email-otp", "sign-in", nil},
			{"/email-otp/verify-email", "email-verification", nil},
			{"/email-otp/check-verification-otp", "sign-in", map[string]any{"type": "sign-in"}},
			{"/email-otp/reset-password", "forget-password", map[string]any{"password": newPassword}},
		}
		for i := range 100 {
			b, r := w.browser(t), routes[i%len(routes)]
			bundbtest.ClockOf(w.db).Advance(13 * time.Minute) // within the mail budget, and within a day
			b.sendCode(email, r.purpose)
			assert.NoError(t, w.Drain(t.Context()))
			message, _ := w.mailbox.Last(email)
			for range 5 {
				body := map[string]any{"email": email, "otp": otherCode("0" + message.Code[1:])}
				for name, value := range r.more {
					body[name] = value
				}
				b.post(r.path, body)
			}
		}
		assert.Equal(t, guesses.n, 10)
	})
}

// Ten wrong guesses in a day, and codes work no more for the address: links do.
func TestR10_ThenLinksOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		attacker, b := w.browser(t), w.browser(t)
		for range 2 {
			code := w.mailedCode(t, attacker, email, "sign-in")
			for range 5 {
				assert.Equal(t, attacker.useCode(email, otherCode(code)).code(t), "INVALID_OTP")
			}
		}
		refused := b.useCode(email, w.mailedCode(t, b, email, "sign-in"))
		assert.Equal(t, refused.StatusCode, http.StatusTooManyRequests)
		assert.Equal(t, refused.code(t), "TOO_MANY_ATTEMPTS")
		assert.NotEqual(t, refused.Header.Get("Retry-After"), "")
		assert.Equal(t, b.useLink(w.magicLink(t, b, email)).StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(24 * time.Hour)
		b = w.browser(t)
		assert.Equal(t, b.useCode(email, w.mailedCode(t, b, email, "sign-in")).StatusCode, http.StatusOK)
	})
}

func TestR10_ACodeWorksInItsFlowOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.browser(t), w.browser(t)
		inA := w.mailedCode(t, a, email, "sign-in")
		inB := w.mailedCode(t, b, email, "sign-in")
		for inB == inA { // one in a million
			inB = w.mailedCode(t, b, email, "sign-in")
		}
		assert.Equal(t, b.useCode(email, inA).code(t), "INVALID_OTP")
		assert.Equal(t, w.browser(t).useCode(email, inA).code(t), "INVALID_OTP")
		for name, got := range map[string]answer{
			"another purpose": a.post("/email-otp/verify-email", map[string]any{"email": email, "otp": inA}),
			"another address": a.useCode("bob@example.com", inA),
		} {
			if got.code(t) != "INVALID_OTP" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, a.useCode(email, inA).StatusCode, http.StatusOK)
	})
}

// A code is dead after five tries; a flow that never asked costs nobody a guess.
func TestR10_FiveTriesOfACode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		code := w.mailedCode(t, b, email, "sign-in")
		for range 12 {
			assert.Equal(t, w.browser(t).useCode(email, code).code(t), "INVALID_OTP")
		}
		for range 5 {
			assert.Equal(t, b.useCode(email, otherCode(code)).code(t), "INVALID_OTP")
		}
		assert.Equal(t, b.useCode(email, code).code(t), "INVALID_OTP")
		again := w.mailedCode(t, b, email, "sign-in")
		assert.Equal(t, b.useCode(email, again).StatusCode, http.StatusOK)
	})
}

func TestR10_CheckLeavesTheCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		code := w.mailedCode(t, b, email, "sign-in")
		check := map[string]any{"email": email, "otp": code, "type": "sign-in"}
		for range 3 {
			assert.Equal(t, b.post("/email-otp/check-verification-otp", check).decode(t)["success"], any(true))
		}
		assert.Equal(t, b.useCode(email, code).StatusCode, http.StatusOK)
		check["type"] = "change-email"
		assert.Equal(t, b.post("/email-otp/check-verification-otp", check).code(t), "INVALID_OTP_TYPE")
	})
}

func TestR10_ResetByCodeIsOffByDefault(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		for _, path := range []string{"/email-otp/request-password-reset", "/forget-password/email-otp", "/email-otp/reset-password"} {
			assert.Equal(t, b.post(path, map[string]any{"email": email}).StatusCode, http.StatusNotFound)
		}
		for _, purpose := range []string{"forget-password", "change-email"} {
			assert.Equal(t, b.sendCode(email, purpose).code(t), "INVALID_OTP_TYPE")
		}
	})
}

func TestResetByCodeWhereItIsOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		code := w.mailedCode(t, b, email, "forget-password")
		set := func(otp, password string) answer {
			return b.post("/email-otp/reset-password", map[string]any{"email": email, "otp": otp, "password": password})
		}
		assert.Equal(t, set(code, "short").code(t), "PASSWORD_TOO_SHORT")
		assert.Equal(t, set(otherCode(code), newPassword).code(t), "INVALID_OTP")
		assert.Equal(t, set(code, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, set(code, "a third password").code(t), "INVALID_OTP")
		assert.Equal(t, b.get("/get-session").body, "null\n")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	}, func(c *tenon.Config) { c.Passwordless.ResetByCode = true })
}

// Clients without cookies get the flow in the answer and no cookie.
func TestR10_R16_AFlowTokenInsteadOfACookie(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		w.later()
		r := b.request(http.MethodPost, "/email-otp/send-verification-otp", "application/json", strings.NewReader(`{"email":"ada@example.com","type":"sign-in"}`))
		r.Header.Set("X-Token-Mode", "bearer")
		asked := b.do(r)
		assert.Len(t, asked.Cookies(), 0)
		flow, _ := asked.decode(t)["flowToken"].(string)
		assert.NoError(t, w.Drain(t.Context()))
		message, _ := w.mailbox.Last("ada@example.com")
		body := fmt.Sprintf(`{"email":"ada@example.com","otp":%q,"flowToken":%q}`, message.Code, flow)
		r = b.request(http.MethodPost, "/sign-in/email-otp", "application/json", strings.NewReader(body))
		r.Header.Set("X-Token-Mode", "bearer")
		in := b.do(r)
		assert.Equal(t, in.StatusCode, http.StatusOK)
		assert.Len(t, in.Cookies(), 0)
		assert.NotEqual(t, in.decode(t)["accessToken"], nil)
		r = b.request(http.MethodPost, "/email-otp/send-verification-otp", "application/json", strings.NewReader(`{"email":"ada@example.com","type":"sign-in"}`))
		r.Header.Set("X-Token-Mode", "bearer")
		r.Header.Set("Origin", base)
		assert.Equal(t, b.do(r).StatusCode, http.StatusForbidden) // no page gets tokens unless it is listed
		assert.NotContains(t, b.sendCode("bob@example.com", "sign-in").body, "tnn_")
	})
}
