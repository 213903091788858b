package passwordless_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestALinkLetsInOnceThroughTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	raw, _ := w.link(t, adaEmail)
	p := passwordless.UseLinkParams{Token: raw, Attempt: auth.AttemptParams{BrowserOnly: true, Bearer: true, Client: client()}}
	result, err := w.UseLink(t.Context(), p)
	assert.NoError(t, err)
	assert.Equal(t, result.User.ID, user.ID)
	assert.False(t, result.New, "the user was there")
	assert.Len(t, w.sessions.started, 1)
	facts := w.sessions.started[0]
	assert.Equal(t, facts.Channels, []string{auth.ChannelMailbox})
	assert.True(t, facts.BrowserOnly && facts.Bearer && facts.IP == client().IP, "what was asked for is what was started")
	assert.True(t, facts.ProvenAt.Equal(w.now), "it was proven now")
	_, err = w.UseLink(t.Context(), p)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.Len(t, w.sessions.started, 1)
}

func TestPeekLinkSaysWhatTheLinkDoesAndConsumesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	raw, flow := w.link(t, adaEmail)
	before := w.store.tokens.Rows()
	for name, c := range map[string]struct {
		flow string
		same bool
	}{"the browser that asked": {flow, true}, "another": {"", false}, "nonsense": {flow + "x", false}} {
		got, err := w.PeekLink(t.Context(), raw, c.flow)
		assert.NoError(t, err)
		if got.SameBrowser != c.same || got.Email != adaEmail || got.UserID != user.ID || got.ID == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	assert.Equal(t, w.store.tokens.Rows(), before)
	fresh, _ := w.link(t, bobEmail)
	got, err := w.PeekLink(t.Context(), fresh, "")
	assert.NoError(t, err)
	assert.Equal(t, []string{got.Email, got.UserID}, []string{bobEmail, ""})
	_, err = w.PeekLink(t.Context(), "x", "")
	assert.ErrorIs(t, err, token.ErrInvalid)
}

func TestALinkRefusesAndStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	raw, flow := w.link(t, adaEmail)
	for want, p := range map[error]passwordless.UseLinkParams{
		auth.ErrLinkReplaced:         {Token: raw, LinkID: "another", Flow: flow},
		passwordless.ErrOtherBrowser: {Token: raw, NeedFlow: true},
		token.ErrInvalid:             {Token: raw[:len(raw)-1], Flow: flow},
	} {
		_, err := w.UseLink(t.Context(), p)
		assert.ErrorIs(t, err, want)
	}
	assert.Len(t, w.sessions.started, 0)
	link := assert.Must(w.PeekLink(t.Context(), raw, flow))(t)
	_, err := w.UseLink(t.Context(), passwordless.UseLinkParams{Token: raw, LinkID: link.ID, Flow: flow, NeedFlow: true})
	assert.NoError(t, err)
}

// A browser keeps its flow, so that its tabs share what they asked for.
func TestAFlowGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	_, first := w.link(t, adaEmail)
	_, again := w.link(t, adaEmail, func(p *passwordless.LinkParams) { p.Flow = first })
	_, other := w.link(t, adaEmail, func(p *passwordless.LinkParams) { p.Flow = "not a flow" })
	assert.Equal(t, again, first)
	assert.NotEqual(t, other, first)
}

func TestALinkMakesANewUserWithWhatTheirOwnBrowserTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	for _, same := range []bool{true, false} {
		to := map[bool]string{true: "same@example.com", false: "else@example.com"}[same]
		_, err := w.auth.SignUp(t.Context(), auth.SignUpParams{Name: "Mallory", Email: to, Password: oldPassword})
		assert.NoError(t, err)
		raw, flow := w.link(t, to, func(p *passwordless.LinkParams) { p.Name = "Ada Lovelace" })
		if !same {
			flow = ""
		}
		result, err := w.UseLink(t.Context(), passwordless.UseLinkParams{Token: raw, Flow: flow})
		assert.NoError(t, err)
		assert.True(t, result.New && result.User.EmailVerified, "there is a user now, with a proven address")
		assert.Equal(t, result.User.Name, map[bool]string{true: "Ada Lovelace", false: "else"}[same])
		_, err = w.store.NewestSignUp(t.Context(), to, w.now)
		assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
		_, err = w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: to, Password: oldPassword})
		assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
}

