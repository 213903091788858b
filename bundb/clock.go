package bundb

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	sampleEvery = time.Minute
	sampleRetry = 5 * time.Second
	// sampleWithin bounds the reading of the database's clock. A slower answer
	// would also be a useless one: its age is unknown by half the round trip.
	sampleWithin = time.Second
	// standStill is how far the clock may be set back without going back: it
	// stands still until time has caught up. A bigger step is followed, because
	// other processes follow it too.
	standStill = time.Second
)

// clock tells the database's time: its last reading plus what Go's monotonic
// clock has counted since.
type clock struct {
	override func() time.Time
	read     func(context.Context) (time.Time, error)
	local    func() time.Time // has a monotonic reading; replaced in tests
	log      *slog.Logger
	ref      atomic.Pointer[reading]
	last     atomic.Int64 // the latest answer, in microseconds
	busy     atomic.Bool
}

// reading is the database's time at a moment of the local clock.
type reading struct{ local, database, next time.Time }

func newClock(cfg Config, read func(context.Context) (time.Time, error)) *clock {
	c := &clock{override: cfg.Clock, read: read, local: time.Now, log: cfg.Logger}
	if c.log == nil {
		c.log = slog.Default()
	}
	now := c.local()
	c.ref.Store(&reading{local: now, database: now.Round(0), next: now})
	return c
}

// Now returns the one clock's time (R32), UTC in microseconds: Config.Clock's, else
// the database's, so that all processes on one database agree. The database's
// time is read by Open and again each minute by the first call that comes to the
// pool or begins a transaction; in between Go's monotonic clock counts. Now
// itself does no I/O. It never goes back, except when the database's own clock is
// set back by more than a second. SQLite has no clock but that of the machine.
func (d *DB) Now() time.Time { return d.clock.now() }

func (c *clock) now() time.Time {
	if c.override != nil {
		return c.override().UTC().Truncate(time.Microsecond)
	}
	r := c.ref.Load()
	return c.forward(r.database.Add(c.local().Sub(r.local)))
}

// forward keeps the answers from going back.
func (c *clock) forward(t time.Time) time.Time {
	us := t.UnixMicro()
	for {
		last := c.last.Load()
		if last > us && last-us <= standStill.Microseconds() {
			return time.UnixMicro(last).UTC()
		}
		if c.last.CompareAndSwap(last, us) {
			return time.UnixMicro(us).UTC()
		}
	}
}

// refresh reads the database's clock if the last reading is old. It is called
// only where no transaction is open. One caller reads, the others go on with what
// is known; a failure is logged and tried again later.
func (c *clock) refresh(ctx context.Context) {
	if c.override != nil || c.local().Before(c.ref.Load().next) || !c.busy.CompareAndSwap(false, true) {
		return
	}
	defer c.busy.Store(false)
	if err := c.sample(ctx); err != nil {
		c.postpone()
		c.log.WarnContext(ctx, "bundb: the database's clock cannot be read", "error", err)
	}
}

// sync reads the database's clock now.
func (c *clock) sync(ctx context.Context) error {
	if c.override != nil {
		return nil
	}
	return c.sample(ctx)
}

func (c *clock) sample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sampleWithin)
	defer cancel()
	before := c.local()
	t, err := c.read(ctx)
	if err != nil {
		return err
	}
	after := c.local()
	middle := before.Add(after.Sub(before) / 2)
	c.ref.Store(&reading{local: middle, database: t, next: after.Add(sampleEvery)})
	return nil
}

func (c *clock) postpone() {
	r := *c.ref.Load()
	r.next = c.local().Add(sampleRetry)
	c.ref.Store(&r)
}

// processTime is SQLite's clock: the database runs in this process.
func processTime(context.Context) (time.Time, error) { return time.Now().Round(0), nil }

// serverTime is PostgreSQL's clock. This is the only SQL of the library that asks
// a database for its time.
func (d *DB) serverTime(ctx context.Context) (t time.Time, err error) {
	err = d.sqldb.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&t)
	return t, err
}
