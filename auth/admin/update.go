package admin

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// Update says what of a user changes. A nil field stays as it is.
type Update struct {
	UserID, ActorID string
	Name, Image     *string
	// Role is "user" or "admin"; see SetRole.
	Role *string
}

// Update changes a user's profile and role. It joins the transaction of ctx.
// Errors: ErrNothingToUpdate, auth.ErrInvalidName, auth.ErrInvalidImage, those of
// SetRole, auth.ErrUserNotFound.
func (s *Service) Update(ctx context.Context, u Update) (Record, error) {
	if u.Name == nil && u.Image == nil && u.Role == nil {
		return Record{}, ErrNothingToUpdate
	}
	var changed Record
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		record, err := s.store.Record(ctx, u.UserID)
		if err != nil {
			return err
		}
		if u.Role != nil {
			if err := s.SetRole(ctx, u.UserID, u.ActorID, *u.Role); err != nil {
				return err
			}
		}
		if err := s.setProfile(ctx, record.User, u); err != nil {
			return err
		}
		changed, err = s.store.Record(ctx, u.UserID)
		return err
	})
	if err != nil {
		return Record{}, fmt.Errorf("admin: update a user: %w", err)
	}
	return changed, nil
}

func (s *Service) setProfile(ctx context.Context, user auth.User, u Update) (err error) {
	if u.Name == nil && u.Image == nil {
		return nil
	}
	if u.Name != nil {
		if user.Name, err = auth.CleanName(*u.Name); err != nil {
			return err
		}
	}
	if u.Image != nil {
		if user.Image, err = auth.CleanImage(*u.Image); err != nil {
			return err
		}
	}
	user.UpdatedAt = s.now()
	if err := s.store.SetProfile(ctx, user.ID, user.Name, user.Image, user.UpdatedAt); err != nil {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.UserUpdated, auth.UserUpdated{User: user, ActorID: u.ActorID})
}
