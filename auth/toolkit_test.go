package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail"
)

func TestR1_SecureRaisesTheVersionBeforeTheChangeAndEndsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	var seen int64
	change := auth.Change{UserID: user.ID, From: 1, KeepSession: "kept"}
	assert.NoError(t, w.Secure(t.Context(), change, func(_ context.Context, u auth.User) error {
		seen = u.SecurityVersion
		return nil
	}))
	assert.Equal(t, seen, 2)
	assert.Equal(t, w.sessions.ended, []string{user.ID + ` but "kept" at 2`})
	assert.ErrorIs(t, w.Secure(t.Context(), change, func(context.Context, auth.User) error {
		t.Error("a stale change was applied")
		return nil
	}), auth.ErrStale)
	veto := errors.New("veto")
	assert.ErrorIs(t, w.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return veto }), veto)
	got, err := w.store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.SecurityVersion, 2) // what failed left no trace
	assert.Len(t, w.sessions.ended, 1)
}

func TestR8_CheckPasswordIsChargedApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	for range 5 {
		assert.ErrorIs(t, w.CheckPassword(t.Context(), user.ID, "wrong guess"), auth.ErrInvalidPassword)
	}
	assert.ErrorIs(t, w.CheckPassword(t.Context(), user.ID, adaPassword), auth.ErrTooManyAttempts)
	_, _, err := w.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword, Client: client()})
	assert.NoError(t, err) // the sign-in has a counter of its own
	w.clock.Advance(time.Hour)
	for range 20 { // right ones cost nothing
		assert.NoError(t, w.CheckPassword(t.Context(), user.ID, adaPassword))
	}
	assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		return w.CheckPassword(ctx, user.ID, adaPassword)
	}), auth.ErrInTransaction)
}

func TestAttemptNeedsAProofOfToday(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	proven := door.Proven{UserID: user.ID, SecurityVersion: 1, Channel: "mailbox", At: w.clock.Now()}
	attempt, err := w.Attempt(t.Context(), door.NewProof(proven), auth.AttemptParams{Client: client()})
	assert.NoError(t, err)
	assert.Equal(t, attempt.User().ID, user.ID)
	_, err = w.Complete(t.Context(), attempt)
	assert.NoError(t, err)
	assert.Equal(t, w.sessions.passes[0].Channels, []string{"mailbox"})
	stale := proven
	stale.SecurityVersion = 0
	stranger := proven
	stranger.UserID = "nobody"
	for _, proof := range []door.Proof{{}, door.NewProof(stale), door.NewProof(stranger)} {
		_, err := w.Attempt(t.Context(), proof, auth.AttemptParams{})
		assert.ErrorIs(t, err, auth.ErrNotAdmitted)
	}
}

func TestR6_PostUndoesWhatNoMailGoesFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, err := auth.ParseAddress(adaEmail)
	assert.NoError(t, err)
	letter := auth.Letter{To: to, Kind: auth.MailVerifyEmail, Every: time.Minute, Client: client()}
	written := 0
	post := func(l auth.Letter) bool {
		t.Helper()
		sent, err := w.Post(t.Context(), l, func(context.Context) (mail.Data, error) {
			written++
			return mail.Data{Email: to.Display}, nil
		})
		assert.NoError(t, err)
		return sent
	}
	silent := letter
	silent.Silent = true
	assert.Equal(t, []bool{post(silent), post(letter), post(letter)}, []bool{false, true, false})
	assert.Equal(t, written, 3) // the work is the same
	assert.Len(t, w.mailbox.Messages(), 1)
}

func TestCreateProvenEndsTheSignUpsOfTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Mallory", Email: adaEmail, Password: "a stranger's choice"})
	assert.NoError(t, err)
	ada := auth.NewUser{Email: adaEmail, Client: client()}
	_, err = w.CreateProven(t.Context(), ada, auth.ProofMail)
	assert.ErrorIs(t, err, auth.ErrNoTransaction)
	var user auth.User
	create := func(ctx context.Context) (err error) {
		user, err = w.CreateProven(ctx, ada, auth.ProofMail)
		return err
	}
	assert.NoError(t, w.store.InTx(t.Context(), create))
	assert.Equal(t, user.Name, "Ada")
	assert.ErrorIs(t, w.store.InTx(t.Context(), create), auth.ErrAddressTaken)
	_, err = w.store.NewestSignUp(t.Context(), adaKey, w.clock.Now())
	assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
}

func TestR4_WhoExistsUnprovenSignsInOnlyAfterAProofThatTakesTheRestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hash, err := w.passwords.Hash(t.Context(), "known to another")
	assert.NoError(t, err)
	made, err := w.CreateUser(t.Context(), auth.NewUser{Email: adaEmail, Name: "Ada L", PasswordHash: hash})
	assert.NoError(t, err)
	_, err = w.CreateUser(t.Context(), auth.NewUser{Email: adaEmail, Name: "Ada L"})
	assert.ErrorIs(t, err, auth.ErrAddressTaken)
	_, err = w.signIn(t, "known to another")
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	user := w.ada(t) // signs up and opens the link
	assert.Equal(t, user.ID, made.ID)
	assert.True(t, user.EmailVerified, "the mailbox is proven")
	_, err = w.signIn(t, "known to another")
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
	assert.Len(t, w.sessions.ended, 1)
	assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.ProveUser(ctx, auth.Proving{UserID: user.ID, Proof: auth.ProofMail, Client: client()})
		return err
	}), auth.ErrAddressTaken)
}

func TestAnImportedUserSignsInAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hash, err := w.passwords.Hash(t.Context(), adaPassword)
	assert.NoError(t, err)
	born := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	user, err := w.CreateUser(t.Context(), auth.NewUser{
		Email: adaEmail, Name: "Ada", EmailVerified: true, PasswordHash: hash, CreatedAt: born,
	})
	assert.NoError(t, err)
	assert.Equal(t, user.CreatedAt, born)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

func TestPromise1_AUserIsMadeWithWhatFollowsOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := errors.New("the host says no")
	n := auth.NewUser{
		Email: adaEmail, Name: "Ada", EmailVerified: true, Password: adaPassword,
		Then: func(context.Context, auth.User) error { return refused },
	}
	_, err := w.CreateUser(t.Context(), n)
	assert.ErrorIs(t, err, refused)
	n.Then = func(ctx context.Context, user auth.User) error {
		_, err := w.store.UserByID(ctx, user.ID)
		return err
	}
	user, err := w.CreateUser(t.Context(), n)
	assert.NoError(t, err)
	assert.NoError(t, w.CheckPassword(t.Context(), user.ID, adaPassword))
	n.PasswordHash = "$2b$04$abcdefghijklmnopqrstuuLFVBrXPDB5hGQEWkWGpZ2lBr2LkKe2u"
	_, err = w.CreateUser(t.Context(), n)
	assert.ErrorIs(t, err, auth.ErrTwoPasswords)
}
