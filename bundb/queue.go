package bundb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/problem"
)

const defaultWriterWait = 30 * time.Second

var errWriterBusy = errors.New("the queue for the writer did not move")

// queue lets one transaction after another in, in order of arrival as far as Go
// channels keep it. A nil queue lets everyone in.
type queue struct {
	place chan struct{}
	wait  time.Duration
}

func newQueue(wait time.Duration) *queue {
	if wait == 0 {
		wait = defaultWriterWait
	}
	return &queue{place: make(chan struct{}, 1), wait: wait}
}

// enter returns once the caller is the only one inside. The wait is bounded, so
// that a transaction opened inside another by mistake fails instead of hanging.
func (q *queue) enter(ctx context.Context) (leave func(), err error) {
	if q == nil {
		return func() {}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, Wrap("bundb: wait for the writer", err)
	}
	leave = func() { <-q.place }
	select {
	case q.place <- struct{}{}:
		return leave, nil
	default:
	}
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	select {
	case q.place <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, Wrap("bundb: wait for the writer", ctx.Err())
	case <-timer.C:
		return nil, fmt.Errorf("bundb: wait for the writer: %w", problem.ErrUnavailable.With(errWriterBusy))
	}
}