func TestR4_ALinkTakesAwayWhatAnUnprovenUserHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, false)
	raw, _ := w.link(t, adaEmail)
	result, err := w.useLink(t, raw)
	assert.NoError(t, err)
	assert.Equal(t, []any{result.User.ID, result.User.EmailVerified, result.New}, []any{user.ID, true, false})
	assert.Equal(t, w.sessions.ended, []string{user.ID + " but "})
	sealed := assert.Must(w.store.Password(t.Context(), user.ID))(t)
	assert.Len(t, sealed, 0)
}

// Everything that makes a link a thing of the past is one answer, and starts
// nothing.
func TestR1_LinksOfAnotherTime(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, w *world, user auth.User){
		"the account changed": func(t *testing.T, w *world, user auth.User) { w.change(t, user) },
		"ten minutes passed":  func(_ *testing.T, w *world, _ auth.User) { w.now = w.now.Add(passwordless.Life) },
		"the user is gone": func(t *testing.T, w *world, user auth.User) {
			assert.NoError(t, w.auth.DeleteUser(t.Context(), auth.Deletion{UserID: user.ID}))
		},
		"the user is banned": func(t *testing.T, w *world, user auth.User) { assert.NoError(t, w.store.Ban(t.Context(), user.ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, passwordless.Policy{})
			user := w.user(t, adaEmail, true)
			raw, _ := w.link(t, adaEmail)
			meanwhile(t, w, user)
			_, err := w.useLink(t, raw)
			assert.ErrorIs(t, err, token.ErrInvalid)
			assert.Len(t, w.sessions.started, 0)
		})
	}
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	raw, _ := w.link(t, adaEmail)
	w.now = w.now.Add(passwordless.Life - time.Second)
	_, err := w.useLink(t, raw)
	assert.NoError(t, err)
}

// A link for somebody new is none for the user that the address has become.
func TestALinkForNobodyIsNoneForSomebody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	raw, _ := w.link(t, adaEmail)
	w.user(t, adaEmail, true)
	_, err := w.useLink(t, raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.Len(t, w.sessions.started, 0)
}

func TestTheHostsVetoLeavesTheLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	raw, _ := w.link(t, adaEmail)
	w.veto = errors.New("not today")
	_, err := w.useLink(t, raw)
	assert.ErrorIs(t, err, w.veto)
	w.veto = nil
	result, err := w.useLink(t, raw)
	assert.NoError(t, err)
	assert.True(t, result.New, "the link was left")
}

func TestNoSignUpMailsAndMakesNobodyNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{NoSignUp: true})
	w.user(t, adaEmail, true)
	for _, purpose := range []passwordless.Purpose{passwordless.PurposeSignIn, passwordless.PurposeVerifyEmail} {
		_, err := w.SendCode(t.Context(), passwordless.SendCodeParams{Email: bobEmail, Purpose: purpose})
		assert.NoError(t, err)
	}
	_, err := w.SendLink(t.Context(), passwordless.LinkParams{Email: bobEmail})
	assert.NoError(t, err)
	assert.Len(t, w.mailbox.Messages(), 0)
	assert.Len(t, w.store.tokens.Rows(), 0)
	raw, _ := w.link(t, adaEmail)
	_, err = w.useLink(t, raw)
	assert.NoError(t, err)
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	for want, p := range map[error]passwordless.LinkParams{
		auth.ErrInvalidEmail: {Email: "nonsense"}, auth.ErrInvalidName: {Email: adaEmail, Name: "\u202e"},
	} {
		_, err := w.SendLink(t.Context(), p)
		assert.ErrorIs(t, err, want)
	}
	for _, purpose := range []passwordless.Purpose{
		passwordless.PurposeReset, passwordless.PurposeNewEmail, passwordless.PurposeStepUp, "", "else",
	} {
		_, err := w.SendCode(t.Context(), passwordless.SendCodeParams{Email: adaEmail, Purpose: purpose})
		assert.ErrorIs(t, err, passwordless.ErrPurpose)
	}
	_, err := w.SendCode(t.Context(), passwordless.SendCodeParams{Email: "nonsense", Purpose: passwordless.PurposeSignIn})
	assert.ErrorIs(t, err, auth.ErrInvalidEmail)
	assert.Len(t, w.mailbox.Messages(), 0)
}

