package tenon_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// challenged are n sign-ins of the user that wait for their second step.
func (w *world) challenged(t testing.TB, n int) (all []auth.Challenge) {
	t.Helper()
	for range n {
		_, outcome, err := w.Auth.SignIn(t.Context(), auth.SignInParams{Email: email, Password: password})
		assert.NoError(t, err)
		c, _, err := w.Auth.FindChallenge(t.Context(), outcome.Challenge.Token.Reveal(), false)
		assert.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// raceToMeet lets 64 meet challenges at once, and returns how many got a session.
func (w *world) raceToMeet(t *testing.T, of func(i int) (auth.Challenge, twofactor.MeetParams)) (won int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range 64 {
		c, p := of(i)
		group.Go(func() {
			<-start
			_, err := w.TwoFactor.Meet(bundbtest.Flow(t.Context()), c, p)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			}
		})
	}
	close(start)
	group.Wait()
	return won
}

// CVE-2026-20779: one code, or one challenge, is one session, whoever is how fast.
func TestCVE202620779_SixtyFourRacersHaveOneWinner(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		live := "tenon_sessions WHERE revoked_at IS NULL"
		race := func(name string, of func(i int) (auth.Challenge, twofactor.MeetParams)) {
			t.Helper()
			_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "DELETE FROM tenon_guesses") // charges are not what is raced
			assert.NoError(t, err)
			before := w.count(t, live)
			if won := w.raceToMeet(t, of); won != 1 || w.count(t, live) != before+1 {
				t.Errorf("%s: %d won, %d sessions", name, won, w.count(t, live)-before)
			}
		}
		many, code := w.challenged(t, 64), a.code(t)
		race("one code of the app", func(i int) (auth.Challenge, twofactor.MeetParams) {
			return many[i], twofactor.MeetParams{Method: auth.MethodTOTP, Code: code}
		})
		race("one recovery code", func(i int) (auth.Challenge, twofactor.MeetParams) {
			return many[(i+1)%64], twofactor.MeetParams{Method: auth.MethodRecovery, Code: a.codes[0]}
		})
		one, code := w.challenged(t, 1)[0], a.code(t)
		race("one challenge", func(i int) (auth.Challenge, twofactor.MeetParams) {
			if i%2 == 0 {
				return one, twofactor.MeetParams{Method: auth.MethodTOTP, Code: code}
			}
			return one, twofactor.MeetParams{Method: auth.MethodRecovery, Code: a.codes[1+i%9]}
		})
	}, func(c *tenon.Config) { c.Sessions.MaxPerUser = 100 })
}

// A step-up and a sign-in race with one code, too: they lock in one order.
func TestASignInAndAStepUpRaceWithOneCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrol(t, b)
		for range 5 {
			c, me, code := w.challenged(t, 1)[0], w.caller(t, b), a.code(t)
			done := make(chan error)
			go func() {
				_, err := w.TwoFactor.Meet(bundbtest.Flow(context.WithoutCancel(t.Context())), c, twofactor.MeetParams{Method: auth.MethodTOTP, Code: code})
				done <- err
			}()
			result, err := w.Account.StepUp(bundbtest.Flow(t.Context()), me, account.StepUpParams{TOTPCode: code})
			other := <-done
			assert.True(t, (err == nil) != (other == nil), fmt.Sprintf("one of %v and %v", err, other))
			if err == nil {
				b.client.Jar.SetCookies(assert.Must(url.Parse(base))(t), []*http.Cookie{{Name: "tenon_dev_session", Value: result.Grant.Token.Reveal(), Path: "/"}})
			}
		}
	})
}

