package twofactor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/totp"
)

func TestEnrolmentIsPendingUntilItsFirstCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.pending()
	user := assert.Must(w.store.UserByID(t.Context(), w.user.ID))(t)
	assert.True(t, user.SecondFactorAt.IsZero() && user.SecurityVersion == 1, "nothing is on")
	assert.Len(t, w.sessions.ended, 0)
	_, _, err := w.VerifyInSession(t.Context(), w.caller(true), a.wrong())
	assert.ErrorIs(t, err, twofactor.ErrInvalidCode)
	user, _, err = w.VerifyInSession(t.Context(), w.caller(true), a.code())
	assert.NoError(t, err)
	assert.Equal(t, user.SecondFactorAt, w.now)
	assert.Equal(t, user.SecurityVersion, int64(2))
	assert.Equal(t, w.sessions.ended, []string{w.user.ID + " but session"})
	assert.Equal(t, w.sessions.elevated[0].Channel, auth.ChannelTOTP)
	assert.Equal(t, w.sessions.elevated[0].SecurityVersion, int64(2))
	assert.Equal(t, w.mailed(), []string{"Two-factor authentication is on at this service"})
	factors := assert.Must(w.Factors(t.Context(), w.user.ID))(t)
	assert.Equal(t, factors, auth.Factors{TOTP: true, RecoveryCodes: 10})
}

// A pending enrolment is nothing but in the session that was shown the secret, under
// the version of then, and for an hour (rules R1, R12).
func TestR12_APendingEnrolmentBelongsToItsSession(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, c *account.Caller){
		"another session": func(_ *world, c *account.Caller) { c.Principal.SessionID = "another" },
		"another version": func(_ *world, c *account.Caller) { c.SecurityVersion++ },
		"an hour later":   func(w *world, _ *account.Caller) { w.now = w.now.Add(time.Hour + time.Second) },
	} {
		w := newWorld(t)
		a, c := w.pending(), w.caller(true)
		change(w, &c)
		_, _, err := w.VerifyInSession(t.Context(), c, a.code())
		if !errors.Is(err, twofactor.ErrNotEnrolled) {
			t.Errorf("%s: verify: %v", name, err)
		}
		if _, _, err = w.Pending(t.Context(), c, ""); !errors.Is(err, twofactor.ErrNotEnrolled) {
			t.Errorf("%s: show: %v", name, err)
		}
	}
}

func TestR12_TheSecretIsShownWhilePendingOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.pending()
	_, uri, err := w.Pending(t.Context(), w.caller(true), "")
	assert.NoError(t, err)
	assert.Contains(t, uri.Reveal(), a.secret.Reveal())
	_, _, err = w.Pending(t.Context(), w.caller(false), "")
	assert.ErrorIs(t, err, auth.ErrInvalidPassword)
	_, _, err = w.Pending(t.Context(), w.caller(false), adaPassword)
	assert.NoError(t, err)
	_, _, err = w.VerifyInSession(t.Context(), w.caller(true), a.code())
	assert.NoError(t, err)
	_, _, err = w.Pending(t.Context(), w.caller(true), adaPassword)
	assert.ErrorIs(t, err, twofactor.ErrNotEnrolled)
}

func TestR12_ReEnrolmentKeepsTheOldAppUntilTheNewOneIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.enrolled()
	since := assert.Must(w.store.UserByID(t.Context(), w.user.ID))(t).SecondFactorAt
	_, err := w.Enable(t.Context(), w.caller(false), twofactor.EnableParams{Password: adaPassword})
	assert.ErrorIs(t, err, account.ErrNotFresh)
	next := w.pending()
	assert.NoError(t, w.meet(w.challenge(), auth.MethodTOTP, old.code()))
	w.now = w.now.Add(time.Minute)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, old.codes[0]))
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, next.code()), twofactor.ErrInvalidCode)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, next.codes[0]), twofactor.ErrInvalidRecoveryCode)

	user, _, err := w.VerifyInSession(t.Context(), w.caller(true), next.code())
	assert.NoError(t, err)
	assert.Equal(t, user.SecondFactorAt, since)
	w.now = w.now.Add(time.Minute)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, old.code()), twofactor.ErrInvalidCode)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, old.codes[1]), twofactor.ErrInvalidRecoveryCode)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodTOTP, next.code()))
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, next.codes[9]))
	assert.True(t, slices.Contains(w.mailed(), "Your authenticator app for this service was replaced"), "the owner is told")
}

