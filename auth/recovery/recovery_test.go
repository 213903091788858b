package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := recovery.New(nil, recovery.Config{LinkLife: 1})
	for _, field := range []string{"store", "Users", "Tokens", "LinkBase", "Now", "LinkLife"} {
		assert.Contains(t, err.Error(), field)
	}
	_, err = recovery.NewHandler(nil, recovery.HandlerConfig{})
	assert.Error(t, err)
}

func TestALinkLivesAMinuteToAnHour(t *testing.T) {
	t.Parallel()
	for life, ok := range map[time.Duration]bool{
		0: true, time.Minute: true, time.Hour: true, time.Minute - 1: false, time.Hour + 1: false, -time.Minute: false,
	} {
		var full recovery.Config
		newWorld(t, func(c *recovery.Config) { full = *c })
		full.LinkLife = life
		if _, err := recovery.New(newWorld(t).store, full); (err == nil) != ok {
			t.Errorf("%v: %v", life, err)
		}
	}
}

func TestALinkSetsThePasswordOnceAndSignsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	mails := len(w.mailbox.Messages())
	assert.NoError(t, w.reset(t, raw))
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
	assert.True(t, w.signsIn(t, adaEmail, newPassword), "the new password works")
	assert.False(t, w.signsIn(t, adaEmail, oldPassword), "the old one does not")
	assert.Equal(t, w.sessions.ended, []string{user.ID + " but "}) // all of them, and none started
	assert.Equal(t, w.changed, []auth.PasswordChanged{{UserID: user.ID, Client: client()}})
	assert.Len(t, w.mailbox.Messages(), mails+1)
	notice, _ := w.mailbox.Last(adaEmail)
	assert.Equal(t, notice.Kind, auth.MailPasswordChanged)
	after := assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
	assert.Equal(t, after.SecurityVersion, user.SecurityVersion+1)
}

func TestAResetGivesAFirstPasswordToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, "", true)
	assert.NoError(t, w.reset(t, w.link(t, adaEmail)))
	assert.True(t, w.signsIn(t, adaEmail, newPassword), "it works")
}

func TestR4_AResetProvesWhoExistedUnproven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, false)
	w.signUp(t, adaEmail) // a stranger's
	assert.NoError(t, w.reset(t, w.link(t, adaEmail)))
	after := assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
	assert.True(t, after.EmailVerified, "the mailbox is proven")
	assert.False(t, w.signsIn(t, adaEmail, oldPassword), "what was there before is gone")
	_, err := w.store.NewestSignUp(t.Context(), user.Email, w.now)
	assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
}

func TestAccountShowsTheUserAndConsumesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	before := w.store.tokens.Rows()
	for range 3 {
		got, err := w.Account(t.Context(), raw)
		assert.NoError(t, err)
		assert.Equal(t, got.ID, user.ID)
	}
	assert.Equal(t, w.store.tokens.Rows(), before)
	for _, bad := range []string{"", "x", raw + "x", raw[:len(raw)-1], strings.ToUpper(raw)} {
		_, err := w.Account(t.Context(), bad)
		assert.ErrorIs(t, err, token.ErrInvalid)
		assert.ErrorIs(t, w.reset(t, bad), token.ErrInvalid)
	}
	assert.NoError(t, w.reset(t, raw))
	_, err := w.Account(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
}

func TestALinkEndsByTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *recovery.Config) { c.LinkLife = 5 * time.Minute })
	w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	w.now = w.now.Add(5 * time.Minute)
	_, err := w.Account(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
	raw = w.link(t, adaEmail)
	w.now = w.now.Add(5*time.Minute - time.Second)
	assert.NoError(t, w.reset(t, raw))
}

func TestR1_WhateverChangesTheAccountEndsItsLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return nil }))
	_, err := w.Account(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
	first, second := w.link(t, adaEmail), w.link(t, adaEmail)
	assert.NoError(t, w.reset(t, first))
	assert.ErrorIs(t, w.reset(t, second), token.ErrInvalid)
	assert.Equal(t, w.live(), 0)
}

func TestALinkOfSomebodyWhoIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	assert.NoError(t, w.auth.DeleteUser(t.Context(), auth.Deletion{UserID: user.ID}))
	_, err := w.Account(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
}

// A link says whose it is; a page that showed somebody else is refused, and the
// link stays.
func TestAResetIsForWhomThePageShowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.user(t, adaEmail, oldPassword, true), w.user(t, "bob@example.com", oldPassword, true)
	raw := w.link(t, adaEmail)
	p := recovery.ResetParams{Token: raw, NewPassword: newPassword, UserID: bob.ID}
	assert.ErrorIs(t, w.Reset(t.Context(), p), auth.ErrLinkReplaced)
	assert.True(t, w.signsIn(t, adaEmail, oldPassword), "nothing happened")
	p.UserID = ada.ID
	assert.NoError(t, w.Reset(t.Context(), p))
	assert.True(t, w.signsIn(t, "bob@example.com", oldPassword), "nor to him")
}