// Whoever changes the factors locks the user first, and whoever proves one does, too:
// nobody waits in a circle, and what comes second finds the account changed.
func TestChangesAndProofsOfFactorsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for range 8 {
			a := w.enrol(t, b)
			c, me := w.challenged(t, 4), w.caller(t, b)
			code := a.code(t)
			var group sync.WaitGroup
			for _, call := range []func(ctx context.Context) error{
				func(ctx context.Context) error { return w.TwoFactor.Disable(ctx, me, password) },
				func(ctx context.Context) error {
					_, err := w.Account.StepUp(ctx, me, account.StepUpParams{BackupCode: a.codes[0]})
					return err
				},
				func(ctx context.Context) error {
					_, err := w.TwoFactor.Meet(ctx, c[0], twofactor.MeetParams{Method: auth.MethodTOTP, Code: code})
					return err
				},
				func(ctx context.Context) error {
					_, err := w.TwoFactor.Meet(ctx, c[1], twofactor.MeetParams{Method: auth.MethodRecovery, Code: a.codes[1]})
					return err
				},
			} {
				group.Go(func() {
					err := call(bundbtest.Flow(t.Context()))
					if kind := problem.KindOf(err); err != nil && (kind == problem.Internal || kind == problem.Unavailable) {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
			_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "UPDATE tenon_users SET second_factor_at = NULL")
			assert.NoError(t, err)
			_, err = w.db.Raw(t.Context()).ExecContext(t.Context(), "DELETE FROM tenon_totp")
			assert.NoError(t, err)
			b = w.browser(t)
			assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		}
	})
}

// secondFactorState is what a second step, a confirmation or a step-up changes, but for
// what is counted before anything is looked at.
func (w *world) secondFactorState(t *testing.T) string {
	t.Helper()
	var state []string
	for _, query := range []string{
		"tenon_sessions", "tenon_sessions WHERE revoked_at IS NULL", "tenon_totp WHERE confirmed", "tenon_totp",
		"tenon_recovery_codes WHERE used_at IS NULL AND enrolment IS NULL", "tenon_recovery_codes",
		"tenon_challenges WHERE consumed_at IS NULL", "tenon_users WHERE second_factor_at IS NULL",
	} {
		state = append(state, fmt.Sprint(w.count(t, query)))
	}
	var step, version int64
	err := w.db.Raw(t.Context()).QueryRowContext(t.Context(),
		"SELECT (SELECT coalesce(max(last_step), 0) FROM tenon_totp), (SELECT max(security_version) FROM tenon_users)").Scan(&step, &version)
	assert.NoError(t, err)
	return fmt.Sprint(state, step, version)
}

// requireAtomicGuess is bundbtest.RequireAtomic for calls that count a guess first, by
// a statement that commits alone.
func (w *world) requireAtomicGuess(t *testing.T, op func(ctx context.Context) error) {
	t.Helper()
	before := w.secondFactorState(t)
	for k := 1; k < 200; k++ {
		for _, reset := range []string{"DELETE FROM tenon_guesses", "UPDATE tenon_challenges SET tries = 0"} {
			_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), reset)
			assert.NoError(t, err)
		}
		faults := bundbtest.FaultsOf(w.DB)
		faults.FailAt(k)
		err := op(bundbtest.Flow(t.Context()))
		faults.Disarm()
		if err == nil {
			assert.True(t, k > 5, "statements were failed")
			assert.NotEqual(t, w.secondFactorState(t), before)
			return
		}
		if after := w.secondFactorState(t); after != before {
			t.Fatalf("statement %d failed and left %s, before it was %s", k, after, before)
		}
	}
	t.Fatal("it never succeeds")
}

func TestPromise1_SecondFactorsAreAtomic(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]func(t *testing.T, w *world, b *browser) func(ctx context.Context) error{
		"confirm": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			a, me := w.enrolPending(t, b), w.caller(t, b)
			code := a.code(t)
			return func(ctx context.Context) error { _, _, err := w.TwoFactor.VerifyInSession(ctx, me, code); return err }
		},
		"meet by app": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			a, c := w.enrol(t, b), w.challenged(t, 1)[0]
			p := twofactor.MeetParams{Method: auth.MethodTOTP, Code: a.code(t)}
			return func(ctx context.Context) error { _, err := w.TwoFactor.Meet(ctx, c, p); return err }
		},
		"meet by recovery code": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			a, c := w.enrol(t, b), w.challenged(t, 1)[0]
			p := twofactor.MeetParams{Method: auth.MethodRecovery, Code: a.codes[0]}
			return func(ctx context.Context) error { _, err := w.TwoFactor.Meet(ctx, c, p); return err }
		},
		"step up": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			a := w.enrol(t, b)
			me, p := w.caller(t, b), account.StepUpParams{TOTPCode: a.code(t)}
			return func(ctx context.Context) error { _, err := w.Account.StepUp(ctx, me, p); return err }
		},
		"enable": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			me := w.caller(t, b)
			return func(ctx context.Context) error {
				_, err := w.TwoFactor.Enable(ctx, me, twofactor.EnableParams{Password: password})
				return err
			}
		},
		"regenerate": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			w.enrol(t, b)
			me := w.caller(t, b)
			return func(ctx context.Context) error {
				_, err := w.TwoFactor.GenerateRecoveryCodes(ctx, me, password)
				return err
			}
		},
		"disable": func(t *testing.T, w *world, b *browser) func(ctx context.Context) error {
			w.enrol(t, b)
			me := w.caller(t, b)
			return func(ctx context.Context) error { return w.TwoFactor.Disable(ctx, me, password) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) { w.requireAtomicGuess(t, op(t, w, w.signedIn(t, email))) })
		})
	}
}

