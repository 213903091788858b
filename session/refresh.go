package session

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/session/internal/family"
)

const (
	// grace is how long after its rotation a token still buys the same successor,
	// for clients whose answer got lost and for those that ask twice.
	grace = 10 * time.Second
	// maxReplays is how often it does.
	maxReplays = 3
	// maxBehind is how far behind the clock of another process ours may be without
	// taking that process's rotation for one in the future.
	maxBehind = time.Second
)

// errReused is why a family was ended. It is for the log; the caller gets
// ErrNoRefresh like everybody else.
var errReused = errors.New("session: an older refresh token came back; the session was ended")

// Refresh exchanges a refresh token for the next pair (rule R14). Each token
// works once; whoever presents an older one, thief or owner, ends the session,
// because nobody can tell which of the two it is. One exception serves clients
// whose answer got lost and tabs that ask at the same time: for ten seconds, and
// three times at most, the token before buys the very same successor, as long as
// nobody used that.
//
// A rotation is one statement, which also reads whether the user is banned,
// deleted or has a new security version; so does a repetition. Refresh returns
// ErrNoRefresh for every token that buys nothing, with no difference between
// them; ErrRefreshRepeated if the successor was handed out often enough, which
// ends nothing; ErrBearerUnavailable; and ErrInTransaction, before any I/O,
// inside a transaction: a rollback would undo that the token was used, and that
// the session was ended. After an error that wraps
// problem.ErrUnavailable nobody knows: ask again with the same token, at once.
func (s *Service) Refresh(ctx context.Context, raw string) (Pair, error) {
	if s.store.InTransaction(ctx) {
		return Pair{}, ErrInTransaction
	}
	pair, err := s.refresh(ctx, raw)
	if err != nil {
		return Pair{}, fmt.Errorf("session: refresh: %w", refusal(err))
	}
	return pair, nil
}

func (s *Service) refresh(ctx context.Context, raw string) (Pair, error) {
	if !s.Bearer() {
		return Pair{}, ErrBearerUnavailable
	}
	parent, keys, err := s.authenticate(ctx, raw)
	if err != nil {
		return Pair{}, err
	}
	child, row, err := s.rotate(ctx, parent, keys)
	if errors.Is(err, ErrNoSession) {
		child, row, err = s.repeat(ctx, parent)
	}
	if err != nil {
		return Pair{}, err
	}
	return s.pair(ctx, child, row)
}

// refusal makes one error of all that a token can be refused for.
func refusal(err error) error {
	if errors.Is(err, ErrNoSession) {
		return ErrNoRefresh.With(err)
	}
	return err
}

// authenticate returns the token that raw is, if it was handed out by us: its tag
// says so, without a row. Whether it is the newest one is for the row to say.
func (s *Service) authenticate(ctx context.Context, raw string) (family.Token, family.Keys, error) {
	t, err := family.Parse(raw)
	if err != nil {
		return family.Token{}, family.Keys{}, ErrNoSession.With(err)
	}
	keys, err := s.keys(ctx, t.KID)
	if err != nil {
		return family.Token{}, family.Keys{}, err
	}
	if !t.Authentic(keys) {
		return family.Token{}, family.Keys{}, ErrNoSession
	}
	return t, keys, nil
}

// rotate exchanges the family's newest token for the next one. The statement
// decides; it returns ErrNoSession if parent is not the newest, or the session
// or its user is not what it was.
func (s *Service) rotate(ctx context.Context, parent family.Token, keys family.Keys) (family.Token, Family, error) {
	fresh, err := s.activeKeys(ctx, keys)
	if err != nil {
		return family.Token{}, Family{}, err
	}
	salt, err := s.salt()
	if err != nil {
		return family.Token{}, Family{}, err
	}
	child, err := parent.Next(salt, fresh)
	if err != nil {
		return family.Token{}, Family{}, err
	}
	now := s.now()
	row, err := s.store.RotateFamily(ctx, Rotation{
		ID: parent.Family, Generation: parent.Generation, Parent: parent.Verifier(keys),
		Child: child.Verifier(fresh), Salt: salt, At: now,
		IdleEndsAt:  now.Add(s.cfg.levelLifetime(1, true, false).Idle),
		IdleEndsAt2: now.Add(s.cfg.levelLifetime(2, true, false).Idle),
	})
	return child, row, err
}

