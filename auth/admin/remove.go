package admin

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/rowscope"
)

// Remove deletes a user with everything that is theirs, in one transaction, which
// joins that of ctx. Errors: ErrSelfRemoval, ErrLastSuperuser,
// auth.ErrUserNotFound, and what the hooks of the deletion refuse.
func (s *Service) Remove(ctx context.Context, userID, actorID string) error {
	if userID == actorID {
		return ErrSelfRemoval
	}
	if !s.store.InTransaction(ctx) {
		ctx = rowscope.ForSystem(ctx) // the user may be in any organization
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		// Taking the role first asks whether anybody is left to administer.
		if err := s.setSuperuser(ctx, userID, actorID, false); err != nil {
			return err
		}
		return s.cfg.DeleteUser(ctx, userID, actorID)
	})
	if err != nil {
		return fmt.Errorf("admin: remove a user: %w", err)
	}
	return nil
}

// BeforeUserDeleted is for auth.Hooks: it takes the role from a superuser who is
// about to be deleted, by themselves or by others, in the transaction that does.
// Errors: ErrLastSuperuser.
func (s *Service) BeforeUserDeleted(ctx context.Context, e auth.BeforeUserDeleted) error {
	if !e.User.Superuser {
		return nil
	}
	if err := s.setSuperuser(ctx, e.User.ID, e.ActorID, false); err != nil {
		return fmt.Errorf("admin: delete a superuser: %w", err)
	}
	return nil
}
