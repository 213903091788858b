package password

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// slots bounds how many hashes run at once and how many wait.
type slots struct {
	size     int64
	queue    int64
	timeout  time.Duration
	sem      *semaphore.Weighted // first come, first served
	inUse    atomic.Int64
	waiting  atomic.Int64
	done     atomic.Uint64
	refused  atomic.Uint64
	canceled atomic.Uint64
}

func newSlots(size, queue int, timeout time.Duration) *slots {
	return &slots{size: int64(size), queue: int64(queue), timeout: timeout, sem: semaphore.NewWeighted(int64(size))}
}

// run calls fn in weight slots, all there are if that is fewer. It waits for
// them in line, until the queue's deadline or ctx's end.
func (s *slots) run(ctx context.Context, weight int64, fn func() error) error {
	weight = min(weight, s.size)
	if err := s.acquire(ctx, weight); err != nil {
		return err
	}
	s.inUse.Add(weight)
	defer func() {
		s.inUse.Add(-weight)
		s.done.Add(1)
		s.sem.Release(weight)
	}()
	return fn()
}

func (s *slots) acquire(ctx context.Context, weight int64) error {
	if err := ctx.Err(); err != nil {
		s.canceled.Add(1)
		return fmt.Errorf("password: wait for a slot: %w", err)
	}
	if s.sem.TryAcquire(weight) {
		return nil
	}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > s.queue {
		return s.overloaded()
	}
	line, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.sem.Acquire(line, weight) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		s.canceled.Add(1)
		return fmt.Errorf("password: wait for a slot: %w", err)
	}
	return s.overloaded()
}

func (s *slots) overloaded() error {
	s.refused.Add(1)
	return ErrOverloaded.WithRetryAfter(s.timeout)
}

// Stats is a snapshot of a Hasher for metrics. The counters only grow.
type Stats struct {
	Slots      int    // how many hashes may run at once
	InUse      int    // slots taken now
	Waiting    int    // callers in line now
	Hashed     uint64 // hashes computed
	Overloaded uint64 // callers refused with ErrOverloaded
	Canceled   uint64 // callers whose context ended in line
}

func (s *slots) stats() Stats {
	return Stats{
		Slots: int(s.size), InUse: int(s.inUse.Load()), Waiting: int(s.waiting.Load()),
		Hashed: s.done.Load(), Overloaded: s.refused.Load(), Canceled: s.canceled.Load(),
	}
}
