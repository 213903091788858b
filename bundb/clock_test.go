package bundb

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

// desk is a clock on a desk: the machine's time and the database's, both moved by
// hand. Every reading of the database takes as long as trip.
type desk struct {
	mu       sync.Mutex
	machine  time.Time
	database time.Time
	trip     time.Duration
	reads    int
	err      error
}

func newDesk(ahead time.Duration) (*desk, *clock) {
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := &desk{machine: t, database: t.Add(ahead)}
	c := newClock(Config{Logger: slog.New(slog.DiscardHandler)}, d.read)
	c.local = d.local
	c.ref.Store(&reading{local: t, database: t, next: t})
	return d, c
}

func (d *desk) local() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.machine
}

func (d *desk) pass(x time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine, d.database = d.machine.Add(x), d.database.Add(x)
}

// read answers with the database's time in the middle of the round trip.
func (d *desk) read(context.Context) (time.Time, error) {
	d.pass(d.trip / 2)
	d.mu.Lock()
	d.reads++
	t, err := d.database, d.err
	d.mu.Unlock()
	d.pass(d.trip / 2)
	return t, err
}

func TestR32_ClockIsTheDatabasesAndCountsOnByItself(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
		d, c := newDesk(ahead)
		d.trip = 40 * time.Millisecond
		assert.NoError(t, c.sync(t.Context()))
		assert.Equal(t, c.now(), d.database)
		d.pass(17 * time.Second)
		assert.Equal(t, c.now(), d.database)
		assert.Equal(t, c.now().Location(), time.UTC)
	}
}

func TestR32_ClockIsReadAgainEachMinuteAndNoMoreOften(t *testing.T) {
	t.Parallel()
	d, c := newDesk(0)
	for range 5 {
		c.refresh(t.Context())
	}
	assert.Equal(t, d.reads, 1)
	d.pass(sampleEvery - time.Second)
	c.refresh(t.Context())
	assert.Equal(t, d.reads, 1)
	d.pass(time.Second)
	d.database = d.database.Add(time.Minute)
	c.refresh(t.Context())
	assert.Equal(t, d.reads, 2)
	assert.Equal(t, c.now(), d.database)
}

func TestR32_ClockNeverGoesBackForSmallCorrections(t *testing.T) {
	t.Parallel()
	d, c := newDesk(0)
	assert.NoError(t, c.sync(t.Context()))
	last := c.now()
	for _, correction := range []time.Duration{-5 * time.Millisecond, 3 * time.Millisecond, -900 * time.Millisecond} {
		d.database = d.database.Add(correction)
		assert.NoError(t, c.sync(t.Context()))
		for range 10 {
			now := c.now()
			assert.False(t, now.Before(last), "the clock went back")
			last = now
			d.pass(time.Millisecond)
		}
	}
	d.pass(time.Second)
	assert.Equal(t, c.now(), d.database)
	d.database = d.database.Add(-time.Hour)
	assert.NoError(t, c.sync(t.Context()))
	assert.Equal(t, c.now(), d.database)
}

func TestR32_UnreadableClockGoesOnFromItsLastReading(t *testing.T) {
	t.Parallel()
	d, c := newDesk(time.Hour)
	c.refresh(t.Context())
	d.err = errors.New("down")
	d.pass(2 * time.Minute)
	c.refresh(t.Context())
	c.refresh(t.Context())
	assert.Equal(t, d.reads, 2)
	assert.Equal(t, c.now(), d.database)
	d.pass(sampleRetry)
	c.refresh(t.Context())
	assert.Equal(t, d.reads, 3)
	assert.ErrorIs(t, c.sync(t.Context()), d.err)
}

func TestR32_ReadingTheClockIsBoundedInTime(t *testing.T) {
	t.Parallel()
	_, c := newDesk(0)
	c.read = func(ctx context.Context) (time.Time, error) {
		deadline, ok := ctx.Deadline()
		assert.True(t, ok && time.Until(deadline) <= sampleWithin, "the reading has a deadline")
		return time.Time{}, ctx.Err()
	}
	assert.NoError(t, c.sync(t.Context()))
}

func TestR32_OnlyOneCallerReadsTheClock(t *testing.T) {
	t.Parallel()
	_, c := newDesk(0)
	entered, leave := make(chan struct{}), make(chan struct{})
	c.read = func(context.Context) (time.Time, error) {
		close(entered) // panics for a second reader
		<-leave
		return time.Time{}, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.refresh(t.Context()) })
	<-entered
	for range 16 {
		c.refresh(t.Context())
	}
	close(leave)
	wg.Wait()
}

func TestR32_ConfiguredClockRulesAndIsCutToMicroseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3600)
	c := newClock(Config{Clock: func() time.Time { return time.Date(2026, 1, 1, 1, 0, 0, 1999, zone) }}, nil)
	c.refresh(t.Context())
	assert.NoError(t, c.sync(t.Context()))
	assert.Equal(t, c.now(), time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC))
}

func BenchmarkNow(b *testing.B) {
	c := newClock(Config{}, processTime)
	for b.Loop() {
		c.now()
	}
}
