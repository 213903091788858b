package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := admin.New(nil, admin.Config{})
	for _, field := range []string{"store", "Accounts", "Passwords", "SetPasswordLink", "DeleteUser", "Unlock", "Now"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestR1_ABanEndsSessionsAndWhatIsInFlight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	ban := admin.Ban{UserID: user.ID, ActorID: w.root.ID, Reason: "spam", Until: w.now.Add(time.Hour)}
	assert.NoError(t, w.Ban(t.Context(), ban))
	got := w.record(t, user.ID)
	assert.Equal(t, got.SecurityVersion, user.SecurityVersion+1)
	assert.Equal(t, w.sessions.ended, []string{user.ID})
	assert.True(t, got.Banned(w.now) && !got.Banned(ban.Until), "the ban ends when it says")
	assert.Equal(t, w.events, []any{auth.UserBanned{UserID: user.ID, ActorID: w.root.ID, Reason: "spam", Until: ban.Until}})
	for range 2 { // the second lifts nothing and is not told
		assert.NoError(t, w.Unban(t.Context(), user.ID, w.root.ID))
	}
	assert.Len(t, w.events, 2)
	assert.False(t, w.record(t, user.ID).Banned(w.now), "the ban is lifted")
	assert.NoError(t, w.Unlock(t.Context(), user.ID, w.root.ID))
	assert.Equal(t, w.events[2], any("unlocked "+user.ID))
}

func TestBansThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	for _, c := range []struct {
		ban  admin.Ban
		want error
	}{
		{admin.Ban{UserID: w.root.ID, ActorID: w.root.ID}, admin.ErrSelfBan},
		{admin.Ban{UserID: user.ID, Until: w.now}, admin.ErrInvalidBan},
		{admin.Ban{UserID: user.ID, Reason: strings.Repeat("é", 501)}, admin.ErrInvalidBan},
		{admin.Ban{UserID: user.ID, Reason: "\xff"}, admin.ErrInvalidBan},
		{admin.Ban{UserID: "nobody"}, auth.ErrUserNotFound},
		{admin.Ban{UserID: w.root.ID, ActorID: "somebody"}, admin.ErrLastSuperuser},
	} {
		assert.ErrorIs(t, w.Ban(t.Context(), c.ban), c.want)
	}
	assert.Len(t, w.sessions.ended, 0)
	assert.Len(t, w.events, 0)
}

func TestABanTakesTheRoleAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.user(t, "ada@example.com")
	assert.NoError(t, w.SetRole(t.Context(), other.ID, w.root.ID, "admin"))
	assert.NoError(t, w.Ban(t.Context(), admin.Ban{UserID: other.ID, ActorID: w.root.ID}))
	assert.NoError(t, w.Unban(t.Context(), other.ID, w.root.ID))
	assert.False(t, w.record(t, other.ID).Superuser, "who comes back is not in charge at once")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	assert.ErrorIs(t, w.SetRole(t.Context(), user.ID, w.root.ID, "owner"), admin.ErrRoleUnknown)
	assert.ErrorIs(t, w.SetRole(t.Context(), w.root.ID, w.root.ID, "user"), admin.ErrSelfDemotion)
	assert.ErrorIs(t, w.SetRole(t.Context(), w.root.ID, user.ID, "user"), admin.ErrLastSuperuser)
	assert.ErrorIs(t, w.SetRole(t.Context(), "nobody", w.root.ID, "admin"), auth.ErrUserNotFound)
	for range 2 {
		assert.NoError(t, w.SetRole(t.Context(), user.ID, w.root.ID, "admin"))
	}
	assert.NoError(t, w.SetRole(t.Context(), w.root.ID, user.ID, "user"))
	assert.Equal(t, w.events, []any{
		auth.SuperuserChanged{UserID: user.ID, ActorID: w.root.ID, Superuser: true},
		auth.SuperuserChanged{UserID: w.root.ID, ActorID: user.ID},
	})
}

func TestR4_ACreatedUserProvesTheirMailboxByTheLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := admin.NewUser{Email: "Ada@Example.com", Name: "Ada", Role: "admin", ActorID: w.root.ID}
	got, err := w.Create(t.Context(), n)
	assert.NoError(t, err)
	assert.Equal(t, []any{got.Email, got.Display, got.EmailVerified, got.Superuser}, []any{"ada@example.com", "Ada@Example.com", false, true})
	assert.Equal(t, w.links, []string{got.ID})
	_, err = w.Create(t.Context(), n)
	assert.ErrorIs(t, err, admin.ErrAddressInUse)
	n.Email, n.Role = "bob@example.com", "owner"
	_, err = w.Create(t.Context(), n)
	assert.ErrorIs(t, err, admin.ErrRoleUnknown)
	n.Role, n.Password = "", "a password that root knows"
	_, err = w.Create(t.Context(), n)
	assert.ErrorIs(t, err, admin.ErrTypedPassword)
	n.Password, n.Name = "", ""
	_, err = w.Create(t.Context(), n)
	assert.ErrorIs(t, err, auth.ErrInvalidName)
	assert.Len(t, w.links, 1)
}

