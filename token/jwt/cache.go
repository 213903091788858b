package jwt

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// cache is what this process knows of the keys.
type cache struct {
	store Store
	cfg   Config

	mu         sync.Mutex
	set        *keySet
	generation int     // moves when what was read is known to be out of date
	flight     *flight // the read that is under way
	failure    error   // of the last read
	failedAt   time.Time
}

// keySet is what one read found. It never changes.
type keySet struct {
	readAt  time.Time // before the read began
	byID    map[string]*key
	signing *key // nil where no key signs
	jwks    []byte
}

// flight is a read that others wait for.
type flight struct {
	done chan struct{}
	set  *keySet
	err  error
}

// current returns keys that are not older than CacheFor.
func (c *cache) current(ctx context.Context) (*keySet, error) {
	c.mu.Lock()
	set := c.set
	c.mu.Unlock()
	if set != nil && within(set.readAt, c.cfg.now(), c.cfg.CacheFor) {
		return set, nil
	}
	return c.read(ctx)
}

// verifier returns the public key that kid names. A kid that is not known may be newer than what was read, so it is
// looked for once more, but not more often than every rereadEvery, whoever asks.
func (c *cache) verifier(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	set, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	if set.byID[kid] == nil {
		if set, err = c.newer(ctx, set); err != nil {
			return nil, err
		}
	}
	k := set.byID[kid]
	if k == nil || !k.verifies(c.cfg.now(), c.cfg.retiredFor()) {
		return nil, fmt.Errorf("unknown key: %w", ErrInvalid)
	}
	return k.public, nil
}

// newer returns keys that were read after those in set, if it is time for that.
func (c *cache) newer(ctx context.Context, set *keySet) (*keySet, error) {
	c.mu.Lock()
	latest, failure, failedAt := c.set, c.failure, c.failedAt
	c.mu.Unlock()
	now := c.cfg.now()
	switch {
	case latest != nil && latest != set:
		return latest, nil
	case failure != nil && within(failedAt, now, rereadEvery):
		return nil, failure
	case within(set.readAt, now, rereadEvery):
		return set, nil
	}
	return c.read(ctx)
}

// read reads the keys, or waits for a read that is under way.
func (c *cache) read(ctx context.Context) (*keySet, error) {
	if c.store.InTransaction(ctx) {
		// Who holds a connection must not wait for somebody who waits for one.
		return c.load(ctx)
	}
	c.mu.Lock()
	f, first := c.flight, c.flight == nil
	if first {
		f = &flight{done: make(chan struct{})}
		c.flight = f
	}
	c.mu.Unlock()
	if first {
		c.fly(ctx, f)
		return f.set, f.err
	}
	select {
	case <-f.done:
		return f.set, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for keys: %w", unavailable(ctx.Err()))
	}
}

// fly reads for all who wait, so the caller's own end does not matter.
func (c *cache) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.flight == f {
			c.flight = nil
		}
		close(f.done)
	}()
	f.err = unavailable(context.Canceled) // of a read that ends by a panic
	f.set, f.err = c.load(ctx)
}

// load reads and opens the keys and keeps what it found, unless it was out of date before it was here.
func (c *cache) load(ctx context.Context) (*keySet, error) {
	c.mu.Lock()
	generation := c.generation
	c.mu.Unlock()
	set, err := c.readAll(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure, c.failedAt = err, c.cfg.now()
	if err == nil && c.generation == generation {
		c.set = set
	}
	return set, err
}

func (c *cache) readAll(ctx context.Context) (*keySet, error) {
	set := &keySet{readAt: c.cfg.now(), byID: map[string]*key{}}
	rows, err := c.store.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	public := []*key{}
	for _, row := range rows {
		k, err := open(ctx, c.cfg.Sealer, row)
		switch {
		case err != nil && !isDamage(err):
			return nil, fmt.Errorf("open key %s: %w", row.ID, unavailable(err))
		case err != nil:
			c.cfg.Logger.ErrorContext(ctx, "jwt: a key does not open and is left out", slog.String("kid", row.ID), slog.Any("error", err))
			continue
		case !k.verifies(set.readAt, c.cfg.retiredFor()):
			continue
		case k.State == StateSigning:
			set.signing = k
		}
		set.byID[k.ID] = k
		public = append(public, k)
	}
	set.jwks, err = newJWKS(public)
	return set, err
}

// forget drops what is known, and what a read that began before will find.
func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set, c.flight, c.failure = nil, nil, nil
	c.generation++
}

// within reports whether now is less than d after start. A clock that was set back ends it.
func within(start, now time.Time, d time.Duration) bool {
	age := now.Sub(start)
	return age >= 0 && age < d
}
