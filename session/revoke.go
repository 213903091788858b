package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/hook"
)

// Revoke ends the user's session with that id. It returns ErrSessionNotFound if
// the user has no such session, whether or not somebody else has, or if it was
// revoked before (ASVS 7.5.2).
func (s *Service) Revoke(ctx context.Context, userID, id string) error {
	if uuid.Validate(id) != nil {
		return ErrSessionNotFound
	}
	return s.store.InTx(ctx, func(ctx context.Context) error {
		ended, err := s.end(ctx, Ending{UserID: userID, ID: id})
		if err != nil {
			return err
		}
		if ended == 0 {
			return ErrSessionNotFound
		}
		return nil
	})
}

// RevokeAny ends the session with that id, whoever it belongs to, for those who
// may end other people's. It returns ErrSessionNotFound if there is none.
func (s *Service) RevokeAny(ctx context.Context, id string) error {
	if uuid.Validate(id) != nil {
		return ErrSessionNotFound
	}
	userID, err := s.store.SessionOwner(ctx, id)
	if err != nil {
		return fmt.Errorf("session: revoke: %w", err)
	}
	return s.Revoke(ctx, userID, id)
}

// RevokeOthers ends all of the user's sessions but keepID, and returns how many.
// With Config.Users it raises the user's security version first and moves the
// kept session to the new one, so that nothing that was in flight outlives the
// call (rule R1). An empty keepID ends every session.
func (s *Service) RevokeOthers(ctx context.Context, userID, keepID string) (int, error) {
	var ended int
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		ending := Ending{UserID: userID, KeepID: keepID}
		if s.cfg.Users != nil {
			version, err := s.cfg.Users.RaiseVersion(ctx, userID)
			if err != nil {
				return fmt.Errorf("session: raise the security version: %w", err)
			}
			ending.KeepVersion = version
		}
		var err error
		ended, err = s.end(ctx, ending)
		return err
	})
	return ended, err
}

// RevokeAll ends every session of the user, the one that asks included.
func (s *Service) RevokeAll(ctx context.Context, userID string) (int, error) {
	return s.RevokeOthers(ctx, userID, "")
}

// RevokeUser ends the user's sessions as a part of a change to the account, in
// whose transaction it runs: the caller has just raised the security version to
// newVersion. The session keepID, if it is live, moves to newVersion and goes
// on; it is empty where none shall (rule R1). It returns ErrNoTransaction
// outside a transaction.
func (s *Service) RevokeUser(ctx context.Context, userID, keepID string, newVersion int64) error {
	if !s.store.InTransaction(ctx) {
		return ErrNoTransaction
	}
	_, err := s.end(ctx, Ending{UserID: userID, KeepID: keepID, KeepVersion: newVersion})
	return err
}

// ForgetUser ends and deletes the sessions of a user who is being deleted, in whose
// transaction it runs: nothing stays that tells where the user was. It returns
// ErrNoTransaction outside a transaction.
func (s *Service) ForgetUser(ctx context.Context, userID string) error {
	if !s.store.InTransaction(ctx) {
		return ErrNoTransaction
	}
	if _, err := s.end(ctx, Ending{UserID: userID}); err != nil {
		return err
	}
	if err := s.store.DeleteSessions(ctx, userID); err != nil {
		return fmt.Errorf("session: forget a user: %w", err)
	}
	return nil
}

// SignOut ends the session that raw opens. A token that opens nothing is fine:
// the caller is signed out, and learns nothing else. An outage is an error, and
// the session may still be live.
func (s *Service) SignOut(ctx context.Context, raw string) error {
	found, err := s.find(ctx, raw)
	return s.signOut(ctx, &found.Identity, err)
}

// signOutAccess is SignOut for the session of an access token.
func (s *Service) signOutAccess(ctx context.Context, raw string) error {
	found, err := s.LookupAccess(ctx, raw)
	return s.signOut(ctx, found, err)
}

// signOut ends the session that was found, if one was.
func (s *Service) signOut(ctx context.Context, found *Identity, err error) error {
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(ctx context.Context) error {
		_, err := s.end(ctx, Ending{UserID: found.Session.UserID, ID: found.Session.ID})
		return err
	})
}

// end ends sessions in the transaction of ctx, logs it and tells the hooks.
func (s *Service) end(ctx context.Context, e Ending) (int, error) {
	e.At = s.now()
	ids, err := s.store.EndSessions(ctx, e)
	if err != nil {
		return 0, fmt.Errorf("session: revoke: %w", err)
	}
	if len(ids) > 0 || e.KeepVersion != 0 {
		if err := s.LogRevocation(ctx, Revocation{UserID: e.UserID, SessionID: e.ID}); err != nil {
			return 0, err
		}
	}
	for _, id := range ids {
		if err := hook.Call(ctx, s.cfg.Hooks.SessionRevoked, SessionRevoked{UserID: e.UserID, SessionID: id}); err != nil {
			return 0, fmt.Errorf("session: revoke: hook: %w", err)
		}
	}
	return len(ids), nil
}

// LogRevocation logs that what lookups read of a session changed, in the
// transaction in ctx: caches in this process forget it after the commit, and others
// soon. The service does so itself for what goes through it; hooks of other
// packages call it where a user, or somebody's role, changes.
func (s *Service) LogRevocation(ctx context.Context, r Revocation) error {
	if err := s.store.AppendRevocation(ctx, r, s.now()); err != nil {
		return fmt.Errorf("session: log a revocation: %w", err)
	}
	return nil
}

// WatchRevocations has fn called after the commit of every revocation in this
// process. It may be called by many at once, and must be quick.
func (s *Service) WatchRevocations(fn func(Revocation)) { s.store.WatchRevocations(fn) }

// RecentRevocations returns what was revoked at since or later, by any process:
// limit at most, the latest first.
func (s *Service) RecentRevocations(ctx context.Context, since time.Time, limit int) ([]LoggedRevocation, error) {
	rows, err := s.store.RecentRevocations(ctx, since, limit)
	if err != nil {
		return nil, fmt.Errorf("session: recent revocations: %w", err)
	}
	return rows, nil
}

// InTransaction reports whether ctx carries a transaction of the store.
func (s *Service) InTransaction(ctx context.Context) bool { return s.store.InTransaction(ctx) }

// Now is the service's clock, Config.Now (rule R32).
func (s *Service) Now() time.Time { return s.cfg.Now() }