func TestR4_ATypedPasswordOfANewUserWorksOrIsRefused(t *testing.T) {
	t.Parallel()
	n := admin.NewUser{Email: "ada@example.com", Name: "Ada", Password: "correct horse battery"}
	closed := newWorld(t)
	_, err := closed.Create(t.Context(), admin.NewUser{Email: n.Email, Name: n.Name, EmailVerified: true})
	assert.ErrorIs(t, err, admin.ErrVouchedAddress)

	w := newWorld(t, func(c *admin.Config) { c.TypedPasswords = true })
	_, err = w.Create(t.Context(), n)
	assert.ErrorIs(t, err, admin.ErrUnprovenPassword)
	n.EmailVerified, n.Password = true, "short"
	_, err = w.Create(t.Context(), n)
	assert.Error(t, err)
	assert.Len(t, w.links, 0) // nobody was made

	n.Password, n.Role = "correct horse battery", "admin"
	got, err := w.Create(t.Context(), n)
	assert.NoError(t, err)
	assert.True(t, got.EmailVerified && got.Superuser, "a superuser vouched for the address")
	_, _, err = w.accounts.SignIn(t.Context(), auth.SignInParams{Email: n.Email, Password: n.Password})
	assert.NoError(t, err)
	assert.Equal(t, w.links, []string{got.ID}) // to choose one that root does not know
}

// Hashing takes long and waits for a slot: not with the writer's lock in hand.
func TestACreatedUsersPasswordIsHashedOutsideTheTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *admin.Config) { c.TypedPasswords = true })
	n := admin.NewUser{Email: "ada@example.com", Name: "Ada", EmailVerified: true, Password: "correct horse battery"}
	_, err := w.Create(t.Context(), n)
	assert.NoError(t, err)
	assert.Equal(t, w.hasher.inside, 0)
}

func TestR22_SuperusersDoNotChoosePasswordsUnlessTheHostSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	assert.ErrorIs(t, w.SetPassword(t.Context(), user.ID, w.root.ID, "known to root", auth.Client{}), admin.ErrTypedPassword)
	assert.NoError(t, w.SetPassword(t.Context(), user.ID, w.root.ID, "", auth.Client{}))
	assert.Equal(t, w.links, []string{user.ID})
	assert.Len(t, w.sessions.ended, 0) // a mailed link changes nothing yet
	assert.ErrorIs(t, w.SetPassword(t.Context(), "nobody", w.root.ID, "", auth.Client{}), auth.ErrUserNotFound)

	w = newWorld(t, func(c *admin.Config) { c.TypedPasswords = true })
	user = w.user(t, "ada@example.com")
	assert.NoError(t, w.SetPassword(t.Context(), user.ID, w.root.ID, "correct horse battery", auth.Client{}))
	assert.Equal(t, w.sessions.ended, []string{user.ID})
	assert.Equal(t, w.links, []string{user.ID}) // to choose one that root does not know
	assert.Len(t, w.mailbox.Messages(), 1)
	assert.Equal(t, w.mailbox.Messages()[0].To, "ada@example.com")
	assert.Equal(t, w.events, []any{auth.PasswordChanged{UserID: user.ID, ActorID: w.root.ID}})
	assert.NoError(t, w.accounts.CheckPassword(t.Context(), user.ID, "correct horse battery"))
	assert.Error(t, w.SetPassword(t.Context(), user.ID, w.root.ID, "short", auth.Client{}))
	assert.Len(t, w.sessions.ended, 1)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	text := func(s string) *string { return &s }
	update := admin.Update{UserID: user.ID, ActorID: w.root.ID}
	_, err := w.Update(t.Context(), update)
	assert.ErrorIs(t, err, admin.ErrNothingToUpdate)
	update.Name, update.Image, update.Role = text(" Countess "), text("https://example.com/a.png"), text("admin")
	got, err := w.Update(t.Context(), update)
	assert.NoError(t, err)
	assert.Equal(t, []any{got.Name, got.Image, got.Superuser}, []any{"Countess", "https://example.com/a.png", true})
	assert.Len(t, w.events, 2)
	for _, c := range []struct {
		change func(*admin.Update)
		want   error
	}{
		{func(u *admin.Update) { u.Name = text("\x00") }, auth.ErrInvalidName},
		{func(u *admin.Update) { u.Image = text("javascript:1") }, auth.ErrInvalidImage},
		{func(u *admin.Update) { u.Role = text("owner") }, admin.ErrRoleUnknown},
		{func(u *admin.Update) { u.UserID = "nobody" }, auth.ErrUserNotFound},
	} {
		bad := update
		bad.Name = text("Never written")
		c.change(&bad)
		_, err := w.Update(t.Context(), bad)
		assert.ErrorIs(t, err, c.want)
	}
	assert.Equal(t, w.record(t, user.ID).Name, "Countess")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	assert.ErrorIs(t, w.Remove(t.Context(), w.root.ID, w.root.ID), admin.ErrSelfRemoval)
	assert.ErrorIs(t, w.Remove(t.Context(), w.root.ID, user.ID), admin.ErrLastSuperuser)
	assert.ErrorIs(t, w.Remove(t.Context(), "nobody", w.root.ID), auth.ErrUserNotFound)
	assert.NoError(t, w.Remove(t.Context(), user.ID, w.root.ID))
	assert.Equal(t, w.events, []any{"deleted " + user.ID})
}

