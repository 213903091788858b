package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// A name of what cannot be seen is none.
func TestNamesCanBeSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"\u200b", "\u200d\u200d", "\ufeff", "\u2060 \u00ad", "\U000e0041", "\u0301"} {
		_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: name, Email: adaEmail, Password: adaPassword})
		if err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	for i, name := range []string{"X Æ A-12", "مریم\u200cالسادات", "👩\u200d🚀", "李"} {
		_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: name, Email: fmt.Sprintf("a%d@example.com", i), Password: adaPassword})
		assert.NoError(t, err)
	}
}

// busyHasher has no slot free, until it has.
type busyHasher struct {
	*passwordtest.Hasher
	busy bool
}

func (h *busyHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	if h.busy {
		return false, false, password.ErrOverloaded
	}
	return h.Hasher.Verify(ctx, hash, prepared)
}

// Who keeps the slots busy must not lock the owner out, too.
func TestR8_AGuessThatNobodyCheckedIsGivenBack(t *testing.T) {
	t.Parallel()
	hasher := &busyHasher{Hasher: passwordtest.New(t)}
	w := newWorld(t, func(c *auth.Config) { c.Passwords = hasher })
	w.signUp(t)
	link := w.link(t)
	hasher.busy = true
	for range 20 {
		_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Password: adaPassword})
		assert.ErrorIs(t, err, password.ErrOverloaded)
	}
	hasher.busy = false
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Password: adaPassword})
	assert.NoError(t, err)
	hasher.busy = true
	for range 20 {
		_, err := w.signIn(t, adaPassword)
		assert.ErrorIs(t, err, password.ErrOverloaded)
		assert.Equal(t, problem.KindOf(err), problem.Unavailable)
	}
	hasher.busy = false
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

// The refusal comes before anything is read (rule R8): an outage does not show.
func TestR8_RefusesATransactionBeforeAnyIO(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t)
	link := w.link(t)
	err := w.store.InTx(t.Context(), func(ctx context.Context) error {
		w.tokens.Fail(problem.ErrUnavailable)
		w.store.Fail(problem.ErrUnavailable)
		defer w.tokens.Fail(nil)
		defer w.store.Fail(nil)
		_, err := w.ProvePassword(ctx, auth.SignInParams{Email: adaEmail, Password: adaPassword})
		assert.ErrorIs(t, err, auth.ErrInTransaction)
		_, err = w.VerifyEmail(ctx, auth.VerifyEmailParams{Token: link, Password: adaPassword})
		assert.ErrorIs(t, err, auth.ErrInTransaction)
		return nil
	})
	assert.NoError(t, err)
}

// An address that a host imported may not be one by today's rules. Its owner's
// answers must be those of everybody (rule R7).
func TestR7_AnImportedUserIsNotToldByAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	imported := auth.User{ID: "imported", Email: adaKey, Display: "Ada Lovelace <ada>", EmailVerified: true, CreatedAt: now, UpdatedAt: now}
	assert.NoError(t, w.store.CreateUser(t.Context(), imported, nil))
	w.signUp(t)
	assert.Equal(t, w.mailbox.Messages()[0].To, adaKey)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.NoError(t, w.ResendVerification(t.Context(), auth.ResendParams{Email: adaEmail}))
}

// Rule R4: a sign-up waits for a day.
func TestR4_ASignUpWaitsForADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	proof := auth.VerifyEmailParams{Token: w.link(t), Browser: result.Browser.Reveal()}
	w.clock.Advance(24 * time.Hour)
	_, err := w.VerifyEmail(t.Context(), proof)
	assert.ErrorIs(t, err, token.ErrInvalid)
	w.signUp(t)
	w.clock.Advance(24*time.Hour - time.Second)
	_, err = w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), NewPassword: adaPassword})
	assert.NoError(t, err)
}

// Rule R4: a sign-in before the proof mails the link again, within the budget.
func TestR4_SignInRemindsOfTheSignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Len(t, w.mailbox.Messages(), 1) // one a minute
	w.clock.Advance(time.Minute)
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Len(t, w.mailbox.Messages(), 2)
	_, err = w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), Browser: result.Browser.Reveal()})
	assert.NoError(t, err)
}

// Rule R5: who signs up twice in one browser may open either link there.
func TestR5_OneBrowserMaySignUpTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.signUp(t)
	link := w.link(t)
	second, err := w.SignUp(t.Context(), auth.SignUpParams{
		Name: "Ada", Email: adaEmail, Password: "another horse", Browser: first.Browser.Reveal(),
	})
	assert.NoError(t, err)
	_, err = w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: second.Browser.Reveal()})
	assert.NoError(t, err)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

