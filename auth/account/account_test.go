package account_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := account.New(nil, account.Config{FreshFor: -time.Second})
	for _, want := range []string{"a store", "Auth", "Tokens", "Sessions", "Now", "FreshFor"} {
		assert.Contains(t, fmt.Sprint(err), want)
	}
	_, err = account.NewHandler(nil, account.HandlerConfig{})
	assert.Error(t, err)
}

// calls are all use cases of a caller, with what each needs to succeed.
func (w *world) calls(name string) map[string]func(ctx context.Context, c account.Caller) error {
	return map[string]func(ctx context.Context, c account.Caller) error{
		"VerifyPassword": func(ctx context.Context, c account.Caller) error { return w.VerifyPassword(ctx, c, adaPassword) },
		"ChangePassword": func(ctx context.Context, c account.Caller) error {
			_, _, err := w.ChangePassword(ctx, c, account.PasswordParams{Current: adaPassword, New: newPassword})
			return err
		},
		"SetPassword": func(ctx context.Context, c account.Caller) error { return w.SetPassword(ctx, c, newPassword) },
		"StepUp": func(ctx context.Context, c account.Caller) error {
			_, err := w.StepUp(ctx, c, account.StepUpParams{Password: adaPassword})
			return err
		},
		"RequestEmail": func(ctx context.Context, c account.Caller) error {
			return w.RequestEmail(ctx, c, account.EmailParams{New: newEmail})
		},
		"RequestDeletion":  func(ctx context.Context, c account.Caller) error { return w.RequestDeletion(ctx, c, "") },
		"DeleteByPassword": func(ctx context.Context, c account.Caller) error { return w.DeleteByPassword(ctx, c, adaPassword) },
		"UpdateProfile": func(ctx context.Context, c account.Caller) error {
			_, err := w.UpdateProfile(ctx, c, auth.Profile{Name: &name})
			return err
		},
		"Accounts": func(ctx context.Context, c account.Caller) error { _, err := w.Accounts(ctx, c); return err },
		"User":     func(ctx context.Context, c account.Caller) error { _, err := w.User(ctx, c, "x"); return err },
	}
}

// Nobody but the user in a session of their own touches what protects the account:
// no key, no superuser who impersonates them, no stale session (rules R12, R22).
func TestR22_NobodyElseTouchesCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	harmless := map[string]bool{"UpdateProfile": true, "Accounts": true, "User": true}
	for who, change := range map[string]func(p *principal.Principal, c *account.Caller){
		"impersonated": func(p *principal.Principal, _ *account.Caller) { p.ImpersonatorID = "boss" },
		"a key":        func(p *principal.Principal, _ *account.Caller) { p.SessionID, p.APIKeyID = "", "key" },
		"no version":   func(_ *principal.Principal, c *account.Caller) { c.SecurityVersion = 0 },
	} {
		other, p := c, *c.Principal
		other.Principal = &p
		change(&p, &other)
		for name, call := range w.calls("Eve") {
			err := call(t.Context(), other)
			if !harmless[name] && !errors.Is(err, problem.ErrForbidden) {
				t.Errorf("%s by %s: %v", name, who, err)
			}
		}
	}
	for name, call := range w.calls("Eve") {
		if err := call(t.Context(), account.Caller{}); !errors.Is(err, problem.ErrUnauthenticated) {
			t.Errorf("%s by nobody: %v", name, err)
		}
	}
	assert.Len(t, w.sessions.ended, 0)
	assert.Equal(t, w.sessions.failures, 0)
	assert.Len(t, w.mailbox.Messages(), 0)
	user, err := w.User(t.Context(), c, c.Principal.UserID)
	assert.NoError(t, err)
	assert.Equal(t, user.SecurityVersion, 1)
}

func TestR12_WhatIsSensitiveIsGuardedInTheServiceToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	c.Fresh = false
	sensitive := map[string]bool{"SetPassword": true, "RequestEmail": true, "RequestDeletion": true, "DeleteByPassword": true}
	for name, call := range w.calls("Ada") {
		if got := errors.Is(call(t.Context(), c), account.ErrNotFresh); got != sensitive[name] {
			t.Errorf("%s: asks for freshness: %v", name, got)
		}
		c.SecurityVersion = w.version(t, c) // some of them changed the account
	}
}

