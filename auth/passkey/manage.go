package passkey

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/hook"
)

// MailRemoved is the kind of mail that tells an owner of a passkey that is gone.
const MailRemoved = "passkey-removed"

// List returns the caller's passkeys, the oldest first.
func (s *Service) List(ctx context.Context, c account.Caller) ([]Passkey, error) {
	userID, err := c.Person()
	if err != nil {
		return nil, err
	}
	have, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("passkey: list: %w", err)
	}
	return have, nil
}

// Count returns how many passkeys a user has, for whoever decides about second
// factors. It joins the transaction of ctx.
func (s *Service) Count(ctx context.Context, userID string) (int, error) {
	have, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("passkey: count: %w", err)
	}
	return len(have), nil
}

// Rename gives one of the caller's passkeys another name. It joins the transaction
// of ctx. Errors: ErrNotFound, auth.ErrInvalidName.
func (s *Service) Rename(ctx context.Context, c account.Caller, id, name string) (Passkey, error) {
	userID, err := c.Person()
	if err != nil {
		return Passkey{}, err
	}
	if name, err = auth.CleanName(name); err != nil {
		return Passkey{}, err
	}
	p, err := s.store.Rename(ctx, userID, id, name)
	if err != nil {
		return Passkey{}, fmt.Errorf("passkey: rename: %w", err)
	}
	return p, nil
}

// Delete deletes one of the caller's passkeys. Every other session of the user ends,
// and the owner is told by mail (rules R1, R12). The caller must be fresh. It joins
// the transaction of ctx.
//
// A passkey stays that is the only way in: the account has no password, no other
// passkey that signs in, and nothing that Config.OtherWays knows of. A mailbox from
// which a password can be reset is no way in by itself; links and codes by mail are
// one, and rule R12 says how such a user steps up. It stays, too, if a second factor
// is on and there is no other one: recovery codes run out, and are none.
//
// Errors: account.ErrNotFresh, ErrNotFound, ErrLastWayIn, ErrLastSecondFactor, auth.ErrStale.
func (s *Service) Delete(ctx context.Context, c account.Caller, id string) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	change := auth.Change{UserID: userID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID, Notice: MailRemoved}
	err = s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		removed, err := s.store.Remove(ctx, userID, id)
		if err != nil {
			return err
		}
		if err := s.mayGo(ctx, user, removed); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.PasskeyRemoved, Removed{Passkey: removed, Client: c.Client})
	})
	if err != nil {
		return fmt.Errorf("passkey: delete: %w", err)
	}
	return nil
}

// mayGo judges what is left of an account, whose user is locked, without a passkey
// that was just deleted.
func (s *Service) mayGo(ctx context.Context, user auth.User, removed Passkey) error {
	left, err := s.store.Passkeys(ctx, user.ID)
	if err != nil {
		return err
	}
	needed, err := s.cfg.NeedsPasskey(ctx, user)
	if err != nil {
		return err
	}
	if needed && len(left) == 0 {
		return ErrLastSecondFactor
	}
	if !removed.UserVerified || slices.ContainsFunc(left, func(p Passkey) bool { return p.UserVerified }) {
		return nil
	}
	at, err := s.cfg.Users.PasswordSetAt(ctx, user.ID)
	if err != nil || !at.IsZero() {
		return err
	}
	other, err := s.cfg.OtherWays(ctx, user)
	if err == nil && !other {
		err = ErrLastWayIn
	}
	return err
}
