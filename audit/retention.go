package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	// pruneBatch is how many rows are deleted in one transaction.
	pruneBatch = 250
	// chainPage is how many chains are read at once.
	chainPage = 100
)

// Maintain deletes what is older than Config.Retention, chain by chain and in batches,
// and leaves a signed checkpoint where each chain goes on. Rows are verified before
// they go: of a chain that was tampered with nothing is deleted, so that it can be
// looked at, and the log says so. Without a retention it does nothing.
func (s *Service) Maintain(ctx context.Context) error {
	if s.cfg.Retention == 0 {
		return nil
	}
	cut := s.now().Add(-s.cfg.Retention)
	return s.eachChain(ctx, func(c Chain) error {
		err := s.prune(ctx, c.OrganizationID, cut)
		if errors.Is(err, ErrTampered) {
			s.cfg.Logger.ErrorContext(ctx, "audit: a chain is not what was sealed; it is not pruned",
				slog.String("organization_id", c.OrganizationID), slog.Any("error", err))
			return nil
		}
		if errors.Is(err, ErrChainMoved) {
			// Another process prunes it, or rows are where none may be.
			s.cfg.Logger.WarnContext(ctx, "audit: a chain changed while it was pruned",
				slog.String("organization_id", c.OrganizationID), slog.Any("error", err))
			return nil
		}
		return err
	})
}

// eachChain calls fn with every chain, in the order of the organizations.
func (s *Service) eachChain(ctx context.Context, fn func(c Chain) error) error {
	after, from := "", false
	for {
		chains, err := s.store.Chains(ctx, after, from, chainPage)
		if err != nil {
			return fmt.Errorf("audit: chains: %w", err)
		}
		for _, c := range chains {
			if err := fn(c); err != nil {
				return err
			}
		}
		if len(chains) < chainPage {
			return nil
		}
		after, from = chains[len(chains)-1].OrganizationID, true
	}
}

// prune deletes the rows of one chain that were recorded before cut, up to the first
// that was not.
func (s *Service) prune(ctx context.Context, organizationID string, cut time.Time) error {
	for {
		if _, _, err := s.key(ctx); err != nil { // before the transaction, not in it
			return err
		}
		n := 0
		err := s.store.InTx(ctx, func(ctx context.Context) (err error) {
			n, err = s.pruneBatch(ctx, organizationID, cut)
			return err
		})
		if err != nil {
			return fmt.Errorf("audit: prune: %w", err)
		}
		if n < pruneBatch {
			return nil
		}
	}
}

func (s *Service) pruneBatch(ctx context.Context, organizationID string, cut time.Time) (int, error) {
	chain, err := s.store.Chain(ctx, organizationID)
	if err != nil {
		return 0, err
	}
	if err := s.trust(ctx, chain); err != nil {
		return 0, err
	}
	rows, err := s.store.Linked(ctx, organizationID, chain.Base.Count+1, pruneBatch)
	if err != nil {
		return 0, err
	}
	w := s.newWalk(chain, &Report{Valid: true}, Place{})
	n := 0
	for ; n < len(rows) && rows[n].At.Before(cut) && rows[n].Seq <= chain.Head.Count; n++ {
		if err := w.row(ctx, rows[n]); err != nil {
			return 0, err
		}
	}
	switch {
	case !w.report.Valid:
		return 0, fmt.Errorf("%s row %d: %w", w.report.Findings[0].Kind, w.report.Findings[0].From, ErrTampered)
	case n == 0:
		return 0, nil
	}
	last := rows[n-1]
	base, err := s.sign(ctx, Head{OrganizationID: organizationID, Count: last.Seq, Hash: last.Link, At: s.now()}, domainCheckpoint)
	if err != nil {
		return 0, err
	}
	return n, s.store.Prune(ctx, chain.Base.Count, base)
}

// Summary is what [Service.VerifyAll] found out about all chains together.
type Summary struct {
	// Chains is how many there are, Invalid how many of them are not what was sealed.
	Chains, Invalid int64
	// Missing is how many chains were removed as a whole.
	Missing int64
	// RosterForged says that the list of chains was not made here.
	RosterForged bool
	// Tail is what is not sealed yet, anywhere, and TailAge how long the oldest of it has
	// waited: more than some seconds say that nobody seals.
	Tail    Tail
	TailAge time.Duration
}

// Valid reports whether nothing is wrong.
func (s Summary) Valid() bool { return s.Invalid == 0 && s.Missing == 0 && !s.RosterForged }

// VerifyAll verifies every chain and calls fn with each report, in the order of the
// organizations. An error of fn ends it.
func (s *Service) VerifyAll(ctx context.Context, fn func(r Report) error) (Summary, error) {
	all, err := s.Roster(ctx)
	if err != nil {
		return Summary{}, err
	}
	err = s.eachChain(ctx, func(c Chain) error {
		report, err := s.Verify(ctx, VerifyParams{OrganizationID: c.OrganizationID})
		if err != nil {
			return err
		}
		if !report.Valid {
			all.Invalid++
		}
		return fn(report)
	})
	return all, err
}

// Roster counts the chains and says how many are missing, without reading them:
// Summary.Invalid is 0.
func (s *Service) Roster(ctx context.Context) (Summary, error) {
	roster, chains, err := s.store.Roster(ctx)
	var tail Tail
	if err == nil {
		tail, err = s.store.TailOfAll(ctx)
	}
	if err != nil {
		return Summary{}, fmt.Errorf("audit: roster: %w", err)
	}
	all := Summary{Chains: chains, Missing: max(0, roster.Chains-chains), Tail: tail, TailAge: s.age(tail)}
	if err := s.trustRoster(ctx, roster); errors.Is(err, ErrTampered) {
		all.RosterForged = true
	} else if err != nil {
		return Summary{}, err
	}
	all.RosterForged = all.RosterForged || chains > roster.Chains
	return all, nil
}