// The matrix of who may change factors: by password, freshness, and what is on.
func TestR12_WhatAChangeOfFactorsTakes(t *testing.T) {
	t.Parallel()
	calls := map[string]func(w *world, c account.Caller, password string) error{
		"enable": func(w *world, c account.Caller, password string) error {
			_, err := w.Enable(t.Context(), c, twofactor.EnableParams{Password: password})
			return err
		},
		"disable": func(w *world, c account.Caller, password string) error { return w.Disable(t.Context(), c, password) },
		"generate": func(w *world, c account.Caller, password string) error {
			_, err := w.GenerateRecoveryCodes(t.Context(), c, password)
			return err
		},
	}
	for name, call := range calls {
		for _, enrolled := range []bool{false, true} {
			for _, fresh := range []bool{false, true} {
				for password, right := range map[string]bool{adaPassword: true, "": false, "not this one": false} {
					w := newWorld(t)
					want := twofactor.ErrOff
					if enrolled {
						w.enrolled()
					}
					if name == "enable" || enrolled {
						want = nil
					}
					if !right {
						want = auth.ErrInvalidPassword
					}
					if enrolled && !fresh {
						want = account.ErrNotFresh
					}
					err := call(w, w.caller(fresh), password)
					if want == nil && err != nil || want != nil && !errors.Is(err, want) {
						t.Errorf("%s, enrolled %t, fresh %t, password %q: %v, want %v", name, enrolled, fresh, password, err, want)
					}
				}
			}
		}
	}
}

func TestR12_WithoutAPasswordAChangeTakesAFreshProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eve := w.create("eve@example.com", "")
	_, err := w.Enable(t.Context(), w.callerOf(eve.ID, false), twofactor.EnableParams{})
	assert.ErrorIs(t, err, account.ErrNotFresh)
	_, err = w.Enable(t.Context(), w.callerOf(eve.ID, true), twofactor.EnableParams{})
	assert.NoError(t, err)
}

func TestR22_NobodyElseChangesFactors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrolled()
	for name, as := range map[string]func(p *principal.Principal){
		"nobody": func(p *principal.Principal) { p.UserID = "" }, "a key": func(p *principal.Principal) { p.APIKeyID = "k" },
		"no session": func(p *principal.Principal) { p.SessionID = "" }, "impersonated": func(p *principal.Principal) { p.ImpersonatorID = "boss" },
	} {
		c := w.caller(true)
		as(c.Principal)
		for _, err := range []error{
			w.Disable(t.Context(), c, adaPassword),
			second(w.Enable(t.Context(), c, twofactor.EnableParams{Password: adaPassword})),
			second(w.GenerateRecoveryCodes(t.Context(), c, adaPassword)),
			third(w.VerifyInSession(t.Context(), c, "123456")),
			third(w.RecoverInSession(t.Context(), c, "x")),
			third(w.Pending(t.Context(), c, "")),
		} {
			if kind := problem.KindOf(err); kind != problem.PermissionDenied && kind != problem.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

// Whatever a step is used up by, it is used up for every way.
func TestCVE202620779_ACodeWorksOnceByWhateverRoute(t *testing.T) {
	t.Parallel()
	ways := map[string]func(w *world, code string) error{
		"challenge": func(w *world, code string) error { return w.meet(w.challenge(), auth.MethodTOTP, code) },
		"session":   func(w *world, code string) error { return third(w.VerifyInSession(t.Context(), w.caller(true), code)) },
		"step-up": func(w *world, code string) error {
			return second(w.account.StepUp(t.Context(), w.caller(true), account.StepUpParams{TOTPCode: code}))
		},
	}
	for first, use := range ways {
		for then, again := range ways {
			w := newWorld(t)
			a := w.enrolled()
			code := a.code()
			assert.NoError(t, use(w, code))
			for _, same := range []string{code, " " + code, code + "\n", code[:3] + " " + code[3:]} {
				w.sessions.failures = 0
				if err := again(w, same); !errors.Is(err, twofactor.ErrInvalidCode) {
					t.Errorf("%s, then %s as %q: %v", first, then, same, err)
				}
			}
			early, _ := scheme(t).Code(a.secret, scheme(t).Step(w.now)-1)
			assert.ErrorIs(t, again(w, early), twofactor.ErrInvalidCode)
		}
	}
	w := newWorld(t)
	a := w.pending()
	_, _, err := w.VerifyInSession(t.Context(), w.caller(true), a.code())
	assert.NoError(t, err)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, a.code()), twofactor.ErrInvalidCode) // it turned the factor on
}

