package passwordless_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestACodeLetsInOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	_, err := w.signIn(t, wrong(p))
	assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	assert.Equal(t, w.failed, []auth.SignInFailed{{UserID: user.ID, Factor: "mailbox", Client: client()}})
	p.Code = " " + p.Code + "\n"
	result, err := w.signIn(t, p)
	assert.NoError(t, err)
	assert.Equal(t, []any{result.User.ID, result.New}, []any{user.ID, false})
	assert.Equal(t, w.sessions.started[0].Channels, []string{auth.ChannelMailbox})
	for _, again := range []passwordless.CodeParams{p, {Email: p.Email, Code: p.Code[1:7], Flow: p.Flow}} {
		_, err = w.signIn(t, again)
		assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	}
	assert.Len(t, w.sessions.started, 1)
}

func TestACodeMakesANewUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	p := w.code(t, bobEmail, passwordless.PurposeSignIn)
	for want, in := range map[error]passwordless.SignInParams{
		auth.ErrInvalidName:  {CodeParams: p, Name: "\u202e"},
		auth.ErrInvalidImage: {CodeParams: p, Image: "javascript:alert(1)"},
	} {
		_, err := w.SignIn(t.Context(), in)
		assert.ErrorIs(t, err, want)
	}
	w.veto = errors.New("not today")
	_, err := w.signIn(t, p)
	assert.ErrorIs(t, err, w.veto)
	w.veto = nil
	result, err := w.SignIn(t.Context(), passwordless.SignInParams{CodeParams: p, Name: "Bob", Image: "https://example.com/b.png"})
	assert.NoError(t, err)
	got := result.User
	assert.Equal(t, []any{result.New, got.Name, got.Image, got.Email, got.EmailVerified}, []any{true, "Bob", "https://example.com/b.png", bobEmail, true})
}

// Every way in which a code does not work is one answer.
func TestACodeWorksInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	w.user(t, bobEmail, true)
	p, elsewhere := w.code(t, adaEmail, passwordless.PurposeSignIn), w.code(t, bobEmail, passwordless.PurposeSignIn)
	for name, change := range map[string]func(p *passwordless.CodeParams){
		"no flow":         func(p *passwordless.CodeParams) { p.Flow = "" },
		"nonsense":        func(p *passwordless.CodeParams) { p.Flow = "tnn_flw_x" },
		"another flow":    func(p *passwordless.CodeParams) { p.Flow = elsewhere.Flow },
		"another address": func(p *passwordless.CodeParams) { p.Email = bobEmail },
		"no code":         func(p *passwordless.CodeParams) { p.Code = "" },
		"letters":         func(p *passwordless.CodeParams) { p.Code = "12345a" },
		"too long":        func(p *passwordless.CodeParams) { p.Code += "0" },
		"other digits":    func(p *passwordless.CodeParams) { p.Code = "１２３４５６" },
	} {
		changed := p
		change(&changed)
		if _, err := w.signIn(t, changed); !errors.Is(err, passwordless.ErrInvalidCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.VerifyEmail(t.Context(), passwordless.VerifyEmailParams{CodeParams: p})
	assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	assert.ErrorIs(t, w.ResetPassword(t.Context(), p, newPassword), passwordless.ErrInvalidCode) // it is off
	assert.Len(t, w.failed, 0)                                                                   // none of it asked anything of a code
	changed := p
	changed.Email = "nonsense"
	_, err = w.signIn(t, changed)
	assert.ErrorIs(t, err, auth.ErrInvalidEmail)
	_, err = w.signIn(t, p)
	assert.NoError(t, err)
}

// Rule R10: five tries a code, ten a day for the address, whatever the codes are
// for; the eleventh says when the next is welcome.
func TestR10_TriesOfACodeAndOfAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	w.user(t, adaEmail, true)
	first := w.now
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	for range 5 {
		assert.ErrorIs(t, w.Check(t.Context(), passwordless.PurposeSignIn, wrong(p)), passwordless.ErrInvalidCode)
	}
	_, err := w.signIn(t, p) // right, and too late
	assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	reset, verify := w.code(t, adaEmail, passwordless.PurposeReset), w.code(t, adaEmail, passwordless.PurposeVerifyEmail)
	for range 2 {
		assert.ErrorIs(t, w.ResetPassword(t.Context(), wrong(reset), newPassword), passwordless.ErrInvalidCode)
		_, err := w.VerifyEmail(t.Context(), passwordless.VerifyEmailParams{CodeParams: wrong(verify)})
		assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	}
	again := w.code(t, adaEmail, passwordless.PurposeSignIn)
	_, err = w.signIn(t, again)
	assert.ErrorIs(t, err, passwordless.ErrTooManyCodes)
	refused := assert.ErrorAs[*problem.Error](t, err)
	assert.True(t, refused.RetryAfter > 23*time.Hour && refused.RetryAfter <= 24*time.Hour, refused.RetryAfter.String())
	assert.ErrorIs(t, w.ResetPassword(t.Context(), reset, newPassword), passwordless.ErrTooManyCodes)
	w.now = first.Add(24*time.Hour + 2*time.Minute)
	_, err = w.signIn(t, w.code(t, adaEmail, passwordless.PurposeSignIn))
	assert.NoError(t, err)
}

