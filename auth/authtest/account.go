package authtest

import (
	"context"
	"maps"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/twofactor"
)

var _ account.Store = (*Fake)(nil)

// UpdateProfile implements auth.ProfileStore.
func (f *Fake) UpdateProfile(ctx context.Context, id string, p auth.Profile, now time.Time) (user auth.User, err error) {
	err = f.Do(ctx, func(s *state) error {
		found, ok := s.users[id]
		if !ok {
			return auth.ErrUserNotFound
		}
		if p.Name != nil {
			found.Name = *p.Name
		}
		if p.Image != nil {
			found.Image = *p.Image
		}
		found.UpdatedAt = now
		s.users[id], user = found, found
		return nil
	})
	return user, err
}

// LockUser implements auth.ProfileStore. Transactions run one after the other.
func (f *Fake) LockUser(ctx context.Context, id string) (auth.User, error) {
	if err := f.requireTx(ctx); err != nil {
		return auth.User{}, err
	}
	return f.UserByID(ctx, id)
}

// DeleteUser implements auth.ProfileStore.
func (f *Fake) DeleteUser(ctx context.Context, id string, version int64) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		if user, ok := s.users[id]; !ok || user.SecurityVersion != version {
			return auth.ErrUserNotFound
		}
		delete(s.users, id)
		delete(s.passwords, id)
		delete(s.setAt, id)
		delete(s.bans, id)
		s.dropFactors(id)
		delete(s.mailFactors, id)
		maps.DeleteFunc(s.trusted, func(_ string, d twofactor.TrustedDevice) bool { return d.UserID == id })
		return nil
	})
}

// SetEmail implements account.Store.
func (f *Fake) SetEmail(ctx context.Context, userID string, address auth.Address, now time.Time) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		for _, other := range s.users {
			if other.Email == address.Key && other.ID != userID {
				return auth.ErrAddressTaken
			}
		}
		user, ok := s.users[userID]
		if !ok {
			return auth.ErrUserNotFound
		}
		user.Email, user.Display, user.EmailVerified, user.EmailProof, user.UpdatedAt = address.Key, address.Display, true, auth.ProofMail, now
		s.users[userID] = user
		return nil
	})
}

// PasswordSetAt implements account.Store.
func (f *Fake) PasswordSetAt(ctx context.Context, userID string) (at time.Time, err error) {
	err = f.Do(ctx, func(s *state) error {
		if len(s.passwords[userID]) > 0 {
			at = s.setAt[userID]
		}
		return nil
	})
	return at, err
}