// repeat answers a token that is not the newest: with the successor that it
// bought already, or by ending the family.
func (s *Service) repeat(ctx context.Context, parent family.Token) (family.Token, Family, error) {
	for waited := false; ; waited = true {
		// Read after the rotation that parent lost to, so that it lies in the past.
		now := s.now()
		row, err := s.store.ReplayFamily(ctx, Replay{
			ID: parent.Family, Generation: parent.Generation, At: now, Grace: grace, Limit: maxReplays,
		})
		if err == nil {
			child, err := s.sameChild(ctx, parent, row)
			return child, row, err
		}
		if !errors.Is(err, ErrNoSession) {
			return family.Token{}, Family{}, err
		}
		row, err = s.store.FindFamily(ctx, parent.Family)
		if err != nil {
			return family.Token{}, Family{}, err
		}
		ahead := row.RotatedAt.Sub(now)
		switch next := row.Generation == parent.Generation+1; {
		case row.Generation <= parent.Generation, next && ahead <= 0 && ahead >= -grace && row.Replays < maxReplays:
			return family.Token{}, Family{}, ErrNoSession // for another reason than its age
		case next && ahead <= 0 && ahead >= -grace:
			return family.Token{}, Family{}, ErrRefreshRepeated.WithRetryAfter(time.Second)
		case next && ahead > 0 && ahead <= maxBehind && !waited:
			if err := sleep(ctx, ahead); err != nil {
				return family.Token{}, Family{}, err
			}
		default:
			return family.Token{}, Family{}, s.endReused(ctx, parent, row.UserID)
		}
	}
}

// sameChild makes the child once more, with the key and salt of the rotation.
func (s *Service) sameChild(ctx context.Context, parent family.Token, row Family) (family.Token, error) {
	keys, err := s.keys(ctx, row.Verifier.KID)
	if err != nil {
		return family.Token{}, err
	}
	child, err := parent.Next(row.Salt, keys)
	if err != nil {
		return family.Token{}, err
	}
	if !hmac.Equal(child.Verifier(keys).MAC, row.Verifier.MAC) {
		// Only a holder of our keys can have made such a parent.
		s.cfg.Logger.ErrorContext(ctx, "session: a refresh token has the right tag and the wrong secret; the keys may be known to others",
			"session_id", parent.Family)
		return family.Token{}, ErrNoSession
	}
	return child, nil
}

// endReused ends the family of a token that came back. What it did is committed
// before anybody is told.
func (s *Service) endReused(ctx context.Context, t family.Token, userID string) error {
	ended := 0
	err := s.store.InTx(ctx, func(ctx context.Context) (err error) {
		ended, err = s.end(ctx, Ending{UserID: userID, ID: t.Family, PastGeneration: t.Generation, Grace: grace})
		if err != nil || ended == 0 {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.RefreshReused, RefreshReused{UserID: userID, SessionID: t.Family, Generation: t.Generation})
	})
	if err != nil {
		return err
	}
	if ended == 0 {
		return ErrNoSession
	}
	s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "session: an older refresh token came back; its session was ended",
		slog.String("session_id", t.Family), slog.String("user_id", userID), slog.Int64("generation", t.Generation))
	return ErrNoSession.With(errReused)
}

// RevokeRefresh ends the session of a refresh token, whichever of the session's
// tokens it is (RFC 7009 §2.1). A token that is none of ours is fine (§2.2). It
// joins the transaction of ctx. An outage is an error, and the session may still
// be live.
func (s *Service) RevokeRefresh(ctx context.Context, raw string) error {
	err := s.revokeRefresh(ctx, raw)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return fmt.Errorf("session: revoke a refresh token: %w", err)
	}
	return nil
}

func (s *Service) revokeRefresh(ctx context.Context, raw string) error {
	t, _, err := s.authenticate(ctx, raw)
	if err != nil {
		return err
	}
	row, err := s.store.FindFamily(ctx, t.Family)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(ctx context.Context) error {
		_, err := s.end(ctx, Ending{UserID: row.UserID, ID: t.Family})
		return err
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
