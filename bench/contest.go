package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// side is one of the things that are compared. The first one of a contest is
// the bare limit. op gets a number that grows with every call of the side.
type side struct {
	name string
	op   func(ctx context.Context, i int) error
}

// contest is how sides are compared: in each round they take turns, so that
// whatever else the machine does falls on all of them alike.
type contest struct {
	rounds  int
	turns   int // of each side in a round
	turn    int // operations in a turn
	callers int // goroutines that share a turn's operations
}

// measured is the time of one operation in nanoseconds, by side and round. With
// several callers it is the time of a turn divided by its operations.
type measured [][]float64

// run warms every side up by one turn and then measures.
func (c contest) run(ctx context.Context, sides ...side) (measured, error) {
	next := make([]atomic.Int64, len(sides))
	for s := range sides {
		if _, err := c.once(ctx, sides[s], &next[s]); err != nil {
			return nil, err
		}
	}
	out := make(measured, len(sides))
	for round := range c.rounds {
		runtime.GC()
		total := make([]time.Duration, len(sides))
		for turn := range c.turns {
			for n := range sides {
				s := (n + turn + round) % len(sides) // nobody is always the first
				took, err := c.once(ctx, sides[s], &next[s])
				if err != nil {
					return nil, err
				}
				total[s] += took
			}
		}
		for s := range sides {
			out[s] = append(out[s], float64(total[s].Nanoseconds())/float64(c.turns*c.turn))
		}
	}
	return out, nil
}

// once times one turn of a side.
func (c contest) once(ctx context.Context, s side, next *atomic.Int64) (time.Duration, error) {
	begin := time.Now()
	err := spread(c.callers, c.turn, func(int) error { return s.op(ctx, int(next.Add(1)-1)) })
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return took, nil
}

// spread calls fn with 0 to n-1 on as many goroutines as there are callers, and
// returns the first error. A single caller is the goroutine of spread itself.
func spread(callers, n int, fn func(i int) error) error {
	if callers <= 1 {
		for i := range n {
			if err := fn(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next  atomic.Int64
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for range min(callers, n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := fn(int(i)); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
				}
			}
		})
	}
	group.Wait()
	return first
}

// per returns the median time of one operation of a side.
func (m measured) per(s int) time.Duration { return time.Duration(median(m[s])) }

// rate returns the median of how many operations a side does in a second.
func (m measured) rate(s int) float64 { return 1e9 / median(m[s]) }

// ratio compares two sides round by round.
func (m measured) ratio(over, under int) ratio {
	quotients := make([]float64, len(m[over]))
	for i := range quotients {
		quotients[i] = m[over][i] / m[under][i]
	}
	return newRatio(quotients)
}

// ratio is the median of the rounds' quotients, with the least and the greatest.
type ratio struct{ median, least, greatest float64 }

func newRatio(quotients []float64) ratio {
	return ratio{median(quotients), slices.Min(quotients), slices.Max(quotients)}
}

func (r ratio) String() string {
	return fmt.Sprintf("**%.3f** (%.3f–%.3f)", r.median, r.least, r.greatest)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// footprint is what one operation allocates.
type footprint struct{ objects, bytes float64 }

// allocations counts what n calls of op allocate, one after the other.
func allocations(ctx context.Context, n int, op func(ctx context.Context, i int) error) (footprint, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		if err := op(ctx, i); err != nil {
			return footprint{}, err
		}
	}
	runtime.ReadMemStats(&after)
	return footprint{
		objects: float64(after.Mallocs-before.Mallocs) / float64(n),
		bytes:   float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, nil
}

func (f footprint) String() string {
	return fmt.Sprintf("%.0f allocs, %.1f kB", f.objects, f.bytes/1000)
}