func TestHostileSpellingsAreNoCodesAndAreCharged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	code := a.code()
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	tried := 0
	for _, hostile := range []string{wide, "", "0" + code, code + "0", "+" + code, code + "\x00", code[:5], "\ufeff" + code} {
		assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, hostile), twofactor.ErrInvalidCode)
		tried++
	}
	assert.Len(t, w.failed, tried)
	for range 20 - tried {
		assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, a.wrong()), twofactor.ErrInvalidCode)
	}
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, code), twofactor.ErrFactorLocked) // each was charged
}

func TestFiveWrongCodesEndAChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	c := w.challenge()
	for _, method := range []string{auth.MethodTOTP, auth.MethodRecovery, auth.MethodTOTP, auth.MethodTOTP, auth.MethodTOTP} {
		assert.Error(t, w.meet(c, method, a.wrong()))
	}
	assert.ErrorIs(t, w.meet(c, auth.MethodTOTP, a.code()), auth.ErrNoChallenge)
	assert.ErrorIs(t, w.meet(c, auth.MethodRecovery, a.codes[0]), auth.ErrNoChallenge)
	assert.Len(t, w.sessions.started, 0)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodTOTP, a.code()))
}

// CVE-2024-32868: by the default configuration and with the password, ten thousand
// tries of one day are twenty looks at a code.
func TestCVE202432868_TenThousandTriesAreTwentyGuesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	looked, c := 0, w.challenge()
	for range 10_000 {
		switch err := w.meet(c, auth.MethodTOTP, a.wrong()); {
		case errors.Is(err, twofactor.ErrInvalidCode):
			looked++
		case errors.Is(err, auth.ErrNoChallenge):
			assert.NoError(t, w.store.DropChallenges(t.Context(), w.user.ID)) // the fake is slow with thousands
			c = w.challenge()
		case !errors.Is(err, twofactor.ErrFactorLocked):
			t.Fatal(err)
		}
	}
	assert.Equal(t, looked, 20)
	err := w.meet(w.challenge(), auth.MethodTOTP, a.code())
	assert.ErrorIs(t, err, twofactor.ErrFactorLocked)
	assert.True(t, assert.ErrorAs[*problem.Error](t, err).RetryAfter > 23*time.Hour, "it says when")
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, a.codes[0])) // only recovery is left
	w.now = w.now.Add(24 * time.Hour)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodTOTP, a.code()))
}

func TestSuccessGivesItsUnitBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	for i := range 50 {
		w.now = w.now.Add(time.Minute)
		if i%2 == 0 {
			assert.NoError(t, w.meet(w.challenge(), auth.MethodTOTP, a.code()))
			continue
		}
		_, err := w.account.StepUp(t.Context(), w.caller(true), account.StepUpParams{TOTPCode: a.code()})
		assert.NoError(t, err)
	}
}

