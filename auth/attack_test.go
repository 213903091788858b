package auth_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
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
