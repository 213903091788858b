package audit

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Record writes an entry in the transaction of ctx, so that it commits with what it
// tells of or not at all. It costs one insert: the chain is not touched, and nobody
// waits for anybody (rule R30).
//
// Errors: ErrInvalidEntry, those of the keys and of the store.
func (s *Service) Record(ctx context.Context, e Entry) error {
	return s.record(ctx, e.complete(ctx))
}

// RecordFailure writes an entry with the outcome Failure that stays although its
// cause was rolled back. Call it after the transaction, with the ctx from outside of
// it: inside one it returns ErrInTransaction before any I/O, because what commits
// apart would wait for the transaction that waits for it (rule R8).
func (s *Service) RecordFailure(ctx context.Context, e Entry) error {
	if s.store.InTransaction(ctx) {
		return ErrInTransaction
	}
	e.Outcome = Failure
	return s.Record(ctx, e)
}

// record writes an entry that is complete.
func (s *Service) record(ctx context.Context, e Entry) error {
	if err := e.validate(); err != nil {
		return err
	}
	r, err := s.row(ctx, e)
	if err != nil {
		return err
	}
	if err := s.store.Insert(ctx, r); err != nil {
		return fmt.Errorf("audit: record: %w", err)
	}
	return nil
}

// row seals and signs an entry.
func (s *Service) row(ctx context.Context, e Entry) (Row, error) {
	at := s.now()
	id, err := s.newID(at)
	if err != nil {
		return Row{}, err
	}
	r := Row{
		ID: id, OrganizationID: e.OrganizationID, At: at, Action: e.Action, Event: e.Event,
		Outcome: e.Outcome, Actor: e.Actor, Target: e.Target,
	}
	if err := s.seal(ctx, &r, e); err != nil {
		return Row{}, err
	}
	kid, key, err := s.key(ctx)
	if err != nil {
		return Row{}, err
	}
	r.KID = kid
	r.MAC = sum(key, r.message())
	return r, nil
}

// Erase drops the personal fields (address, user agent, what changed) of all entries
// that a user caused or that are about them. The rows stay, and so does the chain: it
// covers what was erased by a hash that nobody can guess at. What is in about are other
// things whose entries tell of the user, such as the invitation that they accepted. It
// joins the transaction of ctx, records itself for each, and returns how many entries
// had something to drop. What is recorded of the user afterwards stays.
func (s *Service) Erase(ctx context.Context, userID string, about ...Target) (n int64, err error) {
	if userID == "" {
		return 0, nil // that is what entries have that no user caused
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if n, err = s.store.Erase(ctx, userID, about...); err != nil || n == 0 {
			return err
		}
		for _, target := range append([]Target{{TargetUser, userID}}, about...) {
			e := Entry{Action: "sensitive_delete", Event: eventErased, Target: target}.complete(ctx)
			// It would be one more place with what was to be erased.
			e.IP, e.UserAgent = netip.Addr{}, ""
			if err := s.record(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("audit: erase: %w", err)
	}
	return n, nil
}

// now is the one clock (rule R32), as exact as the databases are.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