func (w *world) version(t *testing.T, c account.Caller) int64 {
	t.Helper()
	user, err := w.store.UserByID(t.Context(), c.Principal.UserID)
	assert.NoError(t, err)
	return user.SecurityVersion
}

// What guesses refuses to run in a transaction before any I/O; the rest joins it.
func TestR8_WhatGuessesJoinsNoTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	guesses := map[string]bool{"VerifyPassword": true, "ChangePassword": true, "StepUp": true, "DeleteByPassword": true}
	stop := errors.New("stop")
	for name, call := range w.calls("Ada") {
		err := w.store.InTx(t.Context(), func(ctx context.Context) error {
			if got := errors.Is(call(ctx, c), auth.ErrInTransaction); got != guesses[name] {
				t.Errorf("%s: refuses a transaction: %v", name, got)
			}
			return stop
		})
		assert.ErrorIs(t, err, stop)
	}
	assert.Equal(t, w.version(t, c), 1)
}

// A session that died since it was looked up changes nothing (rule R1).
func TestR1_AStaleSessionChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: c.Principal.UserID}, func(context.Context, auth.User) error { return nil }))
	for _, name := range []string{"ChangePassword", "RequestEmail", "RequestDeletion", "DeleteByPassword"} {
		assert.ErrorIs(t, w.calls("Ada")[name](t.Context(), c), auth.ErrStale)
	}
	assert.Equal(t, w.version(t, c), 2)
	assert.Len(t, w.mailbox.Messages(), 0)
}

// codes knows one code.
type codes struct{ asked int }

var errWrongCode = problem.New(problem.Invalid, "INVALID_OTP", "Wrong.")

func (c *codes) CheckStepUpCode(_ context.Context, _, _, code string) error {
	c.asked++
	switch code {
	case "123456":
		return nil
	case "down":
		return problem.ErrUnavailable
	}
	return errWrongCode
}

// A mailed code steps up those who have nothing stronger, and nobody else (rule
// R12); wrong ones count against the session.
func TestR12_AMailedCodeIsForThoseWithoutAPassword(t *testing.T) {
	t.Parallel()
	known := new(codes)
	w := newWorld(t, auth.Hooks{}, func(c *account.Config) { c.Codes = known })
	c := w.ada(t, "")
	stepUp := func(code string) error {
		_, err := w.StepUp(t.Context(), c, account.StepUpParams{Code: code})
		return err
	}
	assert.NoError(t, stepUp("123456"))
	assert.Equal(t, w.sessions.elevated[0].Channel, account.ChannelMailbox)
	assert.ErrorIs(t, stepUp("down"), problem.ErrUnavailable)
	assert.Equal(t, w.sessions.failures, 0)
	for range 4 {
		assert.ErrorIs(t, stepUp("000000"), errWrongCode)
	}
	assert.ErrorIs(t, stepUp("000000"), account.ErrSessionEnded)
	known.asked = 0
	c = w.user(t, "bob@example.com", adaPassword)
	assert.ErrorIs(t, stepUp("123456"), account.ErrCodeUnavailable)
	assert.Equal(t, known.asked, 0)
}

func TestEveryChangeTellsItsHook(t *testing.T) {
	t.Parallel()
	var heard []string
	note := func(format string, args ...any) error {
		heard = append(heard, fmt.Sprintf(format, args...))
		return nil
	}
	w := newWorld(t, auth.Hooks{
		PasswordChanged: func(_ context.Context, e auth.PasswordChanged) error {
			return note("password by %t", e.ActorID == e.UserID)
		},
		EmailChanged: func(_ context.Context, e auth.EmailChanged) error {
			return note("from %s to %s", e.Old.Display, e.New.Display)
		},
		UserUpdated: func(_ context.Context, e auth.UserUpdated) error { return note("now %s by %s", e.User.Name, e.ActorID) },
		SteppedUp:   func(_ context.Context, e auth.SteppedUp) error { return note("stepped up by %s", e.Channel) },
		BeforeUserDeleted: func(_ context.Context, e auth.BeforeUserDeleted) error {
			return note("before %s is deleted", e.User.Display)
		},
		UserDeleted: func(_ context.Context, e auth.UserDeleted) error { return note("deleted %s", e.User.Display) },
	})
	c := w.ada(t, adaPassword)
	for _, name := range []string{"StepUp", "ChangePassword"} {
		assert.NoError(t, w.calls("Ada")[name](t.Context(), c))
	}
	impersonated, p := c, *c.Principal
	p.ImpersonatorID = "boss"
	impersonated.Principal = &p
	assert.NoError(t, w.calls("Ada L")["UpdateProfile"](t.Context(), impersonated))
	c.SecurityVersion = 2
	assert.NoError(t, w.RequestEmail(t.Context(), c, account.EmailParams{New: newEmail}))
	_, err := w.ConfirmEmail(t.Context(), w.link(t, adaEmail), "", client())
	assert.NoError(t, err)
	_, err = w.VerifyEmail(t.Context(), account.VerifyEmailParams{Token: w.link(t, newEmail), Caller: c})
	assert.NoError(t, err)
	c.SecurityVersion = 3
	w.now = w.now.Add(time.Minute)
	assert.NoError(t, w.DeleteByPassword(t.Context(), c, newPassword))
	assert.Equal(t, heard, []string{
		"stepped up by password", "password by true", "now Ada L by boss", "from Ada@example.com to Ada.New@example.com",
		"before Ada.New@example.com is deleted", "deleted Ada.New@example.com",
	})
	assert.Equal(t, w.sessions.ended, []string{
		c.Principal.UserID + " but session", c.Principal.UserID + " but session", c.Principal.UserID + " but ",
	})
}