// A right code costs the address nothing, however often it is used.
func TestR8_RightCodesAreGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	user := w.user(t, adaEmail, true)
	for round := range 12 {
		w.now = w.now.Add(90 * time.Minute)
		p := w.code(t, adaEmail, passwordless.PurposeSignIn)
		assert.NoError(t, w.Check(t.Context(), passwordless.PurposeSignIn, p))
		_, err := w.signIn(t, p)
		assert.NoError(t, err)
		user = assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
		if round < 4 {
			assert.NoError(t, w.CheckStepUpCode(t.Context(), user.ID, w.owner(user).SessionID, w.ownersCode(t, user)))
			_, err = w.VerifyEmail(t.Context(), passwordless.VerifyEmailParams{CodeParams: w.code(t, adaEmail, passwordless.PurposeVerifyEmail)})
			assert.NoError(t, err)
		}
	}
}

func TestCheckIsAGuessAndLeavesTheCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	for range 4 {
		assert.NoError(t, w.Check(t.Context(), passwordless.PurposeSignIn, p))
	}
	for _, purpose := range []passwordless.Purpose{passwordless.PurposeReset, passwordless.PurposeStepUp, passwordless.PurposeNewEmail, "x"} {
		assert.ErrorIs(t, w.Check(t.Context(), purpose, p), passwordless.ErrPurpose)
	}
	_, err := w.signIn(t, p)
	assert.NoError(t, err)
	assert.ErrorIs(t, w.Check(t.Context(), passwordless.PurposeSignIn, p), passwordless.ErrInvalidCode)
}

// Asking again for the same ends the earlier code, if a mail goes; over the budget
// it stays. Codes for other things and of other flows stay as well.
func TestAskingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	first := w.code(t, adaEmail, passwordless.PurposeSignIn)
	other := w.code(t, adaEmail, passwordless.PurposeSignIn)
	ask := passwordless.SendCodeParams{Email: adaEmail, Purpose: passwordless.PurposeSignIn, Flow: first.Flow}
	mails := len(w.mailbox.Messages())
	flow := assert.Must(w.SendCode(t.Context(), ask))(t)
	assert.Equal(t, flow.Reveal(), first.Flow)
	assert.Len(t, w.mailbox.Messages(), mails) // over the budget
	assert.NoError(t, w.Check(t.Context(), passwordless.PurposeSignIn, first))
	w.later()
	_, err := w.SendCode(t.Context(), ask)
	assert.NoError(t, err)
	renewed := first
	renewed.Code = w.mailed(t, adaEmail)
	if renewed.Code != first.Code {
		assert.ErrorIs(t, w.Check(t.Context(), passwordless.PurposeSignIn, first), passwordless.ErrInvalidCode)
	}
	for _, p := range []passwordless.CodeParams{renewed, other} {
		_, err := w.signIn(t, p)
		assert.NoError(t, err)
	}
}

