package sessioncache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// Config configures a [Cache]. Its zero value is right for production.
type Config struct {
	// Bound is how long after a lookup began its answer may be given again, at
	// most: between a millisecond and 30 seconds. Defaults to 2 s.
	Bound time.Duration
	// MaxEntries is how many lookups are remembered, rounded up to eight times a
	// power of two. Defaults to 16,384. One takes about a kilobyte.
	MaxEntries int
	// Poll is how often Run reads the log of revocations while anything is
	// remembered. Defaults to 500 ms.
	Poll time.Duration
	// Hints wakes the caches of other processes sooner. Defaults to none: they
	// learn of a revocation at their next poll.
	Hints Hints
	// Logger gets what Run could not do. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock by which sessions idle and end. It is read when an answer
	// comes, and Monotonic counts from there. Defaults to the service's (rule R32).
	Now func() time.Time
	// Monotonic counts the age of what is remembered, for tests. Defaults to the
	// process's monotonic clock.
	Monotonic func() time.Duration
}

// Hints carries, to all processes on a database, that there is news in the log.
// Nothing depends on the arrival of a hint.
type Hints interface {
	// Send sends a hint.
	Send(ctx context.Context) error
	// Listen calls heard for each hint and once when it begins to listen. It
	// returns when ctx ends or hints are not heard any more, and nil where there is
	// nothing to listen to.
	Listen(ctx context.Context, heard func()) error
}

const (
	defaultBound   = 2 * time.Second
	minBound       = time.Millisecond
	maxBound       = 30 * time.Second
	defaultEntries = 16384
	maxEntries     = 1 << 24
	defaultPoll    = 500 * time.Millisecond

	// defaultListenAgain is how long after it lost its ear the cache listens again.
	defaultListenAgain = 5 * time.Second
	// defaultWindow is how many revocations a poll tells apart. Where there are
	// more, everything is forgotten.
	defaultWindow = 10_000
)

func (c *Config) setDefaults(svc *session.Service) {
	if c.Bound == 0 {
		c.Bound = defaultBound
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultEntries
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = svc.Now
	}
	if c.Monotonic == nil {
		c.Monotonic = monotonic()
	}
}

func (c *Config) validate() error {
	switch {
	case c.Bound < minBound || c.Bound > maxBound:
		return fmt.Errorf("sessioncache: Config.Bound must be between %v and %v", minBound, maxBound)
	case c.MaxEntries < 1 || c.MaxEntries > maxEntries:
		return fmt.Errorf("sessioncache: Config.MaxEntries must be between 1 and %d", maxEntries)
	case c.Poll < minBound:
		return fmt.Errorf("sessioncache: Config.Poll must be at least %v", minBound)
	}
	return nil
}

// Cache is a session.Finder that remembers what it found for a moment. It is safe
// for concurrent use.
type Cache struct {
	svc *session.Service
	cfg Config
	// table is read by everybody and changed under mu.
	table table
	// filled is when the last entry was added, by Config.Monotonic.
	filled atomic.Int64
	unsent chan struct{}
	// listenAgain and window are constants outside of tests.
	listenAgain time.Duration
	window      int

	mu      sync.Mutex
	recent  recent
	flights map[key]*flight

	polling sync.Mutex
	seen    map[int64]struct{} // of the log, by id
}

var _ session.Finder = (*Cache)(nil)

// New returns a Cache before svc, or says what is wrong with cfg. From then on it
// is told of what svc, and everything on the same store, revokes. It does no I/O.
func New(svc *session.Service, cfg Config) (*Cache, error) {
	if svc == nil {
		return nil, errors.New("sessioncache: a service is required")
	}
	cfg.setDefaults(svc)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Cache{
		svc: svc, cfg: cfg, table: newTable(cfg.MaxEntries),
		unsent: make(chan struct{}, 1), flights: map[key]*flight{},
		listenAgain: defaultListenAgain, window: defaultWindow,
	}
	c.filled.Store(int64(cfg.Monotonic() - cfg.Bound))
	svc.WatchRevocations(c.revoked)
	return c, nil
}

// Lookup implements session.Finder. An answer is at most Config.Bound older than
// the database, and the identity is shared: do not change it. A hit does not
// allocate. Inside a transaction it asks the database, which alone knows what the
// transaction did.
func (c *Cache) Lookup(ctx context.Context, raw string) (*session.Identity, error) {
	k, ok := byToken(raw)
	if !ok {
		return nil, session.ErrNoSession
	}
	if c.svc.InTransaction(ctx) {
		return c.svc.Lookup(ctx, raw)
	}
	if i := c.hit(ctx, &k); i != nil {
		return i, nil
	}
	return c.miss(ctx, k, question{raw: raw})
}

// LookupSession implements session.Finder, as Lookup does.
func (c *Cache) LookupSession(ctx context.Context, id string, epoch int64) (*session.Identity, error) {
	k, ok := bySession(id, epoch)
	if !ok {
		return nil, session.ErrNoSession
	}
	if c.svc.InTransaction(ctx) {
		return c.svc.LookupSession(ctx, id, epoch)
	}
	if i := c.hit(ctx, &k); i != nil {
		return i, nil
	}
	return c.miss(ctx, k, question{id: id, epoch: epoch})
}

// hit returns what is remembered under a key and true still, or nil. It looks at
// one clock only: the session's own moments were counted in it by land.
func (c *Cache) hit(ctx context.Context, k *key) *session.Identity {
	e := c.table.get(k)
	if e == nil {
		return nil
	}
	now := c.cfg.Monotonic()
	if e.dead(now) {
		return nil
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	i := e.identity.Load()
	if now < e.touchAt || !e.touched.CompareAndSwap(false, true) {
		return i
	}
	return c.touch(ctx, e, i)
}

// touch records that the session was used. This is tried once per entry, so that
// an outage slows nobody down twice, and may have taken the rest of its life.
func (c *Cache) touch(ctx context.Context, e *entry, i *session.Identity) *session.Identity {
	used := c.svc.Touch(ctx, i)
	e.identity.Store(used)
	if e.dead(c.cfg.Monotonic()) {
		return nil
	}
	return used
}

// interrupted is the error of a caller who gave up.
func interrupted(ctx context.Context) error {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return fmt.Errorf("sessioncache: lookup: %w", err)
	}
	return fmt.Errorf("sessioncache: lookup: %w", problem.ErrUnavailable.With(ctx.Err()))
}
