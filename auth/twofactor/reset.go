package twofactor

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// ResetParams say whose second factors a superuser takes away.
type ResetParams struct {
	UserID string
	// ActorID is the superuser.
	ActorID string
	// KeepPasskeys leaves the passkeys, which are a way in as well.
	KeepPasskeys bool
	Client       auth.Client
}

// Reset takes all second factors of a user away who lost theirs: the app, the recovery
// codes, the passkeys unless they are to stay, and with the security version every
// trusted device, challenge and session (rule R1). The owner is told by mail, and
// auth.Hooks.SecondFactorReset runs in the transaction, which joins that of ctx. That
// the user is who they say is for the superuser to know. Nobody resets their own: a
// session that somebody took over would be rid of them. Errors: ErrSelfReset, ErrOff
// for a user with nothing to take, auth.ErrUserNotFound.
func (s *Service) Reset(ctx context.Context, p ResetParams) error {
	if p.UserID == p.ActorID {
		return ErrSelfReset
	}
	change := auth.Change{UserID: p.UserID, Notice: MailReset}
	err := s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		n, err := s.passkeys(ctx, user.ID)
		if err != nil {
			return err
		}
		drop := n > 0 && !p.KeepPasskeys
		if user.SecondFactorAt.IsZero() && !drop {
			return ErrOff
		}
		if err := s.turnOff(ctx, user.ID); err != nil {
			return err
		}
		if drop {
			if err := s.cfg.Passkeys.DropPasskeys(ctx, user.ID); err != nil {
				return err
			}
		}
		return hook.Call(ctx, s.cfg.Auth.Hooks().SecondFactorReset, auth.SecondFactorReset{
			UserID: user.ID, ActorID: p.ActorID, Passkeys: drop, Client: p.Client,
		})
	})
	if err != nil {
		return fmt.Errorf("twofactor: reset: %w", err)
	}
	return nil
}
