package auth_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// signInFrom signs in with the cookie of a device.
func (w *world) signInFrom(t *testing.T, device, email, password string) (auth.Grant, error) {
	t.Helper()
	_, outcome, err := w.SignIn(t.Context(), auth.SignInParams{Email: email, Password: password, Device: device, Client: client()})
	return outcome.Grant, err
}

// device signs in and returns the cookie that the browser gets.
func (w *world) device(t *testing.T) string {
	t.Helper()
	grant, err := w.signInFrom(t, "", adaEmail, adaPassword)
	assert.NoError(t, err)
	secret, err := w.RememberDevice(t.Context(), grant, "")
	assert.NoError(t, err)
	return secret.Reveal()
}

// lock guesses until strangers are refused for good, and returns how many guesses
// were checked.
func (w *world) lock(t *testing.T, email string) int {
	t.Helper()
	before := w.passwords.count()
	for range 500 {
		_, err := w.signInFrom(t, "", email, "not this one")
		if errors.Is(err, auth.ErrLocked) {
			return w.passwords.count() - before
		}
		refused, ok := errors.AsType[*problem.Error](err)
		assert.True(t, ok, "a refusal")
		if refused.RetryAfter > 0 {
			w.clock.Advance(refused.RetryAfter)
		}
	}
	t.Fatal("strangers are never refused for good")
	return 0
}

// Rule R9: guesses from outside lock strangers out, and nobody else.
func TestR9_StrangersLockOutStrangersOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	device := w.device(t)
	assert.Equal(t, w.lock(t, adaEmail), auth.LockedAt)
	for range 150 {
		_, err := w.signInFrom(t, "", adaEmail, adaPassword)
		assert.ErrorIs(t, err, auth.ErrLocked)
		assert.Equal(t, problem.KindOf(err), problem.RateLimited)
	}
	_, err := w.signInFrom(t, device, adaEmail, adaPassword)
	assert.NoError(t, err)
	// The owner's success forgives no stranger, and time does not unlock.
	w.clock.Advance(100 * 24 * time.Hour)
	assert.NoError(t, w.Maintain(t.Context()))
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrLocked)
	_, err = w.signInFrom(t, device, adaEmail, adaPassword)
	assert.NoError(t, err)
}

// Rule R9: below the cap strangers' guesses are forgotten with time.
func TestR9_StrangersGuessesDecay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	for range 5 {
		_, err := w.signIn(t, "not this one")
		assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrTooManyAttempts)
	w.clock.Advance(6 * time.Hour)
	for range 5 {
		_, err := w.signIn(t, "not this one")
		assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
}

// Rule R9: a stolen device has a limit of its own, which touches nobody else.
func TestR9_ADeviceHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	device, other := w.device(t), w.device(t)
	before := w.passwords.count()
	for end := w.clock.Now().Add(5 * time.Hour); w.clock.Now().Before(end); {
		_, err := w.signInFrom(t, device, adaEmail, "not this one")
		assert.False(t, errors.Is(err, auth.ErrLocked), "a device is never locked")
		if refused, ok := errors.AsType[*problem.Error](err); ok && refused.RetryAfter > 0 {
			w.clock.Advance(refused.RetryAfter)
		}
	}
	guesses := w.passwords.count() - before
	assert.True(t, guesses > 10 && guesses <= 35, fmt.Sprint("a device guesses 30 times, and once an hour: ", guesses))
	for _, free := range []string{other, ""} {
		_, err := w.signInFrom(t, free, adaEmail, adaPassword)
		assert.NoError(t, err)
	}
}