// A password that is refused changes nothing and leaves the link.
func TestABadPasswordLeavesTheLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	for _, c := range []struct {
		typed string
		want  error
	}{{"short", password.ErrTooShort}, {"", password.ErrTooShort}, {"password1234", password.ErrTooCommon}, {strings.Repeat("x", 300), password.ErrTooLong}} {
		err := w.Reset(t.Context(), recovery.ResetParams{Token: raw, NewPassword: c.typed})
		assert.ErrorIs(t, err, c.want)
	}
	assert.Len(t, w.sessions.ended, 0)
	after := assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
	assert.Equal(t, after.SecurityVersion, user.SecurityVersion)
	assert.NoError(t, w.reset(t, raw))
}

func TestR7_TheSameWorkForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	banned := w.user(t, "cc@example.com", oldPassword, true)
	assert.NoError(t, w.store.Ban(t.Context(), banned.ID))
	w.user(t, adaEmail, oldPassword, true)
	w.signUp(t, "dd@example.com")
	w.now = w.now.Add(2 * time.Minute)
	for to, kind := range map[string]string{
		adaEmail: recovery.MailResetPassword, "cc@example.com": recovery.MailResetPassword,
		"dd@example.com": auth.MailVerifyEmail, "nobody@example.com": "",
	} {
		mails := len(w.mailbox.Messages())
		assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: to, Client: client()}))
		last, _ := w.mailbox.Last(to)
		assert.Equal(t, last.Kind, kind)
		assert.Equal(t, len(w.mailbox.Messages())-mails, map[bool]int{true: 1}[kind != ""])
	}
	assert.ErrorIs(t, w.Request(t.Context(), recovery.RequestParams{Email: "nonsense"}), auth.ErrInvalidEmail)
}

// A link that leads to a sign-up is no link of a reset.
func TestR4_AWaitingAddressGetsALinkOfItsSignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t, adaEmail)
	w.now = w.now.Add(2 * time.Minute)
	p := recovery.RequestParams{Email: adaEmail, CallbackURL: "https://example.com/passwords"}
	assert.NoError(t, w.Request(t.Context(), p))
	message, _ := w.mailbox.Last(adaEmail)
	assert.True(t, strings.HasPrefix(message.Links[0], linkBase+"/verify-email?"), message.Links[0])
	assert.NotContains(t, message.Links[0], "passwords")
	raw := assert.Must(url.Parse(message.Links[0]))(t).Query().Get("token")
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
}

// Links start with the base of the configuration, and carry the host's page.
func TestLinksComeFromTheConfigurationAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, oldPassword, true)
	w.now = w.now.Add(2 * time.Minute)
	page := "https://app.example.com/new?a=1&b=2#c"
	assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: adaEmail, CallbackURL: page}))
	message, _ := w.mailbox.Last(adaEmail)
	u := assert.Must(url.Parse(message.Links[0]))(t)
	assert.True(t, strings.HasPrefix(u.String(), linkBase+"/reset-password/tnn_rst_"), u.String())
	assert.Equal(t, u.Query(), url.Values{"callbackURL": {page}})
}

// The mailbox on record is mailed, not another spelling of it.
func TestMailGoesWhereItIsOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, oldPassword, true)
	w.request(t, "ADA@EXAMPLE.COM")
	messages := w.mailbox.Messages()
	assert.Equal(t, messages[len(messages)-1].To, adaEmail)
}

// Rule R6: one mail a minute and five an hour; over it the answer is the same, no
// mail goes, nothing is left behind, and earlier links work.
func TestR6_Budgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, oldPassword, true)
	first, rows := w.link(t, adaEmail), len(w.store.tokens.Rows())
	assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: "ada+x@example.com"}))
	for range 3 {
		assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: adaEmail, Client: client()}))
	}
	assert.Len(t, w.mailbox.Messages(), 1)
	assert.Len(t, w.store.tokens.Rows(), rows)
	for range 8 {
		w.request(t, adaEmail)
	}
	assert.Len(t, w.mailbox.Messages(), 5)
	assert.NoError(t, w.reset(t, first))
}

