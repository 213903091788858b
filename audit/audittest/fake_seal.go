package audittest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/audit"
)

// Acquire implements audit.SealStore.
func (f *Fake) Acquire(ctx context.Context, holder string, now, until time.Time) (lease audit.Lease, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		if s.lease.Token > 0 && s.lease.Holder != holder && s.lease.Until.After(now) && !s.lease.Until.After(until.Add(until.Sub(now))) {
			return audit.ErrLeased
		}
		s.lease = audit.Lease{Holder: holder, Token: s.lease.Token + 1, Until: until}
		lease = s.lease
		return nil
	})
	return lease, err
}

func (s *state) holds(lease audit.Lease) bool {
	return s.lease.Holder == lease.Holder && s.lease.Token == lease.Token && lease.Token > 0
}

// inTx runs fn, or returns audit.ErrNoTransaction.
func (f *Fake) inTx(ctx context.Context, fn func(s *state) error) error {
	if !f.InTransaction(ctx) {
		return audit.ErrNoTransaction
	}
	return f.mem.Do(ctx, fn)
}

// Fence implements audit.SealStore. Transactions run one after the other, so nothing
// needs to be locked.
func (f *Fake) Fence(ctx context.Context, lease audit.Lease, now, until time.Time) error {
	return f.inTx(ctx, func(s *state) error {
		if !s.holds(lease) || !s.lease.Until.After(now) {
			return audit.ErrLeaseLost
		}
		s.lease.Until = until
		return nil
	})
}

// Release implements audit.SealStore.
func (f *Fake) Release(ctx context.Context, lease audit.Lease) error {
	return f.mem.Do(ctx, func(s *state) error {
		if s.holds(lease) {
			s.lease.Holder, s.lease.Until = "", time.Time{}
		}
		return nil
	})
}

// Unsealed implements audit.SealStore.
func (f *Fake) Unsealed(ctx context.Context, except []string, limit int) (all []audit.Pending, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, r := range first(s.sorted(func(r audit.Row) bool {
			return r.Seq == 0 && !slices.Contains(except, r.OrganizationID)
		}), limit) {
			all = append(all, audit.Pending{ID: r.ID, OrganizationID: r.OrganizationID, MAC: r.MAC})
		}
		return nil
	})
	return all, err
}

// Extend implements audit.SealStore.
func (f *Fake) Extend(ctx context.Context, from, to audit.Head, links []audit.Link) error {
	return f.inTx(ctx, func(s *state) error {
		chain, ok := s.chains[to.OrganizationID]
		if ok != (from.Count > 0) || chain.Head.Count != from.Count {
			return audit.ErrChainMoved
		}
		taken := map[int64]bool{}
		for _, r := range s.rows {
			if r.OrganizationID == to.OrganizationID && r.Seq > 0 {
				taken[r.Seq] = true
			}
		}
		for _, l := range links {
			r, ok := s.rows[l.ID]
			if !ok || r.Seq != 0 || taken[l.Seq] || r.OrganizationID != to.OrganizationID {
				return audit.ErrChainMoved
			}
			r.Seq, r.Prev, r.Link, r.LinkKID = l.Seq, l.Prev, l.Link, l.KID
			s.rows[l.ID], taken[l.Seq] = r, true
		}
		chain.OrganizationID, chain.Head = to.OrganizationID, to
		s.chains[to.OrganizationID] = chain
		return nil
	})
}

// SetRoster implements audit.SealStore.
func (f *Fake) SetRoster(ctx context.Context, r audit.Roster) error {
	return f.inTx(ctx, func(s *state) error {
		s.roster = r
		return nil
	})
}

// Prune implements audit.RetentionStore.
func (f *Fake) Prune(ctx context.Context, from int64, base audit.Head) error {
	return f.inTx(ctx, func(s *state) error {
		chain, ok := s.chains[base.OrganizationID]
		if !ok || chain.Base.Count != from || chain.Head.Count < base.Count {
			return audit.ErrChainMoved
		}
		var n int64
		for id, r := range s.rows {
			if r.OrganizationID == base.OrganizationID && r.Seq > 0 && r.Seq <= base.Count {
				delete(s.rows, id)
				n++
			}
		}
		if n != base.Count-from {
			return audit.ErrChainMoved
		}
		chain.Base = base
		s.chains[base.OrganizationID] = chain
		return nil
	})
}

// Unanchored implements audit.RetentionStore.
func (f *Fake) Unanchored(ctx context.Context, before, now time.Time, limit int) (all []audit.Chain, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, id := range slices.Sorted(maps.Keys(s.chains)) {
			if a := s.anchored[id]; s.chains[id].Head.Count != a.count && (!a.at.After(before) || a.at.After(now)) {
				all = append(all, s.chains[id])
			}
		}
		slices.SortStableFunc(all, func(a, b audit.Chain) int {
			return cmp.Compare(s.anchored[a.OrganizationID].at.UnixMicro(), s.anchored[b.OrganizationID].at.UnixMicro())
		})
		all = first(all, limit)
		return nil
	})
	return all, err
}

// Anchored implements audit.RetentionStore.
func (f *Fake) Anchored(ctx context.Context, h audit.Head, now time.Time) error {
	return f.mem.Do(ctx, func(s *state) error {
		if was := s.anchored[h.OrganizationID].count; was < h.Count || was > s.chains[h.OrganizationID].Head.Count {
			s.anchored[h.OrganizationID] = anchored{h.Count, now}
		}
		return nil
	})
}