// CVE-2026-35597: what counts wrong codes is there for the next connection.
func TestCVE202635597_WrongCodesAreCountedForGood(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.enrol(t, w.signedIn(t, email))
		other := *w
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		other.App = app
		wrong := 0
		for range 30 {
			b := w.browser(t)
			b.signIn(email)
			for _, at := range []*browser{b, b.at(&other)} {
				if at.post("/two-factor/verify-totp", map[string]any{"code": "000000"}).code(t) == "INVALID_CODE" {
					wrong++
				}
			}
		}
		assert.Equal(t, wrong, 20)
	})
}

func TestPromise3_SecondFactorsAreUnreadableAtRest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		confirmed := w.enrol(t, b)
		pending := w.enrolPending(t, b)
		c := w.browser(t)
		c.signIn(email)
		secrets := map[string]string{"app": confirmed.secret.Reveal(), "pending app": pending.secret.Reveal(), "challenge": c.cookie("two_factor")}
		for i, code := range append(confirmed.codes, pending.codes...) {
			secrets[fmt.Sprintf("recovery code %d", i)] = code
			secrets[fmt.Sprintf("bare recovery code %d", i)] = strings.ReplaceAll(code, "-", "")
		}
		assert.NoError(t, w.Drain(t.Context()))
		dump, logged := bundbtest.Dump(t, w.db), []byte(w.logs.String())
		for name, secret := range secrets {
			assert.True(t, len(secret) > 20, name)
			for form, text := range forms(secret) {
				if bytes.Contains(dump, text) || bytes.Contains(logged, text) {
					t.Errorf("the %s is kept or logged %s", name, form)
				}
			}
		}
	})
}

// R25: a browser that meets a second factor gets a page, and goes on from there to
// where it wanted to go.
func TestR25_TheBuiltInPageOfTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		w.later()
		b := w.browser(t)
		b.post("/sign-in/magic-link", map[string]any{"email": email, "callbackURL": "/in?x=1"})
		link := assert.Must(url.Parse(w.lastLink(t, email)))(t)
		answer := b.submitLink(b.followLink(link.RawQuery))
		assert.Equal(t, answer.StatusCode, http.StatusSeeOther)
		assert.Equal(t, answer.Header.Get("Location"), "/api/auth/two-factor/challenge")
		assert.False(t, b.isSignedIn(), "no session after one factor")

		page := b.page("/two-factor/challenge")
		assert.Equal(t, page.StatusCode, http.StatusOK)
		assert.Contains(t, page.body, "Enter the code of your app")
		assert.Contains(t, page.body, "challenge?method=backup_code")
		assert.NotContains(t, page.body, "<script")
		assert.NotContains(t, page.body, "method=otp")
		assert.Contains(t, b.page("/two-factor/challenge?method=backup_code").body, "Enter a recovery code")
		wrong := b.formOf(page, "/two-factor/challenge", url.Values{"method": {"totp"}, "code": {"000000"}})
		assert.Equal(t, wrong.StatusCode, http.StatusUnauthorized)
		assert.Contains(t, wrong.body, "That code is wrong")
		noNonce := b.form("/two-factor/challenge", url.Values{"method": {"totp"}, "code": {a.code(t)}})
		assert.Equal(t, noNonce.StatusCode, http.StatusForbidden)
		met := b.formOf(wrong, "/two-factor/challenge", url.Values{"method": {"totp"}, "code": {a.code(t)}})
		assert.Equal(t, met.StatusCode, http.StatusSeeOther)
		assert.Equal(t, met.Header.Get("Location"), "/in?x=1")
		assert.True(t, b.isSignedIn(), "a session after two")
		over := b.page("/two-factor/challenge")
		assert.Equal(t, over.StatusCode, http.StatusUnauthorized)
		assert.Contains(t, over.body, "You are signed in")
		assert.Contains(t, w.browser(t).page("/two-factor/challenge").body, "Sign in again")
	})
}

