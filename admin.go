package tenon

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
)

func (a *App) wireAdmin() (err error) {
	a.Admin, err = admin.New(a.users, admin.Config{
		Accounts:        a.Auth,
		Passwords:       a.users,
		SetPasswordLink: a.Recovery.Invite,
		DeleteUser: func(ctx context.Context, userID, actorID string) error {
			return a.Auth.DeleteUser(ctx, auth.Deletion{UserID: userID, ActorID: actorID})
		},
		Unlock:         a.Auth.Unlock,
		TypedPasswords: a.cfg.TypedPasswords,
		Hooks:          auth.JoinHooks(a.auditAuth(), a.cfg.AuthHooks),
		Now:            a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.adminHTTP, err = admin.NewHandler(a.Admin, admin.HandlerConfig{Impersonate: a.impersonate})
	return err
}

// impersonate hands the browser a session in which its superuser acts as somebody
// else.
func (a *App) impersonate(w http.ResponseWriter, r *http.Request, grant auth.Grant) {
	a.sessionHTTP.Impersonate(w, r, sessionGrant(grant))
}