// Rule R9: what is not the owner's live device counts as a stranger.
func TestR9_OtherDevicesAreStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	own := w.device(t)
	bob, err := w.CreateUser(t.Context(), auth.NewUser{Email: "bob@example.com", Name: "Bob", EmailVerified: true})
	assert.NoError(t, err)
	bobs, err := w.RememberDevice(t.Context(), auth.Grant{UserID: bob.ID, SecurityVersion: 1}, "")
	assert.NoError(t, err)
	w.lock(t, adaEmail)
	forged, err := token.Generate(nil, token.KindDevice)
	assert.NoError(t, err)
	selector := strings.LastIndexByte(own, '_') + 1
	mixed := withChecksum(own[:selector+16] + forged.Secret().Reveal()[selector+16:len(own)-6])
	_, err = token.Parse(token.KindDevice, mixed)
	assert.NoError(t, err) // a token by its form
	for name, device := range map[string]string{
		"none": "", "bob's": bobs.Reveal(), "forged": forged.Secret().Reveal(), "cut": own[:len(own)-1], "own selector": mixed,
	} {
		_, err := w.signInFrom(t, device, adaEmail, adaPassword)
		if !errors.Is(err, auth.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.signInFrom(t, own, strings.ToUpper(adaEmail), adaPassword)
	assert.NoError(t, err)
	// The device dies with what protects the account, and of age.
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.store.RaiseVersion(ctx, user.ID)
		return err
	}))
	_, err = w.signInFrom(t, own, adaEmail, adaPassword)
	assert.ErrorIs(t, err, auth.ErrLocked)
}

// withChecksum appends the checksum that a token's text ends in.
func withChecksum(body string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum, tail := crc32.ChecksumIEEE([]byte(body)), [6]byte{}
	for i := len(tail) - 1; i >= 0; i-- {
		tail[i], sum = digits[sum%62], sum/62
	}
	return body + string(tail[:])
}

func TestR9_DevicesAreRenewedAndExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	grant := auth.Grant{UserID: user.ID, SecurityVersion: user.SecurityVersion}
	first := w.device(t)
	w.clock.Advance(29 * 24 * time.Hour)
	kept, err := w.RememberDevice(t.Context(), grant, first)
	assert.NoError(t, err)
	assert.Equal(t, kept.Reveal(), "") // the browser may keep it
	w.clock.Advance(24 * time.Hour)
	second, err := w.RememberDevice(t.Context(), grant, first)
	assert.NoError(t, err)
	assert.NotEqual(t, second.Reveal(), "")
	_, err = w.KnownDevice(t.Context(), first)
	assert.ErrorIs(t, err, auth.ErrDeviceNotFound)
	w.clock.Advance(180*24*time.Hour - time.Second)
	_, err = w.KnownDevice(t.Context(), second.Reveal())
	assert.NoError(t, err)
	w.clock.Advance(time.Second)
	_, err = w.KnownDevice(t.Context(), second.Reveal())
	assert.ErrorIs(t, err, auth.ErrDeviceNotFound)
	assert.NoError(t, w.Maintain(t.Context()))
	// Somebody else signs in with the browser: it is theirs from then on.
	bob, err := w.CreateUser(t.Context(), auth.NewUser{Email: "bob@example.com", Name: "Bob", EmailVerified: true})
	assert.NoError(t, err)
	adas := w.device(t)
	bobs, err := w.RememberDevice(t.Context(), auth.Grant{UserID: bob.ID, SecurityVersion: 1}, adas)
	assert.NoError(t, err)
	device, err := w.KnownDevice(t.Context(), bobs.Reveal())
	assert.NoError(t, err)
	assert.Equal(t, device.UserID, bob.ID)
	_, err = w.KnownDevice(t.Context(), adas)
	assert.NoError(t, err) // another user's device is not theirs to take
}

// CVE-2025-24806, CVE-2026-47203: one account, however it is spelled, is one
// counter. A sub-address is another account here, with its own.
func TestCVE202524806_SpellingsOfAnAddressAreOneCounter(t *testing.T) {
	t.Parallel()
	for name, spellings := range map[string][]string{
		"case":    {"ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com", " ada@example.com ", "\tada@Example.Com"},
		"unicode": {"ada@bücher.example", "ADA@BÜCHER.example", "ada@xn--bcher-kva.example", "ada@bu\u0308cher.example", "ada@ｂücher.example", "ada@bücher。example"},
		"sub":     {"ada+a@example.com", "Ada+A@example.com", "ADA+a@EXAMPLE.COM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i := range 50 {
				_, err := w.signInFrom(t, "", spellings[i%len(spellings)], "not this one")
				assert.Equal(t, errors.Is(err, auth.ErrTooManyAttempts), i >= 5)
			}
			assert.Equal(t, w.passwords.count(), 5)
		})
	}
	w := newWorld(t)
	for _, foreign := range []string{"аda@example.com", "ⓐda@example.com", "ada@example.com\x00", "ada@@example.com", "ıda@example.com"} {
		_, err := w.signInFrom(t, "", foreign, "not this one")
		assert.ErrorIs(t, err, auth.ErrInvalidEmail) // no second name for the account
	}
}

