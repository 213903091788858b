package sessiontest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tenon-go/tenon/session"
)

var errSelectorTaken = errors.New("sessiontest: the selector exists")

// SessionByID implements session.Store.
func (f *Fake) SessionByID(ctx context.Context, userID, id string) (found session.Session, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[id]
		if !ok || r.UserID != userID || !s.admits(r) {
			return session.ErrNoSession
		}
		found = r.Session
		found.Channels, found.FreshChannels = slices.Clone(r.Channels), slices.Clone(r.FreshChannels)
		return nil
	})
	return found, err
}

// ElevateSession implements session.Store.
func (f *Fake) ElevateSession(ctx context.Context, e session.Elevation) error {
	return f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[e.ID]
		if !ok || r.UserID != e.UserID || !r.revokedAt.IsZero() || r.SecurityVersion != e.SecurityVersion ||
			!r.FreshAt.Equal(e.FreshAt) || r.Generation != e.Generation || !r.Live(e.At) {
			return session.ErrNoSession
		}
		if other, taken := s.bySelector(e.To.Selector); taken && other.ID != e.ID {
			return errSelectorTaken
		}
		r.Selector, r.Verifier = e.To.Selector, e.To.Verifier
		r.Verifier.MAC = slices.Clone(r.Verifier.MAC)
		r.Channels, r.FreshChannels = slices.Clone(e.To.Channels), slices.Clone(e.To.FreshChannels)
		r.FreshAt, r.LastSeenAt, r.IdleEndsAt, r.EndsAt = e.To.FreshAt, e.To.LastSeenAt, e.To.IdleEndsAt, e.To.EndsAt
		r.failures, r.Generation, r.salt, r.rotatedAt, r.replays = 0, e.To.Generation, nil, time.Time{}, e.Replays
		if r.Bearer {
			r.rotatedAt = e.At
		}
		s.rows[e.ID] = r
		return nil
	})
}

// FailStepUp implements session.Store.
func (f *Fake) FailStepUp(ctx context.Context, userID, id string) (failures int, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[id]
		if !ok || r.UserID != userID || !r.revokedAt.IsZero() {
			return session.ErrSessionNotFound
		}
		r.failures++
		s.rows[id], failures = r, r.failures
		return nil
	})
	return failures, err
}