// formOf submits the form of a page.
func (b *browser) formOf(page answer, path string, values url.Values) answer {
	b.t.Helper()
	found := nonce.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("the page has no form:\n%s", page.body)
	}
	values.Set("_nonce", found[1])
	return b.form(path, values)
}

func (w *world) lastLink(t testing.TB, to string) string {
	t.Helper()
	assert.NoError(t, w.Drain(t.Context()))
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", to)
	}
	return message.Links[0]
}

// Whoever sits down at a browser in which somebody else's sign-in waits can begin one
// of their own.
func TestAnAbandonedSecondStepCanBeLeft(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		w.later()
		b := w.browser(t)
		assert.Contains(t, b.post("/sign-in/email", map[string]any{"email": email, "password": password}).body, "twoFactorRedirect")
		page := b.page("/two-factor/challenge")
		assert.Contains(t, page.body, "Sign in as somebody else")
		left := b.formOf(page, "/two-factor/challenge", url.Values{"method": {"totp"}, "leave": {"1"}})
		assert.Equal(t, left.StatusCode, http.StatusSeeOther)
		assert.Equal(t, left.Header.Get("Location"), "/")
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusUnauthorized)
		assert.False(t, b.isSignedIn(), "nobody is signed in")
	})
}

func TestR25_TheHostsOwnPageOfTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.enrol(t, w.signedIn(t, email))
		w.later()
		b := w.browser(t)
		b.post("/sign-in/magic-link", map[string]any{"email": email})
		link := assert.Must(url.Parse(w.lastLink(t, email)))(t)
		answer := b.submitLink(b.followLink(link.RawQuery))
		assert.Equal(t, answer.Header.Get("Location"), "/second-step")
	}, func(c *tenon.Config) { c.Pages.SecondFactor = "/second-step" })
}

// R16: a bearer client's challenge is a token in its hands, and becomes a pair.
func TestR16_ABearersSecondStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		p := &program{browser: w.browser(t)}
		got := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), http.Header{"X-Token-Mode": {"bearer"}})
		assert.Len(t, got.Cookies(), 0)
		challenge := got.decode(t)["challengeToken"].(string)
		code := a.code(t)
		asCookie := p.send(http.MethodPost, "/two-factor/verify-totp", map[string]any{"code": code}, http.Header{"Cookie": {"tenon_dev_two_factor=" + challenge}})
		assert.Equal(t, asCookie.code(t), "INVALID_TWO_FACTOR_COOKIE")
		met := p.send(http.MethodPost, "/two-factor/verify-totp", map[string]any{"code": code, "challengeToken": challenge}, nil)
		assert.Equal(t, met.StatusCode, http.StatusOK)
		assert.Len(t, met.Cookies(), 0)
		fields := met.decode(t)
		assert.True(t, fields["accessToken"] != nil && fields["refreshToken"] != nil && fields["token"] == nil, "a pair in the body alone")
		again := p.send(http.MethodPost, "/two-factor/verify-totp", map[string]any{"code": a.code(t), "challengeToken": challenge}, nil)
		assert.Equal(t, again.code(t), "INVALID_TWO_FACTOR_COOKIE")

		c := w.browser(t)
		c.signIn(email)
		swapped := w.browser(t).post("/two-factor/verify-totp", map[string]any{"code": a.code(t), "challengeToken": c.cookie("two_factor")})
		assert.Equal(t, swapped.code(t), "INVALID_TWO_FACTOR_COOKIE")
	})
}

