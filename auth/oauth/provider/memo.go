package provider

import (
	"context"
	"sync"
	"time"
)

// memo remembers what a provider publishes. Callers that find what they need do not wait for those that do not; of the
// latter one reads at a time, in its own context, so that nobody's impatience fails anybody else.
type memo[T any] struct {
	now  func() time.Time
	load func(context.Context) (T, error)
	turn chan struct{} // holds one token while somebody reads

	mu       sync.Mutex
	value    T
	err      error
	loadedAt time.Time // of value
	triedAt  time.Time // of the last read, failed or not
}

func newMemo[T any](now func() time.Time, load func(context.Context) (T, error)) *memo[T] {
	return &memo[T]{now: now, load: load, turn: make(chan struct{}, 1)}
}

// get returns the value if it is younger than life and suits, else reads it again; not within rereadAfter of the last
// read, or within retryAfter of one that failed. The value returned may still not suit.
func (m *memo[T]) get(ctx context.Context, life time.Duration, suits func(T) bool) (T, error) {
	if v, ok := m.peek(life, suits); ok {
		return v, nil
	}
	var none T
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return none, because(ErrUnavailable, ctx.Err())
	}
	if v, ok := m.peek(life, suits); ok {
		return v, nil
	}
	if v, err, recent := m.recent(life); recent {
		return v, err
	}
	v, err := m.load(ctx)
	if err != nil && ctx.Err() != nil {
		return none, err // it says nothing about the provider
	}
	m.remember(v, err)
	return v, err
}

func (m *memo[T]) peek(life time.Duration, suits func(T) bool) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value, m.fresh(life) && suits(m.value)
}

// fresh is false for a time in the future as well: the clock was set.
func (m *memo[T]) fresh(life time.Duration) bool {
	age := m.now().Sub(m.loadedAt)
	return !m.loadedAt.IsZero() && age >= 0 && age < life
}

func (m *memo[T]) recent(life time.Duration) (v T, err error, recent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := rereadAfter
	if m.err != nil {
		wait = retryAfter
	}
	if age := m.now().Sub(m.triedAt); m.triedAt.IsZero() || age < 0 || age >= wait {
		return v, nil, false
	}
	if m.err != nil {
		return v, m.err, true
	}
	return m.value, nil, m.fresh(life)
}

func (m *memo[T]) remember(v T, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.triedAt = err, m.now()
	if err == nil {
		m.value, m.loadedAt = v, m.triedAt
	}
}