func TestHooksOfTheAdministrationMayVeto(t *testing.T) {
	t.Parallel()
	veto := errors.New("veto")
	w := newWorld(t, func(c *admin.Config) {
		c.Hooks = auth.Hooks{
			UserBanned:  func(context.Context, auth.UserBanned) error { return veto },
			UserUpdated: func(context.Context, auth.UserUpdated) error { return veto },
		}
	})
	user := w.user(t, "ada@example.com")
	name := "Other"
	assert.ErrorIs(t, w.Ban(t.Context(), admin.Ban{UserID: user.ID}), veto)
	_, err := w.Update(t.Context(), admin.Update{UserID: user.ID, Name: &name})
	assert.ErrorIs(t, err, veto)
	got := w.record(t, user.ID)
	assert.Equal(t, []any{got.Name, got.Banned(w.now), got.SecurityVersion}, []any{"Ada", false, user.SecurityVersion})
}

func TestListBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, q := range []admin.Query{{}, {Limit: -1, Offset: -1}, {Limit: 1 << 30}} {
		list, total, err := w.List(t.Context(), q)
		assert.NoError(t, err)
		assert.Equal(t, []int{len(list), total}, []int{1, 1})
	}
}

func TestR22_NobodyActsAsASuperuserOrABannedUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, "ada@example.com")
	p := auth.ImpersonateParams{UserID: user.ID, ActorID: w.root.ID, ActorSessionID: "root's"}
	_, err := w.Impersonate(t.Context(), p)
	assert.NoError(t, err)
	got := w.sessions.passes[0]
	assert.Equal(t, []any{got.UserID, got.ActorID, got.ActorSessionID, got.BrowserOnly, got.Bearer, got.Channels[0]},
		[]any{user.ID, w.root.ID, "root's", true, false, "impersonation"})
	assert.True(t, w.record(t, user.ID).LastSignInAt.IsZero(), "the user did not sign in")
	assert.NoError(t, w.Ban(t.Context(), admin.Ban{UserID: user.ID}))
	_, err = w.Impersonate(t.Context(), p)
	assert.ErrorIs(t, err, admin.ErrBanned)
	other := w.user(t, "bob@example.com")
	assert.NoError(t, w.SetRole(t.Context(), other.ID, w.root.ID, "admin"))
	p.UserID = other.ID
	_, err = w.Impersonate(t.Context(), p)
	assert.ErrorIs(t, err, auth.ErrImpersonateSuperuser)
	p.UserID = "nobody"
	_, err = w.Impersonate(t.Context(), p)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	assert.Len(t, w.sessions.passes, 1)
}

// Whoever deletes a superuser, themselves included, leaves somebody in charge.
func TestADeletionLeavesSomebodyInCharge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.user(t, "ada@example.com")
	leave := func(id string) error {
		user := w.record(t, id).User
		return w.store.InTx(t.Context(), func(ctx context.Context) error {
			return w.BeforeUserDeleted(ctx, auth.BeforeUserDeleted{User: user, ActorID: id})
		})
	}
	assert.NoError(t, leave(other.ID)) // no superuser
	assert.ErrorIs(t, leave(w.root.ID), admin.ErrLastSuperuser)
	assert.Len(t, w.events, 0)
	assert.NoError(t, w.SetRole(t.Context(), other.ID, w.root.ID, "admin"))
	assert.NoError(t, leave(w.root.ID))
	assert.False(t, w.record(t, w.root.ID).Superuser, "the role is given up")
	assert.Equal(t, w.events[1], any(auth.SuperuserChanged{UserID: w.root.ID, ActorID: w.root.ID}))
	assert.ErrorIs(t, leave(other.ID), admin.ErrLastSuperuser)
}