// Something happens between the look at a code and its use (rule R1).
func TestR1_ACodeDoesNotOutliveWhatChangedTheAccount(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world){
		"reset": func(w *world) {
			assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: w.user.ID}, func(context.Context, auth.User) error { return nil }))
		},
		"off":     func(w *world) { assert.NoError(t, w.Disable(t.Context(), w.caller(true), adaPassword)) },
		"off, on": func(w *world) { assert.NoError(t, w.Disable(t.Context(), w.caller(true), adaPassword)); w.enrolled() },
		"new app": func(w *world) { w.enrolled() },
		"ban":     func(w *world) { assert.NoError(t, w.store.Ban(t.Context(), w.user.ID)) },
		"deletion": func(w *world) {
			assert.NoError(t, w.account.DeleteByPassword(t.Context(), w.caller(true), adaPassword))
		},
	} {
		w := newWorld(t)
		a := w.enrolled()
		c, code := w.challenge(), a.code()
		w.keys.meanwhile = func() { change(w) }
		if err := w.meet(c, auth.MethodTOTP, code); err == nil || problem.KindOf(err) == problem.Internal {
			t.Errorf("%s: met: %v", name, err)
		}
		assert.Len(t, w.sessions.started, 0)
	}
	for name, change := range map[string]func(w *world){
		"off": func(w *world) { assert.NoError(t, w.Disable(t.Context(), w.caller(true), adaPassword)) },
		"reset": func(w *world) {
			assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: w.user.ID}, func(context.Context, auth.User) error { return nil }))
		},
	} {
		w := newWorld(t)
		a := w.enrolled()
		w.sessions.elevated = nil
		w.keys.meanwhile = func() { change(w) }
		_, _, err := w.VerifyInSession(t.Context(), w.caller(true), a.code())
		if !errors.Is(err, auth.ErrStale) {
			t.Errorf("%s: stepped up: %v", name, err)
		}
		assert.Len(t, w.sessions.elevated, 0)
	}
}

func TestTurningOffEndsChallenges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	c := w.challenge()
	assert.NoError(t, w.Disable(t.Context(), w.caller(true), adaPassword))
	assert.Error(t, w.meet(c, auth.MethodRecovery, a.codes[0]))
	assert.Len(t, w.sessions.started, 0)
	_, outcome, err := w.auth.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword})
	assert.True(t, err == nil && !outcome.Challenged(), "one step is enough")
	assert.True(t, slices.Contains(w.mailed(), "Two-factor authentication is off at this service"), "the owner is told")
}

func TestR8_CodesAreNotGuessedAtInTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	c, me := w.challenge(), w.caller(true)
	for name, call := range map[string]func(ctx context.Context) error{
		"meet": func(ctx context.Context) error {
			return second(w.Meet(ctx, c, twofactor.MeetParams{Method: auth.MethodTOTP, Code: a.code()}))
		},
		"verify":  func(ctx context.Context) error { return third(w.VerifyInSession(ctx, me, a.code())) },
		"recover": func(ctx context.Context) error { return third(w.RecoverInSession(ctx, me, a.codes[0])) },
		"disable": func(ctx context.Context) error { return w.Disable(ctx, me, adaPassword) },
		"generate": func(ctx context.Context) error {
			return second(w.GenerateRecoveryCodes(ctx, me, adaPassword))
		},
	} {
		err := w.store.InTx(t.Context(), call)
		if !errors.Is(err, auth.ErrInTransaction) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAppKeepsWhatItWasTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	changed := assert.Must(twofactor.New(w.store, twofactor.Config{
		Auth: w.auth, Account: w.account, Sessions: w.sessions, Keys: w.keys, Now: func() time.Time { return w.now },
		Policy: twofactor.Policy{TOTP: totp.Config{Algorithm: totp.SHA512, Digits: 8, Period: time.Minute}},
	}))(t)
	_, err := changed.Meet(t.Context(), w.challenge(), twofactor.MeetParams{Method: auth.MethodTOTP, Code: a.code()})
	assert.NoError(t, err)
}

func TestPromise3_SecretsAreSealedForTheirRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	e := assert.Must(w.store.EnrolmentOf(t.Context(), w.user.ID, true))(t)
	assert.NotContains(t, string(e.Secret), a.secret.Reveal())
	raw := assert.Must(w.keys.Open(t.Context(), twofactor.SecretField(e.ID), e.Secret))(t)
	assert.Equal(t, string(raw), a.secret.Reveal())
	_, err := w.keys.Open(t.Context(), twofactor.SecretField("another row"), e.Secret)
	assert.ErrorIs(t, err, crypto.ErrAuthentication)
}

func TestMaintainForgetsWhatWasNeverConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pending()
	assert.NoError(t, w.Maintain(t.Context()))
	_, err := w.store.EnrolmentOf(t.Context(), w.user.ID, false)
	assert.NoError(t, err)
	w.now = w.now.Add(2 * twofactor.PendingLife)
	assert.NoError(t, w.Maintain(t.Context()))
	_, err = w.store.EnrolmentOf(t.Context(), w.user.ID, false)
	assert.ErrorIs(t, err, twofactor.ErrNotEnrolled)
}
