package sessioncache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenon-go/tenon/session"
)

const (
	// overlap is how far back the log is read each time: its ids become visible in
	// the order of the commits and not in their own (rule R17).
	overlap = time.Minute
	// hintGap is how long after a hint the next one has to wait at least.
	hintGap = 20 * time.Millisecond
)

// Forget drops what is remembered of whom r names, and keeps what is being looked
// up from being remembered. The service calls it after each commit that makes it
// necessary; only a host that changes the tables past the packages calls it too.
func (c *Cache) Forget(r session.Revocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent.add(r)
	c.table.forget(r)
}

// revoked is what the service tells after a commit.
func (c *Cache) revoked(r session.Revocation) {
	c.Forget(r)
	signal(c.unsent)
}

// Poll reads what was revoked lately, by any process, and forgets it. Run calls it
// every Config.Poll; an error means that entries live for all of Config.Bound.
func (c *Cache) Poll(ctx context.Context) error {
	c.polling.Lock()
	defer c.polling.Unlock()
	rows, err := c.svc.RecentRevocations(ctx, c.cfg.Now().Add(-overlap), c.window+1)
	if err != nil {
		return fmt.Errorf("sessioncache: poll: %w", err)
	}
	if len(rows) > c.window {
		c.Forget(session.Revocation{})
	}
	seen := make(map[int64]struct{}, len(rows))
	for _, row := range rows {
		if _, known := c.seen[row.ID]; !known && len(rows) <= c.window {
			c.Forget(row.Revocation)
		}
		seen[row.ID] = struct{}{}
	}
	c.seen = seen
	return nil
}

// Run keeps up with the revocations of other processes until ctx ends, and tells
// them of those of this one. Without it entries live for all of Config.Bound,
// except for what this process revokes itself.
func (c *Cache) Run(ctx context.Context) error {
	heard := make(chan struct{}, 1)
	var listener sync.WaitGroup
	defer listener.Wait()
	if c.cfg.Hints != nil {
		listener.Go(func() { c.listen(ctx, heard) })
	}
	ticker := time.NewTicker(c.cfg.Poll)
	defer ticker.Stop()
	for healthy := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			healthy = c.catchUp(ctx, healthy)
		case <-heard:
			healthy = c.catchUp(ctx, healthy)
			wait(ctx, hintGap)
		case <-c.unsent:
			c.send(ctx)
		}
	}
}

// catchUp polls if there is anything to forget. It logs the first of several
// failures.
func (c *Cache) catchUp(ctx context.Context, healthy bool) bool {
	if c.cfg.Monotonic()-time.Duration(c.filled.Load()) >= c.cfg.Bound {
		return healthy
	}
	err := c.Poll(ctx)
	if err != nil && healthy && ctx.Err() == nil {
		c.cfg.Logger.WarnContext(ctx, "sessioncache: revocations by other processes act late, until the log can be read again",
			"bound", c.cfg.Bound, "error", err)
	}
	return err == nil
}

func (c *Cache) send(ctx context.Context) {
	if c.cfg.Hints == nil {
		return
	}
	if err := c.cfg.Hints.Send(ctx); err != nil && ctx.Err() == nil {
		c.cfg.Logger.DebugContext(ctx, "sessioncache: other processes were not told and will poll", "error", err)
	}
}

// listen hears hints, again and again.
func (c *Cache) listen(ctx context.Context, heard chan struct{}) {
	for ctx.Err() == nil {
		err := c.cfg.Hints.Listen(ctx, func() { signal(heard) })
		if err == nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			c.cfg.Logger.InfoContext(ctx, "sessioncache: hints are not heard for now", "error", err)
		}
		wait(ctx, c.listenAgain)
	}
}

// signal leaves a mark in a channel of one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
