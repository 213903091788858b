package bundbtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for others to arrive before it gives up; it
// is no measure of speed.
const patience = 60 * time.Second

// Barrier is where stalled statements wait. The test waits for them with Wait,
// does what should happen in between, and lets them go with Release.
type Barrier struct {
	n        int
	mu       sync.Mutex
	arrivals int
	arrived  chan struct{}
	released chan struct{}
	once     sync.Once
}

func newBarrier(n int) *Barrier {
	return &Barrier{n: n, arrived: make(chan struct{}), released: make(chan struct{})}
}

// Wait returns when all the statements that the barrier was made for have
// arrived. It ends the test if they do not within a minute.
func (b *Barrier) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-b.arrived:
	case <-time.After(patience):
		t.Fatal("bundbtest: the stalled statement was never reached")
	}
}

// Release lets the stalled statements go on, and those that would still stall.
// Calling it again does nothing.
func (b *Barrier) Release() { b.once.Do(func() { close(b.released) }) }

// stall is the act of a stalled statement.
func (b *Barrier) stall(ctx context.Context, _ *conn, _ event) error {
	b.arrive()
	select {
	case <-b.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Barrier) arrive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.arrivals++; b.arrivals == b.n {
		close(b.arrived)
	}
}
