package tenon

import (
	"context"
	"errors"

	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/tenancy"
)

// finder is what requests find their sessions by: App.Sessions, or a cache before
// it if the host asked for one.
func (a *App) finder() (session.Finder, error) {
	if a.cfg.SessionCache == nil {
		return a.Sessions, nil
	}
	cfg := *a.cfg.SessionCache
	if cfg.Hints == nil {
		cfg.Hints = sessionbun.NewHints(a.DB)
	}
	if cfg.Logger == nil {
		cfg.Logger = a.cfg.Logger
	}
	var err error
	a.sessionCache, err = sessioncache.New(a.Sessions, cfg)
	return a.sessionCache, err
}

// runSessionCache returns at once where there is none.
func (a *App) runSessionCache(ctx context.Context) error {
	if a.sessionCache == nil {
		return nil
	}
	return a.sessionCache.Run(ctx)
}

// forget has every cache, in all processes, forget the sessions of a user who is
// changed in the transaction of ctx (rule R17), or of everybody. Sessions that end
// are logged by App.Sessions itself.
func (a *App) forget(ctx context.Context, userID string) error {
	return a.Sessions.LogRevocation(ctx, session.Revocation{UserID: userID})
}

// forgetRoles are the hooks by which the role of a session's user changes, or what it
// allows. Whose membership ends is forgotten where their sessions are told.
func (a *App) forgetRoles() tenancy.Hooks {
	return tenancy.Hooks{
		MemberJoined: func(ctx context.Context, e tenancy.MemberJoined) error { return a.forget(ctx, e.Member.UserID) },
		MemberRoleChanged: func(ctx context.Context, e tenancy.MemberRoleChanged) error {
			return a.forget(ctx, e.After.UserID)
		},
		RoleChanged: func(ctx context.Context, e tenancy.RoleChanged) error {
			for _, userID := range e.UserIDs {
				if err := a.forget(ctx, userID); err != nil {
					return err
				}
			}
			return nil
		},
		OwnerChanged: func(ctx context.Context, e tenancy.OwnerChanged) error {
			return errors.Join(a.forget(ctx, e.From), a.forget(ctx, e.To))
		},
		// What is demanded of all members, and of their sessions.
		SecondFactorPolicySet: func(ctx context.Context, _ tenancy.SecondFactorPolicySet) error { return a.forget(ctx, "") },
	}
}
