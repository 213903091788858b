package bundb

import (
	"context"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// watched tells when someone begins to wait for its end.
type watched struct {
	context.Context //nolint:containedctx // it is a context that tells who waits
	once            *sync.Once
	asked           chan struct{}
}

func (w watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.asked) })
	return w.Context.Done()
}

func TestQueueLetsOneInAndTheWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	q := newQueue(0)
	leave, err := q.enter(t.Context())
	assert.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	w := watched{ctx, new(sync.Once), make(chan struct{})}
	refused, admitted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := q.enter(w)
		refused <- err
	}()
	<-w.asked
	cancel()
	assert.ErrorIs(t, <-refused, context.Canceled)

	second := watched{t.Context(), new(sync.Once), make(chan struct{})}
	go func() {
		_, err := q.enter(second)
		admitted <- err
	}()
	<-second.asked
	leave()
	assert.NoError(t, <-admitted)
	_, err = newBusy().enter(t.Context())
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

// newBusy returns a queue with someone inside for good and next to no patience.
func newBusy() *queue {
	q := newQueue(1)
	q.place <- struct{}{}
	return q
}

func TestQueueOfPostgreSQLIsNone(t *testing.T) {
	t.Parallel()
	var q *queue
	for range 3 {
		_, err := q.enter(t.Context())
		assert.NoError(t, err)
	}
}