func TestTheQRCodeIsForWhoEnrols(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other := w.browser(t)
		other.signIn(email)
		assert.Equal(t, b.get("/two-factor/qr").code(t), "TOTP_NOT_ENABLED")
		a := w.enrolPending(t, b)
		for range 2 { // drawn, and remembered
			got := b.get("/two-factor/qr")
			assert.Equal(t, got.StatusCode, http.StatusOK)
			assert.Equal(t, got.Header.Get("Content-Type"), "image/png")
			assert.Equal(t, got.Header.Get("Cache-Control"), "no-store")
			assert.Must(png.Decode(strings.NewReader(got.body)))(t)
		}
		assert.Equal(t, other.get("/two-factor/qr").code(t), "TOTP_NOT_ENABLED")
		assert.Equal(t, w.browser(t).get("/two-factor/qr").StatusCode, http.StatusUnauthorized)
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		assert.Equal(t, b.get("/two-factor/qr").code(t), "SESSION_NOT_FRESH")
		b.post("/step-up", map[string]any{"password": password})
		assert.Equal(t, b.get("/two-factor/qr").StatusCode, http.StatusOK)
		b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
		assert.Equal(t, b.get("/two-factor/qr").code(t), "TOTP_NOT_ENABLED")
	})
}

// R12: what is sensitive takes the second factor once it is on.
func TestR12_SensitiveRoutesTakeTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrol(t, b)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		sensitive := func() string { return b.post("/change-email", map[string]any{"newEmail": newEmail}).code(t) }
		assert.Equal(t, sensitive(), "SESSION_NOT_FRESH")
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, sensitive(), "SESSION_NOT_FRESH")
		assert.Equal(t, b.post("/two-factor/verify-otp", map[string]any{"code": "123456"}).code(t), "OTP_NOT_ENABLED")
		old := b.cookie("session")
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
		assert.NotEqual(t, b.cookie("session"), old)
		assert.Equal(t, sensitive(), "")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, b.post("/step-up", map[string]any{"backupCode": a.codes[5]}).StatusCode, http.StatusOK)
		for range 4 {
			assert.Equal(t, b.post("/step-up", map[string]any{"totpCode": "000000"}).code(t), "INVALID_CODE")
		}
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": "000000"}).code(t), "SESSION_ENDED")
		assert.False(t, b.isSignedIn(), "the fifth wrong code ends the session")
	})
}

func TestASVS_6_4_3_AResetDoesNotGoAroundTheSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		waiting := w.browser(t)
		waiting.signIn(email)
		w.later()
		b := w.browser(t)
		b.post("/request-password-reset", map[string]any{"email": email, "redirectTo": "/new"})
		link := assert.Must(url.Parse(w.lastLink(t, email)))(t)
		secret := link.Path[strings.LastIndex(link.Path, "/")+1:]
		assert.Equal(t, b.post("/reset-password", map[string]any{"token": secret, "newPassword": newPassword}).StatusCode, http.StatusOK)
		assert.False(t, b.isSignedIn(), "a reset signs nobody in")
		assert.Equal(t, waiting.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).code(t), "INVALID_TWO_FACTOR_COOKIE")
		assert.Equal(t, b.signInWith(email, newPassword).decode(t)["twoFactorRedirect"], any(true))
		assert.Equal(t, b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
		assert.True(t, b.isSignedIn(), "by both factors")
	})
}

// A sign-in that was given up in the same browser does not take the first code of an
// enrolment.
func TestEnablingLeavesAChallengeBehind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.enrol(t, w.signedIn(t, "bob@example.com"))
		b := w.signedIn(t, email)
		b.signIn("bob@example.com")
		assert.True(t, b.cookie("two_factor") != "" && b.isSignedIn(), "a session, and a challenge of somebody else")
		w.enrol(t, b)
	})
}

// R4: whoever proves the mailbox of an account that nobody proved gets it without the
// second factor of whoever made it.
func TestR4_ProofTakesTheSecondFactorOfAStrangerAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		w.enrol(t, b)
		_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "UPDATE tenon_users SET email_verified = FALSE")
		assert.NoError(t, err)
		w.later()
		owner := w.browser(t)
		assert.Equal(t, owner.useLink(w.magicLink(t, owner, email)).StatusCode, http.StatusOK)
		assert.True(t, owner.isSignedIn(), "in by the mailbox alone")
		assert.Equal(t, w.count(t, "tenon_totp")+w.count(t, "tenon_recovery_codes"), 0)
		assert.False(t, b.isSignedIn(), "the stranger is out")
	})
}
