package audittest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/problem"
)

// Fake is an audit.Store in memory. It is safe for concurrent use; its transactions
// run one after the other.
type Fake struct {
	now func() time.Time
	mem *faketx.DB[state]
}

type anchored struct {
	count int64
	at    time.Time
}

type state struct {
	rows     map[string]audit.Row // by id
	chains   map[string]audit.Chain
	anchored map[string]anchored
	lease    audit.Lease
	roster   audit.Roster
}

func (s state) clone() state {
	s.rows, s.chains, s.anchored = maps.Clone(s.rows), maps.Clone(s.chains), maps.Clone(s.anchored)
	return s
}

var _ audit.Store = (*Fake)(nil)

// NewFake returns an empty Fake whose clock is now, or the system's if now is nil.
func NewFake(now func() time.Time) *Fake {
	if now == nil {
		now = time.Now
	}
	return &Fake{now: now, mem: faketx.New(state{
		rows: map[string]audit.Row{}, chains: map[string]audit.Chain{}, anchored: map[string]anchored{},
	}, state.clone)}
}

// SetDown makes every call fail like an unreachable database, or work again.
func (f *Fake) SetDown(down bool) {
	if down {
		f.mem.Fail(problem.ErrUnavailable)
		return
	}
	f.mem.Fail(nil)
}

// InTx implements audit.Store.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.mem.InTx(ctx, fn)
}

// InTransaction implements audit.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.mem.InTransaction(ctx) }

// Now implements audit.Store.
func (f *Fake) Now() time.Time { return f.now().UTC().Truncate(time.Microsecond) }

// Insert implements audit.EntryStore.
func (f *Fake) Insert(ctx context.Context, r audit.Row) error {
	return f.mem.Do(ctx, func(s *state) error {
		s.rows[r.ID] = r
		return nil
	})
}

// sorted returns the rows that keep selects, by id.
func (s *state) sorted(keep func(r audit.Row) bool) []audit.Row {
	var all []audit.Row
	for _, id := range slices.Sorted(maps.Keys(s.rows)) {
		if keep(s.rows[id]) {
			all = append(all, s.rows[id])
		}
	}
	return all
}

func first[T any](all []T, limit int) []T { return all[:min(len(all), limit)] }

// List implements audit.EntryStore.
func (f *Fake) List(ctx context.Context, q audit.Filter) (all []audit.Row, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		all = s.sorted(func(r audit.Row) bool { return matches(q, r) })
		if !q.OldestFirst {
			slices.Reverse(all)
		}
		all = first(all, q.Limit)
		return nil
	})
	return all, err
}

func matches(q audit.Filter, r audit.Row) bool {
	for _, c := range [][2]string{
		{q.ActorID, r.Actor.UserID},
		{q.Action, r.Action},
		{q.Event, r.Event},
		{q.Target.Type, r.Target.Type},
		{q.Target.ID, r.Target.ID},
		{string(q.Outcome), string(r.Outcome)},
	} {
		if c[0] != "" && c[0] != c[1] {
			return false
		}
	}
	further := q.After == "" || q.OldestFirst && r.ID > q.After || !q.OldestFirst && r.ID < q.After
	return further && (q.All || r.OrganizationID == q.OrganizationID) && r.ID >= q.FromID && (q.UntilID == "" || r.ID < q.UntilID)
}

// Erase implements audit.EntryStore.
func (f *Fake) Erase(ctx context.Context, userID string, about ...audit.Target) (n int64, err error) {
	targets := append([]audit.Target{{Type: audit.TargetUser, ID: userID}}, about...)
	err = f.mem.Do(ctx, func(s *state) error {
		for id, r := range s.rows {
			theirs := r.Actor.UserID == userID || r.Actor.ImpersonatorID == userID || slices.Contains(targets, r.Target)
			if theirs && r.Personal != nil {
				r.Personal = nil
				s.rows[id] = r
				n++
			}
		}
		return nil
	})
	return n, err
}

// Chain implements audit.ChainStore.
func (f *Fake) Chain(ctx context.Context, organizationID string) (c audit.Chain, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		found, ok := s.chains[organizationID]
		if !ok {
			return audit.ErrNoChain
		}
		c = found
		return nil
	})
	return c, err
}

// Chains implements audit.ChainStore.
func (f *Fake) Chains(ctx context.Context, after string, from bool, limit int) (all []audit.Chain, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, id := range slices.Sorted(maps.Keys(s.chains)) {
			if !from || id > after {
				all = append(all, s.chains[id])
			}
		}
		all = first(all, limit)
		return nil
	})
	return all, err
}

// Linked implements audit.ChainStore.
func (f *Fake) Linked(ctx context.Context, organizationID string, from int64, limit int) (all []audit.Row, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		all = s.sorted(func(r audit.Row) bool { return r.OrganizationID == organizationID && r.Seq != 0 && r.Seq >= from })
		slices.SortFunc(all, func(a, b audit.Row) int { return cmp.Compare(a.Seq, b.Seq) })
		all = first(all, limit)
		return nil
	})
	return all, err
}

// Tail implements audit.ChainStore.
func (f *Fake) Tail(ctx context.Context, organizationID string) (audit.Tail, error) {
	return f.tail(ctx, func(r audit.Row) bool { return r.OrganizationID == organizationID })
}

// TailOfAll implements audit.ChainStore.
func (f *Fake) TailOfAll(ctx context.Context) (audit.Tail, error) {
	return f.tail(ctx, func(audit.Row) bool { return true })
}

func (f *Fake) tail(ctx context.Context, of func(r audit.Row) bool) (t audit.Tail, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, r := range s.rows {
			if of(r) && r.Seq == 0 {
				t.Count++
				if t.Since.IsZero() || r.At.Before(t.Since) {
					t.Since = r.At
				}
			}
		}
		return nil
	})
	return t, err
}

// Roster implements audit.ChainStore.
func (f *Fake) Roster(ctx context.Context) (r audit.Roster, chains int64, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, chains = s.roster, int64(len(s.chains))
		return nil
	})
	return r, chains, err
}
