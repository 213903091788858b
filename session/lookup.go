package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

const (
	// touchEvery is how often a session's use is recorded at most.
	touchEvery = time.Minute
	// touchWithin is how long a request waits for that.
	touchWithin = time.Second
)

// Lookup finds the live session that raw opens. Junk is refused without I/O;
// everything else takes one statement, which reads session, user, membership
// and role as they are now (rule R18).
//
// Whatever is wrong with the token, its session or its user is one
// ErrNoSession. If the database or the key cannot be had nothing was decided,
// and the error wraps problem.ErrUnavailable.
//
// At most once a minute it records that the session was used and moves its idle
// end, never past its absolute end (ASVS 7.3.1, 7.3.2). That write is best
// effort: if it fails the session is found all the same.
func (s *Service) Lookup(ctx context.Context, raw string) (Identity, error) {
	found, err := s.find(ctx, raw)
	if err != nil {
		return Identity{}, err
	}
	now := s.now()
	if !found.Session.Live(now) {
		return Identity{}, ErrNoSession
	}
	s.touch(ctx, &found.Session, now)
	return found.Identity, nil
}

// find authenticates raw. The session it returns may have ended by itself.
func (s *Service) find(ctx context.Context, raw string) (Found, error) {
	tok, err := token.Parse(Kind, raw)
	if err != nil {
		return Found{}, ErrNoSession
	}
	found, err := s.store.FindSession(ctx, tok.Selector())
	if errors.Is(err, ErrNoSession) {
		return Found{}, ErrNoSession
	}
	if err != nil {
		return Found{}, fmt.Errorf("session: lookup: %w", err)
	}
	err = s.hasher.Verify(ctx, tok, binding(found.Session.ID), found.Verifier)
	if errors.Is(err, token.ErrMismatch) {
		return Found{}, ErrNoSession
	}
	if err != nil {
		return Found{}, fmt.Errorf("session: lookup: %w", problem.ErrUnavailable.With(err))
	}
	if found.Role == "" {
		// Who is not a member has no business in the organization.
		found.Session.OrganizationID = ""
	}
	return found, nil
}

func (s *Service) touch(ctx context.Context, session *Session, now time.Time) {
	if now.Sub(session.LastSeenAt) < touchEvery {
		return
	}
	idleEnds := now.Add(s.cfg.Idle)
	if idleEnds.After(session.EndsAt) {
		idleEnds = session.EndsAt
	}
	err := s.record(ctx, Touch{ID: session.ID, SeenAt: now, IdleEndsAt: idleEnds, Before: now.Add(-touchEvery)})
	if err != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "session: use not recorded",
			slog.String("session_id", session.ID), slog.String("error", err.Error()))
		return
	}
	session.LastSeenAt, session.IdleEndsAt = now, idleEnds
}

// record bounds the wait, except inside a transaction, which would not survive a
// cancelled statement.
func (s *Service) record(ctx context.Context, t Touch) error {
	if !s.store.InTransaction(ctx) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, touchWithin)
		defer cancel()
	}
	return s.store.TouchSession(ctx, t)
}