func TestR1_CodesOfAnotherTime(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, w *world, user auth.User){
		"the account changed": func(t *testing.T, w *world, user auth.User) { w.change(t, user) },
		"ten minutes passed":  func(_ *testing.T, w *world, _ auth.User) { w.now = w.now.Add(passwordless.Life) },
		"the flow is forgotten": func(_ *testing.T, w *world, _ auth.User) {
			w.now = w.now.Add(2 * time.Hour)
		},
		"the user is gone": func(t *testing.T, w *world, user auth.User) {
			assert.NoError(t, w.auth.DeleteUser(t.Context(), auth.Deletion{UserID: user.ID}))
		},
		"what was mailed is forgotten": func(t *testing.T, w *world, user auth.User) { assert.NoError(t, w.Forget(t.Context(), user)) },
		"the user is banned": func(t *testing.T, w *world, user auth.User) {
			assert.NoError(t, w.store.Ban(t.Context(), user.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, passwordless.Policy{ResetByCode: true})
			user := w.user(t, adaEmail, true)
			in, reset, verify := w.code(t, adaEmail, passwordless.PurposeSignIn), w.code(t, adaEmail, passwordless.PurposeReset), w.code(t, adaEmail, passwordless.PurposeVerifyEmail)
			meanwhile(t, w, user)
			_, err := w.signIn(t, in)
			assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
			assert.Len(t, w.sessions.started, 0)
			if name == "the user is banned" {
				return // who may have a new password, and still not come in
			}
			assert.ErrorIs(t, w.ResetPassword(t.Context(), reset, newPassword), passwordless.ErrInvalidCode)
			_, err = w.VerifyEmail(t.Context(), passwordless.VerifyEmailParams{CodeParams: verify})
			assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
		})
	}
}

func TestR5_ACodeProvesASignUpInItsBrowserOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	signedUp, err := w.auth.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail, Password: oldPassword})
	assert.NoError(t, err)
	p := passwordless.VerifyEmailParams{CodeParams: w.code(t, adaEmail, passwordless.PurposeVerifyEmail)}
	for _, browser := range []string{"", "x"} {
		p.Browser = browser
		_, err = w.VerifyEmail(t.Context(), p)
		assert.ErrorIs(t, err, auth.ErrSignUpProofRequired)
	}
	p.Browser = signedUp.Browser.Reveal()
	user, err := w.VerifyEmail(t.Context(), p)
	assert.NoError(t, err)
	assert.True(t, user.EmailVerified, "the address is proven")
	assert.Len(t, w.sessions.started, 0)
	_, err = w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: oldPassword})
	assert.NoError(t, err)
	_, err = w.VerifyEmail(t.Context(), p)
	assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
}

func TestR4_ACodeTakesAwayWhatAnUnprovenUserHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	for i, prove := range []func(to string) (auth.User, error){
		func(to string) (auth.User, error) {
			result, err := w.signIn(t, w.code(t, to, passwordless.PurposeSignIn))
			return result.User, err
		},
		func(to string) (auth.User, error) {
			return w.VerifyEmail(t.Context(), passwordless.VerifyEmailParams{CodeParams: w.code(t, to, passwordless.PurposeVerifyEmail)})
		},
	} {
		to := []string{"one@example.com", "two@example.com"}[i]
		before := w.user(t, to, false)
		user, err := prove(to)
		assert.NoError(t, err)
		assert.Equal(t, []any{user.ID, user.EmailVerified}, []any{before.ID, true})
		assert.Len(t, assert.Must(w.store.Password(t.Context(), user.ID))(t), 0)
		assert.Equal(t, w.sessions.ended[i], user.ID+" but ")
	}
}

func TestResetByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	user := w.user(t, adaEmail, true)
	p := w.code(t, adaEmail, passwordless.PurposeReset)
	assert.ErrorIs(t, w.ResetPassword(t.Context(), p, "short"), password.ErrTooShort)
	assert.ErrorIs(t, w.ResetPassword(t.Context(), wrong(p), newPassword), passwordless.ErrInvalidCode)
	assert.NoError(t, w.ResetPassword(t.Context(), p, newPassword))
	assert.ErrorIs(t, w.ResetPassword(t.Context(), p, oldPassword), passwordless.ErrInvalidCode)
	assert.Equal(t, w.sessions.ended, []string{user.ID + " but "})
	assert.Len(t, w.sessions.started, 0)
	_, err := w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: newPassword})
	assert.NoError(t, err)
	assert.Equal(t, len(w.mailbox.Messages()), 2) // the code, and the notice
}

