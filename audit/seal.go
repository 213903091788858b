package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

const (
	// leaseFor is how long a sealer that dies keeps the others from sealing.
	leaseFor = 15 * time.Second
	// sealBatch is how many rows are linked in one transaction.
	sealBatch = 250
	// anchorBatch is how many heads are anchored before rows are sealed again.
	anchorBatch = 50
	// brokenFor is how long a chain that was tampered with is left alone before it is
	// tried, and reported, again.
	brokenFor = time.Minute
	// releaseWithin bounds the last statement of a sealer that was told to end.
	releaseWithin = 5 * time.Second
	// anchorWithin bounds how long rows wait because Config.Anchor does not answer.
	anchorWithin = 5 * time.Second
)

// Run seals rows until ctx ends: it numbers those that were committed, without gaps,
// and links each to the one before it in the chain of its organization. Any number of
// processes may run it; one of them has the lease and works (rule R30). It returns nil
// after ctx has ended.
func (s *Service) Run(ctx context.Context) error {
	w, err := s.newSealer()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(s.cfg.SealEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.release(ctx)
		case <-ticker.C:
			if err := w.work(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "audit: sealing failed and is tried again", slog.Any("error", err))
			}
		}
	}
}

// Drain seals what is committed and anchors what is due, and returns. Where another
// process has the lease, that one does it.
func (s *Service) Drain(ctx context.Context) error {
	w, err := s.newSealer()
	if err != nil {
		return err
	}
	if err := errors.Join(w.work(ctx), w.release(ctx)); err != nil {
		return fmt.Errorf("audit: drain: %w", err)
	}
	return nil
}

// sealer is one holder of the lease.
type sealer struct {
	*Service
	holder string
	lease  Lease
	// broken are the chains that are left alone until then.
	broken map[string]time.Time
	// quiet is until when nothing is anchored, because it failed.
	quiet time.Time
}

func (s *Service) newSealer() (*sealer, error) {
	holder, err := s.newID(s.now())
	if err != nil {
		return nil, err
	}
	return &sealer{Service: s, holder: holder, broken: map[string]time.Time{}}, nil
}

// work seals all there is, and anchors. It returns nil where another has the lease.
func (w *sealer) work(ctx context.Context) error {
	maps.DeleteFunc(w.broken, func(_ string, until time.Time) bool { return !w.now().Before(until) })
	for {
		n, err := w.batch(ctx)
		if errors.Is(err, ErrLeased) || errors.Is(err, ErrLeaseLost) {
			w.lease = Lease{}
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return w.anchor(ctx)
		}
	}
}

// batch seals up to sealBatch rows and returns how many it did, or left alone because
// their chain turned out to be broken.
func (w *sealer) batch(ctx context.Context) (n int, err error) {
	// Read first: while nothing happens nobody writes.
	waiting, err := w.store.Unsealed(ctx, w.except(), 1)
	if err != nil || len(waiting) == 0 {
		return 0, err
	}
	// The key is fetched before the transaction, not in it.
	if _, _, err := w.key(ctx); err != nil {
		return 0, err
	}
	if err := w.hold(ctx); err != nil {
		return 0, err
	}
	var bad brokenError
	err = w.store.InTx(ctx, func(ctx context.Context) error {
		n, err = w.seal(ctx)
		return err
	})
	if errors.As(err, &bad) {
		w.broken[bad.organizationID] = w.now().Add(brokenFor)
		w.cfg.Logger.ErrorContext(ctx, "audit: a chain is not what was sealed; it is not continued",
			slog.String("organization_id", bad.organizationID), slog.Any("error", bad.error))
		return 1, nil
	}
	return n, err
}

func (w *sealer) except() []string { return slices.Sorted(maps.Keys(w.broken)) }

// hold takes the lease, unless it lasts.
func (w *sealer) hold(ctx context.Context) (err error) {
	now := w.now()
	if now.Before(w.lease.Until) {
		return nil
	}
	w.lease, err = w.store.Acquire(ctx, w.holder, now, now.Add(leaseFor))
	return err
}

// release lets the next process in at once.
func (w *sealer) release(ctx context.Context) error {
	if w.lease.Token == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	return w.store.Release(ctx, w.lease)
}

// brokenError is about one chain, which must not hold up the others.
type brokenError struct {
	error
	organizationID string
}

func (e brokenError) Unwrap() error { return e.error }