// Rule R5: a browser that signed up itself, for another address or for this one,
// is another browser than the stranger's.
func TestR5_AnotherBrowsersTokenIsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.strangerSignsUp(t)
	link := w.link(t)
	owner := w.signUp(t)
	for _, browser := range []string{owner.Browser.Reveal(), "", link} {
		_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: browser})
		assert.ErrorIs(t, err, auth.ErrSignUpProofRequired)
	}
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: owner.Browser.Reveal(), NewPassword: adaPassword})
	assert.NoError(t, err)
	_, err = w.signIn(t, "typed by a stranger")
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
}

// Rule R6: one network may cause sixty mails an hour, whomever they go to; a
// neighbour in the same /64 is the same network.
func TestR6_ANetworkHasABudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signUp := func(i int, ip string) {
		t.Helper()
		_, err := w.SignUp(t.Context(), auth.SignUpParams{
			Name: "A", Email: fmt.Sprintf("a%d@example.com", i), Password: adaPassword, Client: auth.Client{IP: netip.MustParseAddr(ip)},
		})
		assert.NoError(t, err)
	}
	for i := range 70 {
		signUp(i, fmt.Sprintf("2001:db8::%x", i))
	}
	assert.Len(t, w.mailbox.Messages(), 60)
	signUp(70, "2001:db8:0:1::1")
	signUp(71, "192.0.2.1")
	assert.Len(t, w.mailbox.Messages(), 62)
	w.clock.Advance(time.Hour)
	signUp(72, "2001:db8::1")
	assert.Len(t, w.mailbox.Messages(), 63)
}

// Rule R6: the owner hears of strangers who sign up once a day at most.
func TestR6_OneNoteADayAboutStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	before := len(w.mailbox.Messages())
	for range 24 {
		w.clock.Advance(time.Hour)
		w.strangerSignsUp(t)
	}
	assert.Len(t, w.mailbox.Messages(), before+1)
	w.clock.Advance(time.Hour)
	w.strangerSignsUp(t)
	assert.Len(t, w.mailbox.Messages(), before+2)
}

func (w *world) strangerSignsUp(t *testing.T) {
	t.Helper()
	_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Somebody", Email: adaEmail, Password: "typed by a stranger"})
	assert.NoError(t, err)
}

// Rule R8: the pace of passwords is NIST's hundred, with waits up to 15 minutes.
// Whoever guesses as fast as allowed gets no more than that, however long.
func TestR8_ThePaceOfPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	for end := w.clock.Now().Add(4 * 24 * time.Hour); w.clock.Now().Before(end); {
		_, err := w.signIn(t, "not this one")
		refused, ok := errors.AsType[*problem.Error](err)
		assert.True(t, ok, "a refusal")
		locked := errors.Is(err, auth.ErrLocked)
		assert.True(t, locked || refused.RetryAfter <= 15*time.Minute, "the wait is 15 minutes at most")
		assert.True(t, !locked || w.passwords.count() == auth.LockedAt, "locked at the cap and not before")
		w.clock.Advance(refused.RetryAfter)
	}
	assert.Equal(t, w.passwords.count(), auth.LockedAt)
}

// credulous takes every password for the right one.
type credulous struct{ *passwordtest.Hasher }

func (credulous) Verify(context.Context, string, string) (match, rehash bool, err error) {
	return true, true, nil
}

// Even a password that matches the decoy opens nothing (rule R7), and renews
// nothing.
func TestR7_TheDecoyIsNobodysPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Passwords = credulous{passwordtest.New(t)} })
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	now := w.clock.Now()
	assert.NoError(t, w.store.CreateUser(t.Context(), auth.User{ID: "a", Email: adaKey, Display: adaEmail, CreatedAt: now, UpdatedAt: now}, nil))
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials) // a user without a password
	assert.Len(t, w.sessions.passes, 0)
}

// A success gives its own unit back and forgives nobody else's (rule R9).
func TestR8_TheOwnersSuccessForgivesNoStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	for range 4 {
		_, err := w.signIn(t, "not this one")
		assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
	for range 3 {
		_, err := w.signIn(t, adaPassword)
		assert.NoError(t, err)
	}
	_, err := w.signIn(t, "not this one")
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrTooManyAttempts)
}

// Rule R6: over the budget no mail goes and earlier links stay valid. Five
// sign-ups that mail nothing must not push out the one whose link was mailed.
func TestR6_StrangersOverTheBudgetDoNotKillAMailedLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	link := w.link(t)
	for range 7 {
		w.strangerSignsUp(t)
	}
	assert.Len(t, w.mailbox.Messages(), 1)
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: result.Browser.Reveal()})
	assert.NoError(t, err)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

// The five newest links that were mailed work, whatever strangers do in between.
func TestR6_WhoeverHasTheNewestMailGetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.clock.Advance(2 * time.Minute)
		for range 9 {
			w.strangerSignsUp(t)
		}
	}
	assert.Len(t, w.mailbox.Messages(), 3)
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), NewPassword: adaPassword, Name: "Ada"})
	assert.NoError(t, err)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}
