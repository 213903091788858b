package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Peek verifies raw and changes nothing: what a page shows before it asks for
// the confirming POST. It answers ErrInvalid (ErrMalformed before any I/O) for
// everything but a token of this purpose that Consume would take now.
func (s *Service) Peek(ctx context.Context, purpose Purpose, raw string) (OneTime, error) {
	t, err := Parse(purpose.Kind(), raw)
	if err != nil {
		s.log.DebugContext(ctx, "one-time token refused", "reason", "malformed", "purpose", string(purpose))
		return OneTime{}, err
	}
	row, err := s.store.TokenBySelector(ctx, purpose, t.Selector())
	if errors.Is(err, ErrNotFound) {
		return OneTime{}, s.refuse(ctx, Row{OneTime: OneTime{Purpose: purpose}}, "unknown")
	}
	if err != nil {
		return OneTime{}, fmt.Errorf("token: peek: %w", err)
	}
	if err := s.check(ctx, t, row); err != nil {
		return OneTime{}, err
	}
	return row.OneTime, nil
}

func (s *Service) check(ctx context.Context, t Token, row Row) error {
	switch err := s.hasher.Verify(ctx, t, row.binding(), row.Verifier); {
	case errors.Is(err, ErrMismatch):
		return s.refuse(ctx, row, "mismatch")
	case err != nil:
		return err
	case !row.ConsumedAt.IsZero():
		return s.refuse(ctx, row, "used")
	case !row.ExpiresAt.After(s.now()):
		return s.refuse(ctx, row, "expired")
	}
	return nil
}

// Consume verifies raw and uses it up by one guarded UPDATE, whose row count
// decides among any number of concurrent calls. The other unconsumed tokens of
// its purpose and subject die with it. Call it inside the transaction of the
// change that it permits, which must also be guarded by SecurityVersion. The
// loser of a race gets ErrInvalid like everyone else.
func (s *Service) Consume(ctx context.Context, purpose Purpose, raw string) (OneTime, error) {
	t, err := s.Peek(ctx, purpose, raw)
	if err != nil {
		return OneTime{}, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		t.ConsumedAt = s.now()
		won, err := s.store.ConsumeToken(ctx, purpose, t.ID, t.ConsumedAt)
		if err != nil {
			return fmt.Errorf("token: consume: %w", err)
		}
		if !won {
			return s.refuse(ctx, Row{OneTime: t}, "lost the race")
		}
		return s.RevokeSubject(ctx, purpose, t.Subject, t.Tenant)
	})
	if err != nil {
		return OneTime{}, err
	}
	return t, nil
}

// Charge spends one of limit attempts that t allows before the caller checks a
// guess that rides on it, and answers ErrTooManyAttempts when none is left or
// the token is dead. Inside a transaction it answers ErrInTransaction before any
// I/O, if the Store has a method InTransaction to ask, as tokenbun's has: a
// rollback would make the guess free (R8).
func (s *Service) Charge(ctx context.Context, t OneTime, limit int) error {
	if in, ok := s.store.(interface{ InTransaction(context.Context) bool }); ok && in.InTransaction(ctx) {
		return ErrInTransaction
	}
	ok, err := s.store.ChargeToken(ctx, t.Purpose, t.ID, limit, s.now())
	if err != nil {
		return fmt.Errorf("token: charge: %w", err)
	}
	if !ok {
		return ErrTooManyAttempts
	}
	return nil
}

// RevokeSiblings deletes the unconsumed tokens of a subject that no tenant owns.
func (s *Service) RevokeSiblings(ctx context.Context, purpose Purpose, subject string) error {
	return s.RevokeSubject(ctx, purpose, subject, "")
}

// RevokeSubject deletes the unconsumed tokens of a subject in a tenant.
func (s *Service) RevokeSubject(ctx context.Context, purpose Purpose, subject, tenant string) error {
	if _, err := s.store.DropTokens(ctx, purpose, subject, tenant); err != nil {
		return fmt.Errorf("token: revoke: %w", err)
	}
	return nil
}

// pruneBatch keeps each deleting statement short.
const pruneBatch = 500

// Maintain deletes expired tokens in batches until none is left or ctx ends.
// Used ones stay until they expire, so that a second use can be told apart in
// the log.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now()
	for {
		n, err := s.store.PruneTokens(ctx, before, pruneBatch)
		if err != nil {
			return fmt.Errorf("token: maintain: %w", err)
		}
		if n < pruneBatch {
			return nil
		}
	}
}

// refuse logs why and returns ErrInvalid, which does not say.
func (s *Service) refuse(ctx context.Context, row Row, reason string) error {
	s.log.LogAttrs(ctx, slog.LevelInfo, "one-time token refused",
		slog.String("reason", reason), slog.String("purpose", string(row.Purpose)), slog.String("token_id", row.ID))
	return ErrInvalid
}