// unlockLink returns the secret of the newest mail that unlocks, "" for none.
func (w *world) unlockLinks(t *testing.T) []string {
	t.Helper()
	var secrets []string
	for _, m := range w.mailbox.Messages() {
		if m.Kind == auth.MailUnlock {
			assert.Len(t, m.Links, 1)
			_, secret, _ := strings.Cut(m.Links[0], "token=")
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

func TestR9_TheOwnerUnlocksByMail(t *testing.T) {
	t.Parallel()
	var unlocked []auth.UserUnlocked
	w := newWorld(t, func(c *auth.Config) {
		c.Hooks.UserUnlocked = func(_ context.Context, e auth.UserUnlocked) error { unlocked = append(unlocked, e); return nil }
	})
	user := w.ada(t)
	w.lock(t, adaEmail)
	for range 20 {
		_, _ = w.signIn(t, adaPassword)
	}
	assert.Len(t, w.unlockLinks(t), 1) // one in six hours
	w.clock.Advance(6 * time.Hour)
	_, _ = w.signIn(t, adaPassword)
	links := w.unlockLinks(t)
	assert.Len(t, links, 2)
	shown, err := w.Unlockable(t.Context(), links[0])
	assert.NoError(t, err)
	assert.Equal(t, shown.ID, user.ID)
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrLocked) // looking unlocks nothing
	_, err = w.UnlockByMail(t.Context(), links[0])
	assert.NoError(t, err)
	assert.Equal(t, unlocked, []auth.UserUnlocked{{UserID: user.ID, ActorID: user.ID}})
	for _, dead := range links {
		_, err = w.UnlockByMail(t.Context(), dead)
		assert.ErrorIs(t, err, token.ErrInvalid) // once, and its siblings never
	}
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
	assert.Equal(t, w.lock(t, adaEmail), auth.LockedAt) // counted anew
	assert.Len(t, w.sessions.passes, 1)                 // unlocking signs nobody in
}

// Rule R1: a link that was mailed before the account changed is dead.
func TestR1_AnUnlockLinkDiesWithTheSecurityVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	w.lock(t, adaEmail)
	link := w.unlockLinks(t)[0]
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.store.RaiseVersion(ctx, user.ID)
		return err
	}))
	_, err := w.UnlockByMail(t.Context(), link)
	assert.ErrorIs(t, err, token.ErrInvalid)
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrLocked)
}

func TestR9_AnAdministratorUnlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	w.lock(t, adaEmail)
	assert.NoError(t, w.Unlock(t.Context(), user.ID, "root"))
	_, err := w.signIn(t, adaPassword)
	assert.NoError(t, err)
	assert.NoError(t, w.Unlock(t.Context(), user.ID, "root")) // nothing to do
	assert.ErrorIs(t, w.Unlock(t.Context(), "nobody", "root"), auth.ErrUserNotFound)
}

// Row 17 of the advisories, CVE-2024-32868: ten thousand tries with the defaults
// check no more than the cap.
func TestCVE202432868_TenThousandTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	for i := range 10_000 {
		_, _ = w.signIn(t, fmt.Sprint("guess ", i))
		w.clock.Advance(time.Minute)
	}
	assert.True(t, w.passwords.count() <= auth.LockedAt, "the cap holds")
}

func TestAPaceThatCannotBeForgottenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, pace := range map[string]auth.Pace{
		"no cap": {Free: 5}, "a cap that looks like a lock": {Free: 5, Cap: auth.LockedAt, Decay: time.Hour},
		"a latch before the lock": {Cap: 20, Latch: true}, "a latch with a window": {Cap: auth.LockedAt, Latch: true, Window: time.Hour},
		"a long window": {Cap: 5, Window: 15 * 24 * time.Hour}, "a slow decay": {Cap: 50, Decay: 24 * time.Hour},
	} {
		if _, err := w.Charge(t.Context(), "factor", adaEmail, pace); err == nil {
			t.Errorf("%s: charged", name)
		}
	}
}