// Links start with the base of the configuration, and lead where the host said.
func TestLinksSayWhereTheyLead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.link(t, adaEmail, func(p *passwordless.LinkParams) {
		p.CallbackURL, p.NewUserCallbackURL, p.ErrorCallbackURL = "/in?a=1&b=2", "/new#x", "/oops"
	})
	message, _ := w.mailbox.Last(adaEmail)
	assert.True(t, strings.HasPrefix(message.Links[0], linkBase+"/magic-link/verify?"), message.Links[0])
	query := assert.Must(url.Parse(message.Links[0]))(t).Query()
	query.Del("token")
	assert.Equal(t, query, url.Values{"callbackURL": {"/in?a=1&b=2"}, "newUserCallbackURL": {"/new#x"}, "errorCallbackURL": {"/oops"}})
}

func TestR6_TheBudgetOfLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	w.user(t, adaEmail, true)
	raw, _ := w.link(t, adaEmail)
	rows := w.store.tokens.Rows()
	for range 3 {
		_, err := w.SendLink(t.Context(), passwordless.LinkParams{Email: "ADA+x@example.com"})
		assert.NoError(t, err)
	}
	assert.Len(t, w.mailbox.Messages(), 1)
	assert.Equal(t, w.store.tokens.Rows(), rows)
	for range 8 {
		w.later()
		_, err := w.SendLink(t.Context(), passwordless.LinkParams{Email: adaEmail})
		assert.NoError(t, err)
	}
	assert.Len(t, w.mailbox.Messages(), 5)
	w.now = w.now.Add(-16 * time.Minute)
	_, err := w.useLink(t, raw)
	assert.NoError(t, err)
}

func TestPromise4_OfManyWhoUseOneLinkOneComesIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	raw, _ := w.link(t, adaEmail)
	var group sync.WaitGroup
	results := make(chan error, 64)
	for range cap(results) {
		group.Go(func() { _, err := w.useLink(t, raw); results <- err })
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, token.ErrInvalid) {
			t.Errorf("a loser got %v", err)
		}
	}
	assert.Equal(t, won, 1)
	assert.Len(t, w.sessions.started, 1)
}

// Promise 12: an outage is no verdict on a link or a code.
func TestPromise12_AnOutageIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	user := w.user(t, adaEmail, true)
	raw, _ := w.link(t, adaEmail)
	p := w.code(t, adaEmail, passwordless.PurposeSignIn)
	w.store.Fail(problem.ErrUnavailable)
	ctx := t.Context()
	outcome := map[string]error{
		"check": w.Check(ctx, passwordless.PurposeSignIn, p), "reset": w.ResetPassword(ctx, p, newPassword), "forget": w.Forget(ctx, user),
		"maintain": w.Maintain(ctx), "step up": w.SendStepUp(ctx, w.owner(user)), "check step-up": w.CheckStepUpCode(ctx, user.ID, "s", p.Code),
		"request email": w.RequestEmail(ctx, passwordless.RequestEmailParams{Owner: w.owner(user), NewEmail: bobEmail, Code: p.Code, Flow: p.Flow}),
		"change email":  w.ChangeEmail(ctx, w.owner(user), bobEmail, p.Code, nil),
	}
	_, outcome["peek"] = w.PeekLink(ctx, raw, "")
	_, outcome["use"] = w.useLink(t, raw)
	_, outcome["sign in"] = w.signIn(t, p)
	_, outcome["verify"] = w.VerifyEmail(ctx, passwordless.VerifyEmailParams{CodeParams: p})
	_, outcome["send link"] = w.SendLink(ctx, passwordless.LinkParams{Email: adaEmail})
	_, outcome["send code"] = w.SendCode(ctx, passwordless.SendCodeParams{Email: adaEmail, Purpose: passwordless.PurposeSignIn})
	for name, err := range outcome {
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, token.ErrInvalid) || errors.Is(err, passwordless.ErrInvalidCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.store.Fail(nil)
	_, err := w.signIn(t, p)
	assert.NoError(t, err)
}
