package sessiontest

import (
	"context"

	"github.com/tenon-go/tenon/session"
)

var _ session.Users = (*Fake)(nil)

// Hold implements session.Users on the Fake's own users: transactions run one
// after the other, so nothing needs to be locked.
func (f *Fake) Hold(ctx context.Context, userID string) error {
	return f.mem.Do(ctx, func(s *state) error {
		if u, ok := s.users[userID]; !ok || u.Gone {
			return session.ErrNoSession
		}
		return nil
	})
}

// RaiseVersion implements session.Users on the Fake's own users.
func (f *Fake) RaiseVersion(ctx context.Context, userID string) (version int64, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		u, ok := s.users[userID]
		if !ok || u.Gone {
			return session.ErrNoSession
		}
		u.SecurityVersion++
		s.users[userID], version = u, u.SecurityVersion
		return nil
	})
	return version, err
}
