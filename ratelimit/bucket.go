package ratelimit

import (
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Limit is Quota units per Window, of which all may be spent at once by who
// rested for a Window.
type Limit struct {
	// Quota is the number of units, 1 or more.
	Quota int
	// Window is a millisecond or more. Quota times Window in nanoseconds must be
	// below 2^62: 50,000 a day will do.
	Window time.Duration
}

// Rule is a set of limits that a key obeys all at once, at most four. A rule
// without limits admits everything and remembers nothing.
type Rule []Limit

// maxLimits bounds a Rule, so that the state of a key has a fixed size.
const maxLimits = 4

// maxFull bounds what a bucket holds: one unit more still fits an int64.
const maxFull = 1 << 62

// validate reports what is wrong with r.
func (r Rule) validate() error {
	if len(r) > maxLimits {
		return fmt.Errorf("has %d limits, at most %d are possible", len(r), maxLimits)
	}
	for _, l := range r {
		if err := l.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (l Limit) validate() error {
	switch {
	case l.Quota < 1:
		return fmt.Errorf("quota %d is not positive", l.Quota)
	case l.Window < time.Millisecond:
		return fmt.Errorf("window %v is shorter than a millisecond", l.Window)
	}
	if high, low := bits.Mul64(uint64(l.Quota), uint64(l.Window)); high != 0 || low >= maxFull {
		return errors.New("quota times window is too large")
	}
	return nil
}

// full is what a bucket holds when the quota is spent. One unit costs as many as
// the Window has nanoseconds, and as many as the Quota drain in a nanosecond: both
// are whole numbers, where the time per unit is not.
func (l Limit) full() int64 { return int64(l.Quota) * int64(l.Window) }

// bucket is what was spent of a limit and has not drained, as of a time in
// nanoseconds since the limiter's origin.
type bucket struct{ at, spent int64 }

// settle returns the bucket as of now, which is not negative.
func (l Limit) settle(b bucket, now int64) bucket {
	elapsed, drain := now-b.at, int64(l.Quota)
	switch {
	case elapsed < -int64(l.Window):
		return bucket{at: now, spent: b.spent}
	case elapsed < 0:
		return b
	case elapsed > b.spent/drain:
		return bucket{at: now}
	}
	return bucket{at: now, spent: b.spent - elapsed*drain}
}

// fits reports whether one more unit may be spent from a settled bucket.
func (l Limit) fits(b bucket) bool { return b.spent <= l.full()-int64(l.Window) }

// spend takes one unit. A bucket is never more than full: of the keys of one call,
// the place of one may be given to another, and it starts again from the floor.
func (l Limit) spend(b bucket) bucket {
	b.spent = min(b.spent+int64(l.Window), l.full())
	return b
}

// remaining returns how many units could be spent at once.
func (l Limit) remaining(b bucket) int { return int((l.full() - b.spent) / int64(l.Window)) }

// until returns how long it takes a settled bucket to drain to level, rounded up.
func (l Limit) until(b bucket, level, now int64) time.Duration {
	over := b.spent - level
	if over <= 0 {
		return 0
	}
	drain := int64(l.Quota)
	wait := over / drain
	if over%drain != 0 {
		wait++
	}
	return time.Duration(wait + max(0, b.at-now))
}

// retryAfter returns how long it takes until one more unit fits.
func (l Limit) retryAfter(b bucket, now int64) time.Duration {
	return l.until(b, l.full()-int64(l.Window), now)
}

// resetAfter returns how long it takes until nothing is spent.
func (l Limit) resetAfter(b bucket, now int64) time.Duration { return l.until(b, 0, now) }

// worse returns a bucket that is at least as spent as both of the settled ones.
func worse(a, b bucket) bucket { return bucket{at: max(a.at, b.at), spent: max(a.spent, b.spent)} }
