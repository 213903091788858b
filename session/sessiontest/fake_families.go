package sessiontest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/tenon-go/tenon/session"
)

// RotateFamily implements session.Families.
func (f *Fake) RotateFamily(ctx context.Context, n session.Rotation) (family session.Family, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[n.ID]
		parent := r.Generation == n.Generation && r.Verifier.KID == n.Parent.KID && bytes.Equal(r.Verifier.MAC, n.Parent.MAC)
		if !ok || !r.Bearer || !parent || !s.admits(r) || !r.Live(n.At) {
			return session.ErrNoSession
		}
		r.Generation++
		r.Verifier.KID, r.Verifier.MAC, r.salt = n.Child.KID, slices.Clone(n.Child.MAC), slices.Clone(n.Salt)
		r.rotatedAt, r.replays = n.At, 0
		r.LastSeenAt, r.IdleEndsAt = n.At, n.IdleEndsAt
		if r.Assurance() == 2 {
			r.IdleEndsAt = n.IdleEndsAt2
		}
		if r.IdleEndsAt.After(r.EndsAt) {
			r.IdleEndsAt = r.EndsAt
		}
		s.rows[n.ID], family = r, r.family()
		return nil
	})
	return family, err
}

// ReplayFamily implements session.Families.
func (f *Fake) ReplayFamily(ctx context.Context, n session.Replay) (family session.Family, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[n.ID]
		if !ok || !r.Bearer || !s.admits(r) || !r.Live(n.At) || !r.followed(n.Generation, n.At, n.Grace) || r.replays >= n.Limit {
			return session.ErrNoSession
		}
		r.replays++
		s.rows[n.ID], family = r, r.family()
		return nil
	})
	return family, err
}

// FindFamily implements session.Families.
func (f *Fake) FindFamily(ctx context.Context, id string) (family session.Family, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[id]
		if !ok || !r.Bearer || !r.revokedAt.IsZero() {
			return session.ErrNoSession
		}
		family = r.family()
		return nil
	})
	return family, err
}

func (r row) family() session.Family {
	return session.Family{
		UserID: r.UserID, SecurityVersion: r.SecurityVersion,
		Generation: r.Generation, Verifier: r.Verifier, Salt: r.salt,
		RotatedAt: r.rotatedAt, Replays: r.replays, IdleEndsAt: r.IdleEndsAt, FreshAt: r.FreshAt,
	}
}

// followed reports whether the newest token is the one after generation, made
// within grace before at.
func (r row) followed(generation int64, at time.Time, grace time.Duration) bool {
	age := at.Sub(r.rotatedAt)
	return r.Generation == generation+1 && age >= 0 && age <= grace
}

// spares reports whether an ending is for older refresh tokens than r's.
func (r row) spares(e session.Ending) bool {
	return e.PastGeneration > 0 && (r.Generation <= e.PastGeneration || r.followed(e.PastGeneration, e.At, e.Grace))
}
