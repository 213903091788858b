package tenon

import (
	"context"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

func (a *App) wireAccount() (err error) {
	a.Account, err = account.New(a.users, account.Config{
		Auth:       a.Auth,
		Tokens:     a.tokens,
		Sessions:   sessions{a.Sessions},
		Neighbours: a.Organizations,
		Codes:      stepUpCodes{a},
		Factors:    secondFactors{a},
		Links:      a.linkedAccounts,
		Now:        a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.accountHTTP, err = account.NewHandler(a.Account, account.HandlerConfig{
		BaseURL:         a.cfg.BaseURL,
		ProductName:     a.cfg.ProductName,
		RedirectTargets: a.cfg.RedirectTargets,
		Caller:          a.Caller,
		SetSession:      a.RenewSession,
		ClearSession:    a.clearSession,
	})
	return err
}

// Caller returns who sent r, for calls of App.Account from the host's own pages. It
// returns problem.ErrUnauthenticated for nobody. r must have passed Middleware.
func (a *App) Caller(r *http.Request) (account.Caller, error) {
	if err := session.CheckUser(r); err != nil {
		return account.Caller{}, err
	}
	p, _ := principal.FromContext(r.Context())
	caller := account.Caller{Principal: p, Client: auth.ClientOf(r)}
	if found, ok := session.FromContext(r.Context()); ok {
		caller.SecurityVersion = found.Session.SecurityVersion
	}
	switch err := session.CheckFresh(r, account.DefaultFreshFor); {
	case err == nil:
		caller.Fresh = true
	case !errors.Is(err, session.ErrNotFresh) && !errors.Is(err, problem.ErrForbidden):
		return account.Caller{}, err
	}
	return caller, nil
}

// clearSession makes the browser of a user who is gone forget the cookie. A bearer's
// client has none, and the one of its jar may be somebody else's (rule R16).
func (a *App) clearSession(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		a.sessionHTTP.ClearCookie(w)
	}
}

// forgetUser takes a user out of everything that Tenon keeps elsewhere, in the
// transaction that deletes the user.
func (a *App) forgetUser(ctx context.Context, e auth.UserDeleted) error {
	for _, purpose := range append(account.Purposes(), recovery.PurposeReset, auth.PurposeUnlock) {
		if err := a.tokens.RevokeSiblings(ctx, purpose, e.User.ID); err != nil {
			return err
		}
	}
	if err := a.tokens.RevokeSiblings(ctx, passwordless.PurposeLink, e.User.Email); err != nil {
		return err
	}
	if err := a.Passwordless.Forget(ctx, e.User); err != nil {
		return err
	}
	if err := a.Invitations.Forget(ctx, e.User.ID); err != nil {
		return err
	}
	if err := a.users.DropChallenges(ctx, e.User.ID); err != nil {
		return err
	}
	if err := a.features.forget(ctx, e.User.ID); err != nil {
		return err
	}
	if err := a.Notifications.Forget(ctx, e.User.ID); err != nil {
		return err
	}
	return a.Sessions.ForgetUser(ctx, e.User.ID)
}

// leaveRole keeps the last superuser from leaving nobody in charge.
func (a *App) leaveRole(ctx context.Context, e auth.BeforeUserDeleted) error {
	return a.Admin.BeforeUserDeleted(ctx, e)
}

// leaveOrganizations settles what becomes of a user's organizations, and may refuse
// the deletion.
func (a *App) leaveOrganizations(ctx context.Context, e auth.BeforeUserDeleted) error {
	return a.Organizations.RemoveUser(ctx, e.User.ID)
}

// auditDeletion writes that a user is gone, and erases what is personal of them.
func (a *App) auditDeletion(ctx context.Context, e auth.UserDeleted) error {
	if err := a.record(ctx, aboutUser("user_deleted", "UserDeleted", e.User.ID, e.ActorID, e.Client, nil)); err != nil || a.Audit == nil || a.keepPersonal {
		return err
	}
	// What invited them names their address.
	var invitations []audit.Target
	_, err := a.Audit.Export(ctx, audit.Query{All: true, ActorID: e.User.ID, Event: eventAccepted}, func(r audit.Record) error {
		if !r.Damaged {
			invitations = append(invitations, r.Target)
		}
		return nil
	})
	if err == nil {
		_, err = a.Audit.Erase(ctx, e.User.ID, invitations...)
	}
	return err
}