// What is asked for and used in a transaction of the host ends with it.
func TestCallsJoinTheTransactionOfTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	w.now = w.now.Add(2 * time.Minute)
	stop := errors.New("stop")
	for _, call := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return w.Request(ctx, recovery.RequestParams{Email: adaEmail}) },
		func(ctx context.Context) error {
			return w.Reset(ctx, recovery.ResetParams{Token: raw, NewPassword: newPassword})
		},
	} {
		rows := w.store.tokens.Rows()
		assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, call(ctx))
			return stop
		}), stop)
		assert.Equal(t, w.store.tokens.Rows(), rows)
	}
	assert.NoError(t, w.reset(t, raw))
}

// Promise 12: an outage is no verdict.
func TestPromise12_AnOutageIsNotAnInvalidLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	w.store.Fail(problem.ErrUnavailable)
	_, err := w.Account(t.Context(), raw)
	for name, err := range map[string]error{
		"account": err, "reset": w.reset(t, raw), "invite": w.Invite(t.Context(), user),
		"request": w.Request(t.Context(), recovery.RequestParams{Email: adaEmail}),
	} {
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		assert.NotContains(t, err.Error(), raw)
	}
	w.store.Fail(nil)
	assert.NoError(t, w.reset(t, raw))
}

// An invitation works for a week where nobody has come in yet, and for a day where
// somebody has; the budget is told, because a superuser asked.
func TestInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const day = 24 * time.Hour
	for email, life := range map[string]time.Duration{"new@example.com": 7 * day, "old@example.com": day} {
		user := w.user(t, email, "", life == day)
		assert.NoError(t, w.Invite(t.Context(), user))
		message, _ := w.mailbox.Last(email)
		assert.Equal(t, message.Kind, recovery.MailChoosePassword)
		late := w.secret(t, email)
		begun := w.now
		w.now = begun.Add(life)
		assert.ErrorIs(t, w.reset(t, late), token.ErrInvalid)
		assert.NoError(t, w.Invite(t.Context(), user))
		refused := w.Invite(t.Context(), user)
		assert.ErrorIs(t, refused, recovery.ErrMailBudget)
		failure := assert.ErrorAs[*problem.Error](t, refused)
		assert.Equal(t, failure.RetryAfter, time.Hour)
		w.now = w.now.Add(life - time.Second)
		assert.NoError(t, w.reset(t, w.secret(t, email)))
		assert.True(t, assert.Must(w.store.UserByID(t.Context(), user.ID))(t).EmailVerified, "the mailbox is proven")
	}
	assert.Error(t, w.Invite(t.Context(), auth.User{Email: "nonsense"}))
}

// A change that commits while the new password is hashed wins: the link is of the
// account as it was before (rule R1).
func TestR1_AResetStalledAcrossAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	w.hashing = func() {
		w.hashing = nil
		assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return nil }))
	}
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
	assert.True(t, w.signsIn(t, adaEmail, oldPassword), "nothing was set")
	raw = w.link(t, adaEmail)
	w.hashing = func() {
		w.hashing = nil
		assert.NoError(t, w.auth.DeleteUser(t.Context(), auth.Deletion{UserID: user.ID}))
	}
	assert.ErrorIs(t, w.reset(t, raw), token.ErrInvalid)
}

// Rule R6: the network that asks has a budget, too, whatever addresses it asks for.
func TestR6_ANetworkAsksForSixtyMailsAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 62 {
		to := fmt.Sprintf("user%d@example.com", i)
		w.user(t, to, "", true)
		assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: to, Client: client()}))
	}
	assert.Len(t, w.mailbox.Messages(), 60)
	elsewhere := auth.Client{IP: netip.MustParseAddr("192.0.2.2")}
	assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: "user61@example.com", Client: elsewhere}))
	assert.Len(t, w.mailbox.Messages(), 61)
}

// Rule R4: a fresh link of a sign-up works as long as the sign-up waits, and no longer.
func TestR4_AFreshLinkOfASignUpEndsWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t, adaEmail)
	w.now = w.now.Add(20 * time.Hour)
	assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: adaEmail}))
	for _, row := range w.store.tokens.Rows() {
		assert.True(t, !row.ExpiresAt.After(w.now.Add(4*time.Hour)), row.ExpiresAt.String())
	}
}

// Rule R9: who proved the mailbox is no stranger any more.
func TestR9_AResetUnlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail, oldPassword, true)
	raw := w.link(t, adaEmail)
	for range 5 {
		_, err := w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: "not this one"})
		assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
	_, err := w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: oldPassword})
	assert.ErrorIs(t, err, auth.ErrTooManyAttempts)
	assert.NoError(t, w.reset(t, raw))
	_, err = w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: adaEmail, Password: newPassword})
	assert.NoError(t, err)
}
