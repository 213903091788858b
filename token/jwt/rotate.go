package jwt

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// attempts bounds how often a change starts again after another process was faster; each time there is less to do.
const attempts = 5

// Init makes the first key unless one signs. Call it at start, after the migrations; any number of processes may, and
// they end up with the same key. Inside a transaction it returns [ErrInTransaction].
func (s *Service) Init(ctx context.Context) error {
	if err := s.refuseTransaction(ctx, "init"); err != nil {
		return err
	}
	for range attempts {
		rows, err := s.store.ListKeys(ctx)
		if err != nil {
			return fmt.Errorf("jwt: init: %w", err)
		}
		if in(rows, StateSigning) != nil {
			return nil
		}
		won, err := s.startSigning(ctx, in(rows, StatePublished))
		if err != nil {
			return fmt.Errorf("jwt: init: %w", err)
		}
		if won {
			return nil
		}
	}
	return fmt.Errorf("jwt: init: %w", ErrNoSigningKey)
}

// Maintain takes the steps that are due: it publishes the next key PublishAhead before the signing one has done its
// time, lets it sign when it has been published for long enough, and deletes retired keys that no token needs. Call it
// more often than Config.PublishAhead; it may run in many processes at once. Inside a transaction it returns
// [ErrInTransaction].
func (s *Service) Maintain(ctx context.Context) error {
	if err := s.Init(ctx); err != nil {
		return err
	}
	rows, err := s.store.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("jwt: maintain: %w", err)
	}
	if signing := in(rows, StateSigning); signing != nil {
		if _, err := s.advance(ctx, *signing, in(rows, StatePublished)); err != nil {
			return fmt.Errorf("jwt: maintain: %w", err)
		}
	}
	n, err := s.store.PruneKeys(ctx, s.cfg.now().Add(-s.cfg.retiredFor()))
	if err != nil {
		return fmt.Errorf("jwt: maintain: %w", err)
	}
	if n > 0 {
		s.cfg.Logger.InfoContext(ctx, "jwt: retired keys deleted", slog.Int("keys", n))
	}
	return nil
}

// Revoke deletes a key that must not be trusted any more, whatever its state, and lets the next one sign at once. Its
// tokens are refused in this process from now on, in others after at most Config.CacheFor, and by third parties after
// Config.JWKSMaxAge more. Sessions live on: who holds one gets a token of the new key. Errors: [ErrUnknownKey],
// [ErrInTransaction], problem.ErrUnavailable during an outage; after an outage call it again.
func (s *Service) Revoke(ctx context.Context, kid string) error {
	if err := s.refuseTransaction(ctx, "revoke"); err != nil {
		return err
	}
	// Forgotten whatever becomes of the call: a lost answer may hide a deletion that took place.
	defer s.keys.forget()
	done, err := s.store.DeleteKey(ctx, kid)
	if err != nil {
		return fmt.Errorf("jwt: revoke: %w", err)
	}
	if !done {
		return fmt.Errorf("jwt: revoke: %w", ErrUnknownKey)
	}
	s.cfg.Logger.WarnContext(ctx, "jwt: key revoked", slog.String("kid", kid))
	return s.Init(ctx)
}

// signingKey returns the key that signs, and makes the first one.
func (s *Service) signingKey(ctx context.Context) (*key, error) {
	set, err := s.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	if set.signing != nil {
		return set.signing, nil
	}
	if s.store.InTransaction(ctx) {
		return nil, fmt.Errorf("the first key is made outside of transactions, by Init: %w", ErrNoSigningKey)
	}
	if err := s.Init(ctx); err != nil {
		return nil, err
	}
	if set, err = s.keys.read(ctx); err != nil {
		return nil, err
	}
	if set.signing == nil {
		return nil, ErrNoSigningKey
	}
	return set.signing, nil
}

// startSigning gives an installation without a signing key one: the next where there is one, else a new one. There is
// nobody yet who could have cached a key set without it, or it is an emergency.
func (s *Service) startSigning(ctx context.Context, next *Key) (bool, error) {
	if next == nil {
		return s.add(ctx, StateSigning)
	}
	now := s.cfg.now()
	return s.promote(ctx, Promotion{Sign: next.ID, PublishedBy: now, At: now})
}

func (s *Service) advance(ctx context.Context, signing Key, next *Key) (bool, error) {
	now := s.cfg.now()
	ends := signing.SigningAt.Add(s.cfg.RotateEvery)
	switch {
	case next == nil && !now.Before(ends.Add(-s.cfg.PublishAhead)):
		return s.add(ctx, StatePublished)
	case next != nil && !now.Before(ends) && !now.Before(next.PublishedAt.Add(s.cfg.PublishAhead)):
		return s.promote(ctx, Promotion{
			Sign: next.ID, PublishedBy: now.Add(-s.cfg.PublishAhead),
			Retire: signing.ID, SigningBy: now.Add(-s.cfg.RotateEvery), At: now,
		})
	}
	return false, nil
}

// add makes a key and says whether it did: another process may be faster.
func (s *Service) add(ctx context.Context, state State) (bool, error) {
	row, err := newKey(ctx, s.cfg)
	if err != nil {
		return false, err
	}
	if row.State = state; state == StateSigning {
		row.SigningAt = row.PublishedAt
	}
	won, err := s.store.AddKey(ctx, row)
	return s.changed(ctx, row.ID, state, won, err)
}

func (s *Service) promote(ctx context.Context, p Promotion) (bool, error) {
	won, err := s.store.PromoteKey(ctx, p)
	return s.changed(ctx, p.Sign, StateSigning, won, err)
}

// changed ends a change of the keys. What was read before it is out of date, whoever won.
func (s *Service) changed(ctx context.Context, kid string, state State, won bool, err error) (bool, error) {
	s.keys.forget()
	if won && err == nil {
		s.cfg.Logger.InfoContext(ctx, "jwt: key changed", slog.String("kid", kid), slog.String("state", string(state)))
	}
	return won, err
}

func (s *Service) refuseTransaction(ctx context.Context, op string) error {
	if s.store.InTransaction(ctx) {
		return fmt.Errorf("jwt: %s: %w", op, ErrInTransaction)
	}
	return nil
}

// in returns the row in a state of which there is at most one, or nil.
func in(rows []Key, state State) *Key {
	if i := slices.IndexFunc(rows, func(k Key) bool { return k.State == state }); i >= 0 {
		return &rows[i]
	}
	return nil
}
