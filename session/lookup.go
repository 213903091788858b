package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// TouchEvery is how often a session's use is recorded at most.
const TouchEvery = time.Minute

// touchWithin is how long a request waits for that.
const touchWithin = time.Second

// Finder finds the live session behind a request's credentials. A [Service] asks
// the database each time; package sessioncache has one that remembers for a
// moment. The errors are those of [Service.Lookup].
type Finder interface {
	// Lookup finds the session that the opaque token raw opens.
	Lookup(ctx context.Context, raw string) (*Identity, error)
	// LookupSession finds the session with that id for an access token that was
	// issued under the security version epoch, and whose signature the caller has
	// verified (rule R15).
	LookupSession(ctx context.Context, id string, epoch int64) (*Identity, error)
}

var _ Finder = (*Service)(nil)

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
func (s *Service) Lookup(ctx context.Context, raw string) (*Identity, error) {
	found, err := s.find(ctx, raw)
	if err != nil {
		return nil, err
	}
	return s.admit(ctx, &found)
}

// LookupSession is Lookup for an access token, which names the session instead of
// opening it: the caller has verified its signature, and here the session must be
// unrevoked and epoch its user's security version still (rule R15).
func (s *Service) LookupSession(ctx context.Context, id string, epoch int64) (*Identity, error) {
	if uuid.Validate(id) != nil {
		return nil, ErrNoSession
	}
	found, err := s.store.FindSessionByID(ctx, id)
	if err != nil {
		return nil, lookupError(err)
	}
	if found.Session.SecurityVersion != epoch {
		return nil, ErrNoSession
	}
	return s.admit(ctx, &found)
}

// admit returns the identity if its session is live.
func (s *Service) admit(ctx context.Context, found *Found) (*Identity, error) {
	now := s.now()
	if !found.Session.Live(now) {
		return nil, ErrNoSession
	}
	s.scope(found, now)
	if err := s.permit(ctx, found); err != nil {
		return nil, err
	}
	s.touch(ctx, &found.Session, now)
	return found.settle(), nil
}

// scope takes the organization away from who is not a member, because it is no scope
// of theirs, and from whom its policy keeps out; and asks the host's policy.
func (s *Service) scope(found *Found, now time.Time) {
	if found.Role == "" {
		found.Session.OrganizationID = ""
	}
	found.judge(s.cfg.SecondFactor, found.SecondFactorPolicy, found.actor, now)
	if found.Session.OrganizationID == "" {
		found.Session.TeamID = ""
	}
}

// permit reads what the role allows in the active organization.
func (s *Service) permit(ctx context.Context, found *Found) (err error) {
	if found.Session.OrganizationID == "" || s.cfg.Permissions == nil {
		return nil
	}
	found.Permissions, err = s.cfg.Permissions(ctx, found.Session.OrganizationID, found.Role, found.RolesVersion)
	if err != nil {
		return fmt.Errorf("session: lookup: permissions: %w", err)
	}
	return nil
}

// Touch records the use of a session that was found some time ago, as Lookup does:
// best effort, at most once a minute. It returns i, or what i has become.
func (s *Service) Touch(ctx context.Context, i *Identity) *Identity {
	used := *i
	s.touch(ctx, &used.Session, s.now())
	if used.Session.LastSeenAt.Equal(i.Session.LastSeenAt) {
		return i
	}
	return used.settle()
}

// find authenticates raw. The session it returns may have ended by itself.
func (s *Service) find(ctx context.Context, raw string) (Found, error) {
	tok, err := token.Parse(Kind, raw)
	if err != nil {
		return Found{}, ErrNoSession
	}
	found, err := s.store.FindSession(ctx, tok.Selector())
	if err != nil {
		return Found{}, lookupError(err)
	}
	err = s.hasher.Verify(ctx, tok, binding(found.Session.ID), found.Verifier)
	if errors.Is(err, token.ErrMismatch) {
		return Found{}, ErrNoSession
	}
	if err != nil {
		return Found{}, fmt.Errorf("session: lookup: %w", problem.ErrUnavailable.With(err))
	}
	err = s.actorHolds(ctx, &found)
	return found, err
}

// actorHolds notes the session of whoever acts as the user, if somebody does, and
// returns ErrNoSession if they may not any more: that session has ended, or they are
// banned or no longer a superuser (rule R22).
func (s *Service) actorHolds(ctx context.Context, found *Found) error {
	if found.Session.ActorID == "" {
		return nil
	}
	actor, err := s.store.FindActor(ctx, found.Session.ActorSessionID)
	if err != nil {
		return lookupError(err)
	}
	if actor.User.ID != found.Session.ActorID || !actor.User.Superuser || actor.Session.ActorID != "" || !actor.Session.Live(s.now()) {
		return ErrNoSession
	}
	found.actor = &actor.Session
	return nil
}

// lookupError keeps one text for what is not there, and says where an outage was
// met.
func lookupError(err error) error {
	if errors.Is(err, ErrNoSession) {
		return ErrNoSession
	}
	return fmt.Errorf("session: lookup: %w", err)
}

func (s *Service) touch(ctx context.Context, session *Session, now time.Time) {
	if now.Sub(session.LastSeenAt) < TouchEvery {
		return
	}
	idleEnds := now.Add(s.cfg.lifetime(session).Idle)
	if idleEnds.After(session.EndsAt) {
		idleEnds = session.EndsAt
	}
	err := s.record(ctx, Touch{ID: session.ID, SeenAt: now, IdleEndsAt: idleEnds, Before: now.Add(-TouchEvery)})
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
