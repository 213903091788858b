package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

const (
	// maxStepUpFailures ends a session whose user can't prove who they are (rule
	// R12).
	maxStepUpFailures = 5
	// proofLife is how long a proof may wait for its elevation.
	proofLife = 10 * time.Minute
)

// Elevate records in the caller's session that its user has just proven one more
// factor, or one once more, and returns the session with a new token: the earlier
// one opens nothing from then on, the session's id stays (rules R1, R12, ASVS
// 7.2.4, CVE-2024-28197). A bearer session gets a new pair, and its earlier access
// tokens are dead, too. Package auth and its sub-packages alone can make a
// proof, and caller is the principal of the request in which it was given.
//
// The session becomes fresh by the proof's channel; what was fresh before no
// longer counts. Where its assurance rises, its lifetime becomes that of the new
// level, if that is shorter. It joins the transaction of ctx.
//
// It returns ErrNoSession, and changes nothing, if the session has ended, if its
// user's security version is not the proof's any more, or if another elevation
// replaced the token that the caller came with; ErrNoPass for a proof of somebody
// else, or none, or one that is older than ten minutes; and problem.ErrForbidden
// where a superuser impersonates the user (rule R22).
func (s *Service) Elevate(ctx context.Context, caller *principal.Principal, proof door.Proof) (Grant, error) {
	proven, ok := proof.Facts()
	switch {
	case !ok || caller == nil || caller.SessionID == "" || caller.UserID != proven.UserID:
		return Grant{}, ErrNoPass
	case caller.ImpersonatorID != "" || caller.APIKeyID != "":
		return Grant{}, problem.ErrForbidden
	case s.now().Sub(proven.At) > proofLife || !validChannels([]string{proven.Channel}):
		return Grant{}, fmt.Errorf("session: elevate: the proof is too old or names nothing: %w", ErrNoPass)
	}
	var grant Grant
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		held, err := s.store.SessionByID(ctx, caller.UserID, caller.SessionID)
		if err != nil {
			return err
		}
		if grant, err = s.elevate(ctx, held, caller.FreshAt, proven); err != nil {
			return err
		}
		if err := s.LogRevocation(ctx, Revocation{UserID: held.UserID, SessionID: held.ID}); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.SessionElevated, SessionElevated{Session: grant.Session, Channel: proven.Channel})
	})
	if err != nil {
		return Grant{}, fmt.Errorf("session: elevate: %w", err)
	}
	return grant, nil
}

// elevate replaces the token of held, if it still is what the caller saw.
func (s *Service) elevate(ctx context.Context, held Session, seen time.Time, proven door.Proven) (Grant, error) {
	e := Elevation{
		ID: held.ID, UserID: proven.UserID, SecurityVersion: proven.SecurityVersion, FreshAt: seen,
		To: Record{Session: s.elevated(held, proven)}, At: s.now(),
	}
	if held.Bearer {
		return s.elevateFamily(ctx, e)
	}
	tok, verifier, err := s.newToken(ctx, held.ID)
	if err != nil {
		return Grant{}, err
	}
	e.To.Selector, e.To.Verifier = tok.Selector(), verifier
	if err := s.store.ElevateSession(ctx, e); err != nil {
		return Grant{}, err
	}
	return Grant{Session: e.To.Session, Token: tok.Secret()}, nil
}

// elevateTries is how often an elevation begins again that a refresh of the same
// session overtook.
const elevateTries = 3

// elevateFamily does so for a bearer session, which stays one (rule R16): its new
// refresh token follows from none that anybody holds, and the one before buys
// nothing any more.
func (s *Service) elevateFamily(ctx context.Context, e Elevation) (Grant, error) {
	for range elevateTries {
		row, err := s.store.FindFamily(ctx, e.ID)
		if err != nil {
			return Grant{}, err
		}
		record, pair, err := s.anew(ctx, e.To.Session, row.Generation+1)
		if err != nil {
			return Grant{}, err
		}
		e.Generation, e.Replays, e.To = row.Generation, maxReplays, record
		err = s.store.ElevateSession(ctx, e)
		if err == nil {
			return Grant{Session: e.To.Session, Pair: pair}, nil
		}
		if !errors.Is(err, ErrNoSession) {
			return Grant{}, err
		}
	}
	return Grant{}, ErrNoSession
}

// elevated returns the session as it is after the proof.
func (s *Service) elevated(held Session, proven door.Proven) Session {
	now := s.now()
	held.SecurityVersion = proven.SecurityVersion
	held.Channels = addChannel(held.Channels, proven.Channel)
	at := proven.At.UTC().Truncate(time.Microsecond)
	if !at.After(held.FreshAt) {
		// FreshAt only rises, though the clock stands still or is set back: access
		// tokens from before an elevation are known by it.
		at = held.FreshAt.Add(time.Microsecond)
	}
	held.FreshAt, held.FreshChannels = at, []string{proven.Channel}
	life := s.cfg.lifetime(&held)
	held.LastSeenAt = now
	held.EndsAt = earliest(held.EndsAt, now.Add(life.Absolute))
	held.IdleEndsAt = earliest(held.EndsAt, now.Add(life.Idle))
	return held
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// RecordStepUpFailure counts that the caller could not prove who they are. The
// fifth failure since the session started or was last elevated ends it (rule
// R12), and ended says so. It commits alone: inside a transaction, which could
// take the count back, it returns ErrInTransaction before any I/O (rule R8). The
// guess itself is charged by who checks it, before it is checked.
//
// For a session that has already ended, ended is true.
func (s *Service) RecordStepUpFailure(ctx context.Context, caller *principal.Principal) (ended bool, err error) {
	if s.store.InTransaction(ctx) {
		return false, ErrInTransaction
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		failures, err := s.store.FailStepUp(ctx, caller.UserID, caller.SessionID)
		if errors.Is(err, ErrSessionNotFound) {
			ended = true
			return nil
		}
		if err != nil || failures < maxStepUpFailures {
			return err
		}
		ended = true
		_, err = s.end(ctx, Ending{UserID: caller.UserID, ID: caller.SessionID})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("session: record a failed step-up: %w", err)
	}
	return ended, nil
}

// newToken makes a token for the session with that id.
func (s *Service) newToken(ctx context.Context, id string) (token.Token, token.Verifier, error) {
	tok, err := token.Generate(s.cfg.Rand, Kind)
	if err != nil {
		return token.Token{}, token.Verifier{}, err
	}
	verifier, err := s.hasher.Hash(ctx, tok, binding(id))
	return tok, verifier, err
}
