package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestSignUpProveSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.ada(t)
	assert.Equal(t, user.Email, adaKey)
	assert.Equal(t, user.Display, adaEmail)
	assert.True(t, user.EmailVerified, "the address is proven")
	got, err := w.signIn(t, adaPassword)
	assert.NoError(t, err)
	assert.Equal(t, got.ID, user.ID)
	assert.Len(t, w.sessions.passes, 1)
	facts := w.sessions.passes[0]
	assert.Equal(t, facts.UserID, user.ID)
	assert.Equal(t, facts.Channels, []string{auth.ChannelPassword})
	assert.Equal(t, facts.SecurityVersion, 1)
}

func TestNewNamesEveryMissingField(t *testing.T) {
	t.Parallel()
	_, err := auth.New(nil, auth.Config{})
	for _, field := range []string{"store", "Keys", "Sessions", "Tokens", "Outbox", "LinkBase", "Now"} {
		assert.Contains(t, fmt.Sprint(err), field)
	}
}

func TestR4_UnprovenSignUpDoesNotSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Len(t, w.sessions.passes, 0)
}

func TestR4_KnownAddressGetsTheSameAnswerAndNoSecondUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ada(t)
	w.mailbox.Clear()
	again := w.signUp(t)
	assert.NotEqual(t, again.User.ID, first.ID)
	assert.False(t, again.User.EmailVerified, "the answer is that of a new address")
	messages := w.mailbox.Messages()
	assert.Len(t, messages, 1)
	assert.Equal(t, messages[0].To, adaEmail[:4]+"example.com")
	assert.Len(t, messages[0].Links, 0)
	w.signUp(t)
	assert.Len(t, w.mailbox.Messages(), 1) // once a day
	_, err := w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

func TestR4_ProofDropsTheOtherSignUpsOfTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.signUp(t)
	firstLink := w.link(t)
	w.clock.Advance(2 * time.Minute)
	second := w.signUp(t)
	secondLink := w.link(t)
	assert.NotEqual(t, firstLink, secondLink)
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: firstLink, Browser: first.Browser.Reveal()})
	assert.NoError(t, err)
	for _, link := range []string{firstLink, secondLink} {
		_, err = w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: second.Browser.Reveal()})
		assert.ErrorIs(t, err, token.ErrInvalid)
	}
}

func TestR4_ConcurrentProofsMakeOneUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	link := w.link(t)
	var mu sync.Mutex
	var group sync.WaitGroup
	made := map[string]int{}
	for range 16 {
		group.Go(func() {
			user, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: result.Browser.Reveal()})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made[user.ID]++
				return
			}
			if !errors.Is(err, token.ErrInvalid) {
				t.Errorf("a loser got %v", err)
			}
		})
	}
	group.Wait()
	assert.Equal(t, made, map[string]int{result.User.ID: 1})
}

func TestR5_AnotherBrowserNeedsProof(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params  auth.VerifyEmailParams
		err     error
		signsIn string // the password that works afterwards
	}{
		"nothing":             {auth.VerifyEmailParams{}, auth.ErrSignUpProofRequired, ""},
		"a stranger's cookie": {auth.VerifyEmailParams{Browser: "tnn_brw_x"}, auth.ErrSignUpProofRequired, ""},
		"wrong password":      {auth.VerifyEmailParams{Password: "not this one"}, auth.ErrWrongSignUpPassword, ""},
		"sign-up password":    {auth.VerifyEmailParams{Password: adaPassword}, nil, adaPassword},
		"new password":        {auth.VerifyEmailParams{NewPassword: "another horse"}, nil, "another horse"},
		"short new password":  {auth.VerifyEmailParams{NewPassword: "short"}, password.ErrTooShort, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.signUp(t)
			c.params.Token = w.link(t)
			_, err := w.VerifyEmail(t.Context(), c.params)
			if c.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, c.err)
			}
			for _, typed := range []string{adaPassword, "another horse"} {
				_, err := w.signIn(t, typed)
				if (err == nil) != (typed == c.signsIn) {
					t.Errorf("signing in with %q: %v", typed, err)
				}
			}
		})
	}
}

func TestR5_NewPasswordDropsWhatTheStrangerTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.SignUp(t.Context(), auth.SignUpParams{
		Name: "Pay at evil.example", Email: adaEmail, Password: adaPassword, Image: "https://evil.example/x.png",
	})
	assert.NoError(t, err)
	user, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), NewPassword: "another horse"})
	assert.NoError(t, err)
	assert.Equal(t, user.Name, "Ada")
	assert.Equal(t, user.Image, "")
}

func TestR5_FiveTriesAtTheSignUpPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	link := w.link(t)
	for i := range 8 {
		_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Password: "not this one"})
		want := auth.ErrWrongSignUpPassword
		if i >= 5 {
			want = auth.ErrTooManyAttempts
		}
		assert.ErrorIs(t, err, want)
	}
	assert.Equal(t, w.passwords.count(), 5)
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: result.Browser.Reveal()})
	assert.NoError(t, err) // the owner's browser is not locked out
}

func TestR6_MailBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent := func() int { return len(w.mailbox.Messages()) }
	resend := func(email string) {
		t.Helper()
		assert.NoError(t, w.ResendVerification(t.Context(), auth.ResendParams{Email: email, Client: client()}))
	}
	first := w.signUp(t)
	link := w.link(t)
	resend(adaEmail)
	assert.Equal(t, sent(), 1) // one a minute
	for range 10 {
		w.clock.Advance(time.Minute)
		resend(adaEmail)
	}
	assert.Equal(t, sent(), 5) // five an hour
	for range 30 {
		w.clock.Advance(30 * time.Minute)
		resend(adaEmail)
	}
	assert.True(t, sent() <= 20, "twenty a day")
	before := sent()
	resend("ada+shop@example.com")
	assert.Equal(t, sent(), before) // nobody signed up with that one
	_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, Browser: first.Browser.Reveal()})
	assert.NoError(t, err) // earlier links stay valid
}

func TestR6_SubAddressesShareABudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "A", Email: fmt.Sprintf("ada+%d@example.com", i), Password: adaPassword})
		assert.NoError(t, err)
	}
	assert.Len(t, w.mailbox.Messages(), 1)
}

func TestR8_ChargedBeforeChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			_, err := w.signIn(t, "not this one")
			if !errors.Is(err, auth.ErrInvalidCredentials) && !errors.Is(err, auth.ErrTooManyAttempts) {
				t.Errorf("a guess ended in %v", err)
			}
		})
	}
	group.Wait()
	assert.True(t, w.passwords.count() <= 5, "no more than five guesses are verified at once")
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrTooManyAttempts)
	e := assert.ErrorAs[*problem.Error](t, err)
	assert.True(t, e.RetryAfter > 0, "the refusal says how long to wait")
	w.clock.Advance(e.RetryAfter)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

func TestR8_UnknownAddressesAreChargedAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 7 {
		_, err := w.signIn(t, adaPassword)
		want := auth.ErrInvalidCredentials
		if i >= 5 {
			want = auth.ErrTooManyAttempts
		}
		assert.ErrorIs(t, err, want)
	}
	// A sub-address is another account, a spelling is not.
	_, _, err := w.SignIn(t.Context(), auth.SignInParams{Email: " ADA@EXAMPLE.COM ", Password: adaPassword})
	assert.ErrorIs(t, err, auth.ErrTooManyAttempts)
	_, _, err = w.SignIn(t.Context(), auth.SignInParams{Email: "ada+x@example.com", Password: adaPassword})
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
}

func TestR8_SuccessGivesItsUnitBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	for range 20 {
		_, err := w.signIn(t, adaPassword)
		assert.NoError(t, err)
	}
}

func TestR8_RefusesToRunInsideATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t)
	link := w.link(t)
	err := w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, _, err := w.SignIn(ctx, auth.SignInParams{Email: adaEmail, Password: adaPassword})
		assert.ErrorIs(t, err, auth.ErrInTransaction)
		_, err = w.VerifyEmail(ctx, auth.VerifyEmailParams{Token: link, Password: adaPassword})
		return err
	})
	assert.ErrorIs(t, err, auth.ErrInTransaction)
	assert.Equal(t, w.passwords.count(), 0)
}

func TestR1_NothingInFlightOutlivesAChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, user auth.User) error{
		"reset": func(w *world, user auth.User) error {
			return w.store.InTx(context.Background(), func(ctx context.Context) error {
				_, err := w.store.RaiseVersion(ctx, user.ID)
				return err
			})
		},
		"ban": func(w *world, user auth.User) error { return w.store.Ban(context.Background(), user.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			user := w.ada(t)
			attempt, err := w.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword})
			assert.NoError(t, err)
			assert.NoError(t, change(w, user))
			_, err = w.Complete(t.Context(), attempt)
			assert.ErrorIs(t, err, auth.ErrNotAdmitted)
			assert.Equal(t, problem.KindOf(err), problem.Unauthenticated)
			assert.Len(t, w.sessions.passes, 0)
		})
	}
}

func TestR1_ZeroAttemptCompletesToNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Complete(t.Context(), auth.Attempt{})
	assert.ErrorIs(t, err, auth.ErrNotAdmitted)
	assert.Len(t, w.sessions.passes, 0)
}

func TestR7_DecoyCostsWhatAHashCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Equal(t, w.passwords.count(), 1)
}

func TestHooksCanRefuse(t *testing.T) {
	t.Parallel()
	no := problem.New(problem.PermissionDenied, "NOT_HERE", "Not here.")
	w := newWorld(t, func(c *auth.Config) {
		c.Hooks = auth.JoinHooks(auth.Hooks{}, auth.Hooks{
			BeforeSession: func(_ context.Context, e auth.BeforeSession) error { return no },
		})
	})
	w.ada(t)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, no)
	assert.Len(t, w.sessions.passes, 0)
}

func TestSuperuserActsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Superuser = "ADA@example.com" })
	assert.True(t, w.ada(t).Superuser, "the first proof of the address")
	got, err := w.store.UserByID(t.Context(), w.ada2(t).ID)
	assert.NoError(t, err)
	assert.False(t, got.Superuser, "another address")
}

func (w *world) ada2(t *testing.T) auth.User {
	t.Helper()
	result, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Bob", Email: "bob@example.com", Password: adaPassword})
	assert.NoError(t, err)
	user, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), Browser: result.Browser.Reveal()})
	assert.NoError(t, err)
	return user
}

func TestOutageIsNotARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	w.store.Fail(problem.ErrUnavailable)
	_, err := w.signIn(t, adaPassword)
	assert.Equal(t, problem.KindOf(err), problem.Unavailable)
	w.store.Fail(nil)
	_, err = w.signIn(t, adaPassword)
	assert.NoError(t, err)
}

func TestBoundsOfSignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	valid := auth.SignUpParams{Name: "Ada", Email: adaEmail, Password: adaPassword}
	for name, c := range map[string]struct {
		change func(p *auth.SignUpParams)
		want   error
	}{
		"no name":         {func(p *auth.SignUpParams) { p.Name = " \t " }, auth.ErrInvalidName},
		"long name":       {func(p *auth.SignUpParams) { p.Name = strings.Repeat("ä", 129) }, auth.ErrInvalidName},
		"NUL in name":     {func(p *auth.SignUpParams) { p.Name = "A\x00" }, auth.ErrInvalidName},
		"CRLF in name":    {func(p *auth.SignUpParams) { p.Name = "A\r\nBcc: x@y.z" }, auth.ErrInvalidName},
		"bidi in name":    {func(p *auth.SignUpParams) { p.Name = "A\u202eB" }, auth.ErrInvalidName},
		"UTF-8 in name":   {func(p *auth.SignUpParams) { p.Name = "A\xff" }, auth.ErrInvalidName},
		"CRLF in address": {func(p *auth.SignUpParams) { p.Email = "a@example.com\r\nBcc: x@y.z" }, auth.ErrInvalidEmail},
		"script image":    {func(p *auth.SignUpParams) { p.Image = "javascript:alert(1)" }, auth.ErrInvalidImage},
		"SVG image":       {func(p *auth.SignUpParams) { p.Image = "data:image/svg+xml;base64,AAAA" }, auth.ErrInvalidImage},
		"short password":  {func(p *auth.SignUpParams) { p.Password = "seven77" }, password.ErrTooShort},
	} {
		p := valid
		c.change(&p)
		if _, err := w.SignUp(t.Context(), p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	assert.Len(t, w.mailbox.Messages(), 0)
	large := valid
	large.Image = "data:image/png;base64," + strings.Repeat("A", 70000)
	result, err := w.SignUp(t.Context(), large)
	assert.NoError(t, err)
	assert.Equal(t, result.User.Image, "")
}

func TestAttemptsGrowOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	attempt, err := w.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword})
	assert.NoError(t, err)
	w.clock.Advance(10*time.Minute + time.Microsecond)
	_, err = w.Complete(t.Context(), attempt)
	assert.ErrorIs(t, err, auth.ErrNotAdmitted)
	assert.Len(t, w.sessions.passes, 0)
}

// A new password is the one that counts in the browser that signed up as well, and a
// page's button confirms the sign-up that the page showed.
func TestR5_TheNewPasswordCountsInTheSameBrowserToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.signUp(t)
	p := auth.VerifyEmailParams{Token: w.link(t), Browser: result.Browser.Reveal(), NewPassword: "another horse", SignUpID: "another"}
	_, err := w.VerifyEmail(t.Context(), p)
	assert.ErrorIs(t, err, auth.ErrLinkReplaced)
	p.SignUpID = ""
	_, err = w.VerifyEmail(t.Context(), p)
	assert.NoError(t, err)
	_, err = w.signIn(t, "another horse")
	assert.NoError(t, err)
	_, err = w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
}
