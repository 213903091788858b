package sessiontest

import (
	"context"
	"slices"
	"time"

	"github.com/tenon-go/tenon/session"
)

// AppendRevocation implements session.Store.
func (f *Fake) AppendRevocation(ctx context.Context, r session.Revocation, at time.Time) error {
	return f.mem.InTx(ctx, func(ctx context.Context) error {
		f.mem.AfterCommit(ctx, func() { f.tell(r) })
		return f.mem.Do(ctx, func(s *state) error {
			s.last++
			s.log = append(s.log, session.LoggedRevocation{Revocation: r, ID: s.last, At: at})
			return nil
		})
	})
}

func (f *Fake) tell(r session.Revocation) {
	f.watching.Lock()
	watchers := slices.Clone(f.watchers)
	f.watching.Unlock()
	for _, fn := range watchers {
		fn(r)
	}
}

// WatchRevocations implements session.Store.
func (f *Fake) WatchRevocations(fn func(session.Revocation)) {
	f.watching.Lock()
	defer f.watching.Unlock()
	f.watchers = append(f.watchers, fn)
}

// RecentRevocations implements session.Store.
func (f *Fake) RecentRevocations(ctx context.Context, since time.Time, limit int) (list []session.LoggedRevocation, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, r := range slices.Backward(s.log) {
			if !r.At.Before(since) && len(list) < limit {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

// PruneRevocations implements session.Store.
func (f *Fake) PruneRevocations(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		s.log = slices.DeleteFunc(s.log, func(r session.LoggedRevocation) bool {
			old := r.At.Before(before) && n < limit
			if old {
				n++
			}
			return old
		})
		return nil
	})
	return n, err
}