// A hook that refuses leaves no trace of what it refused.
func TestAHookUndoesItsCause(t *testing.T) {
	t.Parallel()
	veto := errors.New("veto")
	w := newWorld(t, auth.Hooks{
		PasswordChanged:   func(context.Context, auth.PasswordChanged) error { return veto },
		EmailChanged:      func(context.Context, auth.EmailChanged) error { return veto },
		SteppedUp:         func(context.Context, auth.SteppedUp) error { return veto },
		UserUpdated:       func(context.Context, auth.UserUpdated) error { return veto },
		BeforeUserDeleted: func(context.Context, auth.BeforeUserDeleted) error { return veto },
	})
	c := w.ada(t, adaPassword)
	for _, name := range []string{"ChangePassword", "StepUp", "UpdateProfile", "DeleteByPassword"} {
		assert.ErrorIs(t, w.calls("Eve")[name](t.Context(), c), veto)
	}
	assert.NoError(t, w.RequestEmail(t.Context(), c, account.EmailParams{New: newEmail}))
	_, err := w.ConfirmEmail(t.Context(), w.link(t, adaEmail), "", client())
	assert.NoError(t, err)
	enter := w.link(t, newEmail)
	for range 2 { // the link is not used up
		_, err = w.VerifyEmail(t.Context(), account.VerifyEmailParams{Token: enter, Caller: c})
		assert.ErrorIs(t, err, veto)
	}
	user, err := w.User(t.Context(), c, c.Principal.UserID)
	assert.NoError(t, err)
	assert.Equal(t, fmt.Sprint(user.Name, user.Email, user.SecurityVersion), "Adaada@example.com1")
	assert.NoError(t, w.VerifyPassword(t.Context(), c, adaPassword))
}

// A page showed one address and another link was opened meanwhile.
func TestAButtonMovesToTheAddressThatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	assert.NoError(t, w.RequestEmail(t.Context(), c, account.EmailParams{New: newEmail, CallbackURL: "/done"}))
	leave := w.link(t, adaEmail)
	shown, err := w.WaitingEmail(t.Context(), account.PurposeLeaveEmail, leave)
	assert.NoError(t, err)
	assert.Equal(t, shown.To.Display+" "+shown.CallbackURL, newEmail+" /done")
	_, err = w.ConfirmEmail(t.Context(), leave, "eve@example.com", client())
	assert.ErrorIs(t, err, auth.ErrLinkReplaced)
	_, err = w.ConfirmEmail(t.Context(), leave, shown.To.Key, client())
	assert.NoError(t, err)
	_, err = w.VerifyEmail(t.Context(), account.VerifyEmailParams{Token: w.link(t, newEmail), Shown: "eve@example.com"})
	assert.ErrorIs(t, err, auth.ErrLinkReplaced)
	for _, raw := range []string{"", "tnn_chg_x", leave} {
		_, err = w.ConfirmEmail(t.Context(), raw, "", client())
		assert.ErrorIs(t, err, token.ErrInvalid)
	}
}