// seal links a batch in the transaction of ctx. The fence comes first: whoever holds
// it is the only one who writes numbers, however late they are (rule R30).
func (w *sealer) seal(ctx context.Context) (int, error) {
	now := w.now()
	until := now.Add(leaseFor)
	if err := w.store.Fence(ctx, w.lease, now, until); err != nil {
		return 0, err
	}
	w.lease.Until = until
	pending, err := w.store.Unsealed(ctx, w.except(), sealBatch)
	if err != nil {
		return 0, err
	}
	chains := map[string][]Pending{}
	for _, p := range pending {
		chains[p.OrganizationID] = append(chains[p.OrganizationID], p)
	}
	var begun int64
	for _, id := range slices.Sorted(maps.Keys(chains)) {
		isNew, err := w.extend(ctx, id, chains[id])
		if errors.Is(err, ErrTampered) || errors.Is(err, ErrChainMoved) {
			return 0, brokenError{err, id}
		}
		if err != nil {
			return 0, err
		}
		if isNew {
			begun++
		}
	}
	return len(pending), w.enrol(ctx, begun)
}

// extend links rows to the end of one chain, and reports whether it is a new one.
func (w *sealer) extend(ctx context.Context, organizationID string, rows []Pending) (isNew bool, err error) {
	chain, err := w.store.Chain(ctx, organizationID)
	isNew = errors.Is(err, ErrNoChain)
	switch {
	case isNew:
		chain = Chain{OrganizationID: organizationID, Head: Head{OrganizationID: organizationID}}
	case err != nil:
		return false, err
	default:
		if err := w.trust(ctx, chain); err != nil {
			return false, err
		}
	}
	kid, key, err := w.key(ctx)
	if err != nil {
		return false, err
	}
	head := Head{OrganizationID: organizationID, Count: chain.Head.Count, Hash: chain.Head.Hash, At: w.now()}
	links := make([]Link, 0, len(rows))
	for _, row := range rows {
		head.Count++
		link := Link{ID: row.ID, Seq: head.Count, Prev: head.Hash, KID: kid}
		link.Link = sum(key, linkMessage(organizationID, link, row.MAC))
		head.Hash = link.Link
		links = append(links, link)
	}
	if head, err = w.sign(ctx, head, domainHead); err != nil {
		return false, err
	}
	return isNew, w.store.Extend(ctx, chain.Head, head, links)
}

// enrol adds new chains to the roster, by which a chain that was removed as a whole is
// missed. A roster that was tampered with stays as it is, for Verify to name.
func (w *sealer) enrol(ctx context.Context, begun int64) error {
	if begun == 0 {
		return nil
	}
	roster, _, err := w.store.Roster(ctx)
	if err != nil {
		return err
	}
	if err := w.trustRoster(ctx, roster); err != nil {
		if errors.Is(err, ErrTampered) {
			w.cfg.Logger.ErrorContext(ctx, "audit: the roster of chains is not what was sealed", slog.Any("error", err))
			return nil
		}
		return err
	}
	kid, key, err := w.key(ctx)
	if err != nil {
		return err
	}
	roster = Roster{Chains: roster.Chains + begun, KID: kid}
	roster.MAC = sum(key, roster.message())
	return w.store.SetRoster(ctx, roster)
}

// anchor hands out the heads that are due. Rows wait meanwhile, so that after a failure
// it is not tried again at once.
func (w *sealer) anchor(ctx context.Context) error {
	now := w.now()
	if now.Before(w.quiet) {
		return nil
	}
	due, err := w.store.Unanchored(ctx, now.Add(-w.cfg.AnchorEvery), now, anchorBatch)
	if err != nil || len(due) == 0 {
		return err
	}
	if err := w.hold(ctx); err != nil {
		if errors.Is(err, ErrLeased) {
			return nil
		}
		return err
	}
	within, cancel := context.WithTimeout(ctx, anchorWithin)
	defer cancel()
	var errs []error
	for _, chain := range due {
		if within.Err() != nil {
			break
		}
		if err := w.anchorOne(within, chain); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, w.store.Anchored(ctx, chain.Head, now))
	}
	if err = errors.Join(errs...); err != nil {
		w.quiet = now.Add(w.cfg.AnchorEvery)
	}
	return err
}

// anchorOne hands out a head that was made here. A forged one is told of once, as if it
// were anchored: its chain does not go on.
func (w *sealer) anchorOne(ctx context.Context, c Chain) error {
	err := w.trust(ctx, c)
	if errors.Is(err, ErrTampered) {
		w.cfg.Logger.ErrorContext(ctx, "audit: a chain is not what was sealed; its head is not anchored",
			slog.String("organization_id", c.OrganizationID), slog.Any("error", err))
		return nil
	}
	if err == nil {
		err = w.cfg.Anchor(ctx, c.Head)
	}
	if err != nil {
		return fmt.Errorf("audit: anchor: %w", err)
	}
	return nil
}
