package admin

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// maxReason bounds the reason of a ban, in characters.
const maxReason = 500

// Ban keeps a user out until b.Until, or for good: their sessions end, and
// whatever is in flight is dead (rule R1). b.At is set. A second ban takes the
// place of the first. It joins the transaction of ctx. Errors: ErrSelfBan,
// ErrInvalidBan, ErrLastSuperuser, auth.ErrUserNotFound.
func (s *Service) Ban(ctx context.Context, b Ban) error {
	b.At = s.now()
	switch {
	case b.UserID == b.ActorID:
		return ErrSelfBan
	case !b.Until.IsZero() && !b.Until.After(b.At), utf8.RuneCountInString(b.Reason) > maxReason, !utf8.ValidString(b.Reason):
		return ErrInvalidBan
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		// A ban takes the role along: who comes back is not in charge at once. It
		// comes first because it locks all superusers in one order: two who ban each
		// other, each of them holding the other's row, would wait for good.
		if err := s.setSuperuser(ctx, b.UserID, b.ActorID, false); err != nil {
			return err
		}
		return s.cfg.Accounts.Secure(ctx, auth.Change{UserID: b.UserID}, func(ctx context.Context, _ auth.User) error {
			if err := s.store.SetBan(ctx, b); err != nil {
				return err
			}
			return hook.Call(ctx, s.cfg.Hooks.UserBanned, auth.UserBanned{
				UserID: b.UserID, ActorID: b.ActorID, Reason: b.Reason, Until: b.Until,
			})
		})
	})
	if err != nil {
		return fmt.Errorf("admin: ban: %w", err)
	}
	return nil
}

// Unban lifts a ban. For a user who is not banned it does nothing. It joins the
// transaction of ctx. Errors: auth.ErrUserNotFound.
func (s *Service) Unban(ctx context.Context, userID, actorID string) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		lifted, err := s.store.LiftBan(ctx, userID, s.now())
		if err != nil || !lifted {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.UserUnbanned, auth.UserUnbanned{UserID: userID, ActorID: actorID})
	})
	if err != nil {
		return fmt.Errorf("admin: unban: %w", err)
	}
	return nil
}

// Unlock takes back the wrong guesses at a user's password, so that strangers'
// browsers may try again (rule R9). Errors: auth.ErrUserNotFound.
func (s *Service) Unlock(ctx context.Context, userID, actorID string) error {
	if err := s.cfg.Unlock(ctx, userID, actorID); err != nil {
		return fmt.Errorf("admin: unlock: %w", err)
	}
	return nil
}
