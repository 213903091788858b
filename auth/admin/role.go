package admin

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// SetRole makes a user a superuser ("admin") or takes that away ("user"). It acts
// on the user's next request: roles are read, not copied (rule R18). It joins the
// transaction of ctx. Errors: ErrRoleUnknown, ErrSelfDemotion, ErrLastSuperuser,
// auth.ErrUserNotFound.
func (s *Service) SetRole(ctx context.Context, userID, actorID, name string) error {
	switch {
	case name != RoleUser && name != RoleAdmin:
		return ErrRoleUnknown
	case name == RoleUser && userID == actorID:
		return ErrSelfDemotion
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		return s.setSuperuser(ctx, userID, actorID, name == RoleAdmin)
	})
	if err != nil {
		return fmt.Errorf("admin: set a role: %w", err)
	}
	return nil
}

func (s *Service) setSuperuser(ctx context.Context, userID, actorID string, superuser bool) error {
	changed, err := s.store.SetSuperuser(ctx, userID, superuser, s.now())
	if err != nil || !changed {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.SuperuserChanged, auth.SuperuserChanged{
		UserID: userID, ActorID: actorID, Superuser: superuser,
	})
}

// Impersonate starts a session in which a superuser acts as a user, who is neither
// a superuser nor banned (rule R22). It joins the transaction of ctx. Errors:
// ErrBanned, auth.ErrImpersonateSuperuser, auth.ErrUserNotFound.
func (s *Service) Impersonate(ctx context.Context, p auth.ImpersonateParams) (grant auth.Grant, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		record, err := s.store.Record(ctx, p.UserID)
		if err != nil {
			return err
		}
		if record.Banned(s.now()) {
			return ErrBanned
		}
		grant, err = s.cfg.Accounts.Impersonate(ctx, p)
		return err
	})
	if err != nil {
		return auth.Grant{}, fmt.Errorf("admin: impersonate: %w", err)
	}
	return grant, nil
}
