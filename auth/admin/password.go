package admin

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// MailPasswordSet is the kind of mail that tells a user that a superuser set
// their password.
const MailPasswordSet = "password-set-by-admin"

// SetPassword mails the user a link to choose a password or, where typed
// passwords are allowed and one is given, sets it: the user's sessions end, they
// are told by mail, and a link to choose their own goes along (rule R22,
// ASVS 6.4.6). It hashes before it opens a transaction, so call it outside of
// one where typed is not empty. Errors: ErrTypedPassword, those of
// password.Policy.Check, auth.ErrUserNotFound.
func (s *Service) SetPassword(ctx context.Context, userID, actorID, typed string, client auth.Client) error {
	if typed != "" && !s.cfg.TypedPasswords {
		return ErrTypedPassword
	}
	record, err := s.store.Record(ctx, userID)
	if err != nil {
		return fmt.Errorf("admin: set a password: %w", err)
	}
	if typed == "" {
		err = s.store.InTx(ctx, func(ctx context.Context) error { return s.cfg.SetPasswordLink(ctx, record.User) })
	} else {
		err = s.setTyped(ctx, record.User, actorID, typed, client)
	}
	if err != nil {
		return fmt.Errorf("admin: set a password: %w", err)
	}
	return nil
}

func (s *Service) setTyped(ctx context.Context, user auth.User, actorID, typed string, client auth.Client) error {
	sealed, err := s.cfg.Accounts.NewPassword(ctx, user, typed)
	if err != nil {
		return err
	}
	change := auth.Change{UserID: user.ID, Notice: MailPasswordSet}
	return s.cfg.Accounts.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		if err := s.cfg.Passwords.SetPassword(ctx, user.ID, sealed, s.now()); err != nil {
			return err
		}
		// The link is made under the new security version: older ones are dead.
		if err := s.cfg.SetPasswordLink(ctx, user); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.PasswordChanged, auth.PasswordChanged{UserID: user.ID, ActorID: actorID, Client: client})
	})
}