// An outage is never an answer about an account.
func TestPromise12_AnOutageIsAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	w.store.Fail(problem.ErrUnavailable)
	for name, call := range w.calls("Ada") {
		if err := call(t.Context(), c); name != "User" && !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.User(t.Context(), c, c.Principal.UserID)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.Equal(t, w.sessions.failures, 0)
}

// neighbours share an organization with one user.
type neighbours struct{ with string }

func (n neighbours) Share(_ context.Context, _, otherID string) (bool, error) {
	if n.with == "down" {
		return false, problem.ErrUnavailable
	}
	return otherID == n.with, nil
}

func TestPromise7_WhoSeesWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	ada, bob := w.ada(t, adaPassword), w.user(t, "bob@example.com", "")
	bobID := bob.Principal.UserID
	for _, c := range []struct {
		name string
		who  func(p *principal.Principal)
		with account.Neighbours
		want error
	}{
		{"a stranger", nil, neighbours{"nobody"}, account.ErrUserNotFound},
		{"no neighbours", nil, nil, account.ErrUserNotFound},
		{"a neighbour", nil, neighbours{bobID}, nil},
		{"an outage", nil, neighbours{"down"}, problem.ErrUnavailable},
		{"a superuser", func(p *principal.Principal) { p.Superuser = true }, nil, nil},
		{"a superuser's key", func(p *principal.Principal) { p.Superuser, p.APIKeyID = true, "k" }, nil, account.ErrUserNotFound},
		{"an impersonated superuser", func(p *principal.Principal) { p.Superuser, p.ImpersonatorID = true, "i" }, nil, account.ErrUserNotFound},
	} {
		cfg := w.cfg
		cfg.Neighbours = c.with
		svc, err := account.New(w.store, cfg)
		assert.NoError(t, err)
		caller, p := ada, *ada.Principal
		if caller.Principal = &p; c.who != nil {
			c.who(&p)
		}
		_, err = svc.User(t.Context(), caller, bobID)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A proof counts under the version that the session was looked up with: what changed
// the account while the password was checked is not proven (rule R1).
func TestR1_AStepUpCountsUnderTheSessionsVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: c.Principal.UserID}, func(context.Context, auth.User) error { return nil }))
	_, err := w.StepUp(t.Context(), c, account.StepUpParams{Password: adaPassword})
	assert.NoError(t, err) // the sessions refuse the proof; here they are a fake
	assert.Equal(t, w.sessions.elevated[0].SecurityVersion, c.SecurityVersion)
}

// The sign-ups that wait for an address end when an account moves there: their links
// would make another user of it.
func TestAMoveEndsTheSignUpsOfItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	c := w.ada(t, adaPassword)
	_, err := w.auth.SignUp(t.Context(), auth.SignUpParams{Name: "Eve", Email: newEmail, Password: adaPassword})
	assert.NoError(t, err)
	to := assert.Must(auth.ParseAddress(newEmail))(t)
	_, err = w.MoveTo(t.Context(), c, to, func(context.Context) error { return nil })
	assert.NoError(t, err)
	_, err = w.store.NewestSignUp(t.Context(), to.Key, w.now)
	assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
}

// What proves who the caller is, in the service and not only at its routes.
func TestASVS6_2_3_TheServiceAsksForTheCurrentPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, auth.Hooks{})
	ada, bob := w.ada(t, adaPassword), w.user(t, "bob@example.com", adaPassword)
	for _, current := range []string{"", "not this one"} {
		_, _, err := w.ChangePassword(t.Context(), ada, account.PasswordParams{Current: current, New: newPassword})
		assert.ErrorIs(t, err, auth.ErrInvalidPassword)
	}
	for _, p := range []account.StepUpParams{{}, {Password: adaPassword, Code: "123456"}} {
		_, err := w.StepUp(t.Context(), ada, p)
		assert.ErrorIs(t, err, account.ErrProofMissing)
	}
	assert.NoError(t, w.RequestDeletion(t.Context(), ada, ""))
	link := w.link(t, adaEmail)
	assert.ErrorIs(t, w.DeleteByLink(t.Context(), bob, link), account.ErrSignInFirst)
	assert.ErrorIs(t, w.DeleteByLink(t.Context(), account.Caller{}, link), account.ErrSignInFirst)
	assert.Len(t, w.sessions.elevated, 0)
	assert.NoError(t, w.auth.CheckPassword(t.Context(), ada.Principal.UserID, adaPassword))
}
