package sessioncache

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-go/tenon/session"
)

// maxRounds is how often a caller tries to get an answer together with others
// before it asks alone.
const maxRounds = 3

// errAbandoned is the error of a lookup that ended without an answer: its
// goroutine did.
var errAbandoned = errors.New("sessioncache: the lookup was abandoned")

// flight is one question on its way to the database.
type flight struct {
	// began and revocations are from before the question was asked.
	began       time.Duration
	revocations uint64
	waiting     int // how many others ask the same

	// What follows is for those who saw done closed.
	done     chan struct{}
	identity *session.Identity
	err      error
	// private answers are for who asked: an error because it left; that there is no
	// such session; and a session in which a superuser acts as the user, which ends
	// with another one (rule R22). None of these is remembered.
	private bool
	// overtaken answers were given before a revocation and came after it.
	overtaken bool
}

// miss asks the database, once for all who ask the same at the same time. The
// first of them asks with its own ctx; if that ends, another one asks again.
func (c *Cache) miss(ctx context.Context, k key, q question) (*session.Identity, error) {
	for round := range maxRounds {
		if round > 0 {
			if i := c.hit(ctx, &k); i != nil {
				return i, nil
			}
		}
		f, first := c.join(k)
		if first {
			c.fly(ctx, k, q, f)
			if !f.overtaken {
				return f.identity, f.err
			}
			continue
		}
		select {
		case <-f.done:
			if c.mayShare(f) {
				return f.identity, f.err
			}
		case <-ctx.Done():
			return nil, interrupted(ctx)
		}
	}
	return q.ask(ctx, c.svc)
}

// join returns the flight of a key, and whether the caller has to fly it.
func (c *Cache) join(k key) (f *flight, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[k]; f != nil {
		f.waiting++
		return f, false
	}
	f = &flight{
		began: c.cfg.Monotonic(), revocations: c.recent.count,
		done: make(chan struct{}), err: errAbandoned, private: true,
	}
	c.flights[k] = f
	return f, true
}

func (c *Cache) fly(ctx context.Context, k key, q question, f *flight) {
	defer c.land(k, f)
	f.identity, f.err = q.ask(ctx, c.svc)
	if f.err != nil {
		f.private = ctx.Err() != nil || errors.Is(f.err, session.ErrNoSession)
		return
	}
	f.private = f.identity.Session.ActorID != ""
}

// land remembers the answer, unless it was overtaken. A revocation that comes
// before this is known to recent; one that comes after finds the entry.
func (c *Cache) land(k key, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	delete(c.flights, k)
	if f.err != nil || f.private {
		return
	}
	f.overtaken = c.recent.overtook(f.identity, f.revocations)
	if f.overtaken {
		return
	}
	now := c.cfg.Monotonic()
	e := newEntry(k, f.identity, f.began, c.cfg.Bound, now, c.cfg.Now())
	if e.dead(now) {
		return
	}
	c.table.put(e, now)
	c.filled.Store(int64(now))
}

// mayShare reports whether the answer is good for those who only waited: like a
// remembered one it must not be too old.
func (c *Cache) mayShare(f *flight) bool {
	return !f.private && !f.overtaken && (f.err != nil || c.cfg.Monotonic()-f.began < c.cfg.Bound)
}