// Rule R8: what guesses refuses to run where its charge could be taken back.
func TestR8_GuessesJoinNoTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	user := w.user(t, adaEmail, true)
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	o := w.owner(user)
	for name, call := range map[string]func(ctx context.Context) error{
		"sign in": func(ctx context.Context) error {
			_, err := w.SignIn(ctx, passwordless.SignInParams{CodeParams: p})
			return err
		},
		"check": func(ctx context.Context) error { return w.Check(ctx, passwordless.PurposeSignIn, p) },
		"verify": func(ctx context.Context) error {
			_, err := w.VerifyEmail(ctx, passwordless.VerifyEmailParams{CodeParams: p})
			return err
		},
		"reset":   func(ctx context.Context) error { return w.ResetPassword(ctx, p, newPassword) },
		"step up": func(ctx context.Context) error { return w.CheckStepUpCode(ctx, user.ID, o.SessionID, p.Code) },
		"request email": func(ctx context.Context) error {
			return w.RequestEmail(ctx, passwordless.RequestEmailParams{Owner: o, NewEmail: bobEmail, Code: p.Code, Flow: p.Flow})
		},
		"change email": func(ctx context.Context) error { return w.ChangeEmail(ctx, o, bobEmail, p.Code, nil) },
	} {
		err := w.store.InTx(t.Context(), call)
		if !errors.Is(err, auth.ErrInTransaction) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Len(t, w.failed, 0)
}

func TestR10_OfManyWhoUseOneCodeOneComesIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	var group sync.WaitGroup
	results := make(chan error, 64)
	for range cap(results) {
		group.Go(func() { _, err := w.signIn(t, p); results <- err })
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, passwordless.ErrInvalidCode) && !errors.Is(err, passwordless.ErrTooManyCodes) {
			t.Errorf("a loser got %v", err)
		}
	}
	assert.Equal(t, won, 1)
	assert.Len(t, w.sessions.started, 1)
}

// Rule R7: whoever the address belongs to, there is a row to guess at and the same
// answer.
func TestR7_GuessesAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{NoSignUp: true})
	w.user(t, adaEmail, true)
	banned := w.user(t, "cc@example.com", true)
	assert.NoError(t, w.store.Ban(t.Context(), banned.ID))
	for _, to := range []string{adaEmail, "nobody@example.com", "cc@example.com"} {
		flow := assert.Must(w.SendCode(t.Context(), passwordless.SendCodeParams{Email: to, Purpose: passwordless.PurposeSignIn}))(t)
		// A code that nobody was mailed: one chance in a million.
		p := passwordless.CodeParams{Email: to, Code: "000000", Flow: flow.Reveal()}
		if message, ok := w.mailbox.Last(to); ok && message.Code == p.Code {
			p.Code = "000001"
		}
		before := len(w.failed)
		for i := range 12 {
			_, err := w.signIn(t, p)
			want := error(passwordless.ErrInvalidCode)
			if i >= 10 {
				want = passwordless.ErrTooManyCodes
			}
			assert.ErrorIs(t, err, want)
		}
		assert.Len(t, w.failed, before+10)
	}
}

func TestMaintainForgetsFlowsByTheHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	pruned := func(after time.Duration) int {
		w.now = w.now.Add(after)
		assert.NoError(t, w.Maintain(t.Context()))
		return *w.store.pruned
	}
	assert.Equal(t, pruned(time.Hour), 0)
	_, err := w.SendCode(t.Context(), passwordless.SendCodeParams{Email: adaEmail, Purpose: passwordless.PurposeSignIn, Flow: p.Flow})
	assert.NoError(t, err) // it is remembered from then on
	assert.Equal(t, pruned(time.Hour), 0)
	assert.Equal(t, pruned(time.Second), 1)
}
