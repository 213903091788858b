package ratelimit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"
)

// shards is the number of locks; a set of shards is a word.
const shards = 64

// Config configures a [Limiter].
type Config struct {
	// Rules are what keys obey; a rule is named by its place. Required.
	Rules []Rule
	// MaxKeys bounds the keys that are remembered, over all rules. It is rounded
	// up to a multiple of 64. Defaults to 65,536.
	MaxKeys int
	// Now is the clock. Required.
	Now func() time.Time
}

const (
	defaultMaxKeys = 1 << 16
	mostMaxKeys    = 1 << 30
)

// limits is what the shards need to know of a Config.
type limits struct {
	rules        []Rule
	keysPerShard int
}

// Limiter admits so much per key and no more. New makes one. It is safe for
// concurrent use.
type Limiter[K comparable] struct {
	limits
	now    func() time.Time
	origin time.Time
	seed   maphash.Seed
	shards [shards]shard[K]
}

// Charge is a key and the place of the rule that it obeys. Equal keys under
// different rules are different.
type Charge[K comparable] struct {
	Rule int
	Key  K
}

// Result says what became of a request, and what the caller may expect.
type Result struct {
	// Allowed is whether it may go on.
	Allowed bool
	// Limit is the one that decided: of those that refused, the one that refuses
	// longest, else the one with the least left. It is zero for a rule without
	// limits.
	Limit Limit
	// Remaining is how many further requests would be allowed at once.
	Remaining int
	// RetryAfter is how long to wait until a refused request would be allowed, if
	// nobody else asks; zero for an allowed one.
	RetryAfter time.Duration
	// ResetAfter is how long it takes until nothing is spent any more.
	ResetAfter time.Duration
}

// New returns a Limiter. The error names every mistake in cfg. A key without
// pointers in it, such as a fixed array, makes Allow free of allocations.
func New[K comparable](cfg Config) (*Limiter[K], error) {
	if cfg.MaxKeys == 0 {
		cfg.MaxKeys = defaultMaxKeys
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("ratelimit: config: %w", err)
	}
	l := &Limiter[K]{now: cfg.Now, origin: cfg.Now(), seed: maphash.MakeSeed()}
	l.keysPerShard = (cfg.MaxKeys + shards - 1) / shards
	for _, r := range cfg.Rules {
		l.rules = append(l.rules, slices.Clone(r))
	}
	for i := range l.shards {
		l.shards[i].init(len(l.rules))
	}
	return l, nil
}

func (cfg Config) validate() error {
	var errs []error
	if len(cfg.Rules) == 0 {
		errs = append(errs, errors.New("field Rules is required"))
	}
	for i, r := range cfg.Rules {
		if err := r.validate(); err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i, err))
		}
	}
	if cfg.MaxKeys < 1 || cfg.MaxKeys > mostMaxKeys {
		errs = append(errs, fmt.Errorf("MaxKeys %d is not from 1 to %d", cfg.MaxKeys, mostMaxKeys))
	}
	if cfg.Now == nil {
		errs = append(errs, errors.New("field Now is required"))
	}
	return errors.Join(errs...)
}

// Allow spends one unit of every limit of the rule for the key, or none.
func (l *Limiter[K]) Allow(rule int, key K) Result {
	charges := [1]Charge[K]{{Rule: rule, Key: key}}
	return l.decide(charges[:], true)
}

// AllowAll spends one unit of every limit of every charge, or none at all. Equal
// charges count once. The Result is that of the first charge, which is the
// caller's own, unless another one refuses; of those that refuse, it is the one
// that refuses longest.
func (l *Limiter[K]) AllowAll(charges ...Charge[K]) Result { return l.decide(charges, true) }

// Peek tells what AllowAll would answer, and spends nothing. Its Remaining counts
// the request that was not made.
func (l *Limiter[K]) Peek(charges ...Charge[K]) Result { return l.decide(charges, false) }

// decide judges all charges under the locks of all their keys.
func (l *Limiter[K]) decide(charges []Charge[K], spend bool) Result {
	var held uint64
	for _, c := range charges {
		if c.Rule < 0 || c.Rule >= len(l.rules) {
			return Result{RetryAfter: time.Second}
		}
		held |= 1 << l.shardOf(c)
	}
	l.lock(held)
	defer l.unlock(held)
	// Read under the locks: a time that was read before somebody else's is older.
	now := max(0, int64(l.now().Sub(l.origin)))
	total := Result{Allowed: true}
	for i, c := range charges {
		result := l.judge(c, now, spend)
		if i == 0 || longer(result, total) {
			total = result
		}
	}
	if !spend || !total.Allowed {
		return total
	}
	for i, c := range charges {
		if len(l.rules[c.Rule]) > 0 && !slices.Contains(charges[:i], c) {
			l.spend(c, now)
		}
	}
	return total
}

// longer reports whether a refuses, and for longer than b.
func longer(a, b Result) bool { return !a.Allowed && (b.Allowed || a.RetryAfter > b.RetryAfter) }

func (l *Limiter[K]) shardOf(c Charge[K]) int {
	return int(maphash.Comparable(l.seed, c.Key) % shards)
}

// lock takes the locks of a set in the order of the shards, so that two calls
// never wait for each other.
func (l *Limiter[K]) lock(set uint64) {
	for ; set != 0; set &= set - 1 {
		l.shards[bits.TrailingZeros64(set)].mu.Lock()
	}
}

func (l *Limiter[K]) unlock(set uint64) {
	for ; set != 0; set &= set - 1 {
		l.shards[bits.TrailingZeros64(set)].mu.Unlock()
	}
}

// judge returns what one charge gets, as it is after spending, if it will be spent.
func (l *Limiter[K]) judge(c Charge[K], now int64, spend bool) Result {
	buckets := l.shards[l.shardOf(c)].look(identity[K]{c.Rule, c.Key})
	total := Result{Allowed: true}
	for i, limit := range l.rules[c.Rule] {
		result := limit.judge(buckets[i], now, spend)
		tighter := result.Allowed && total.Allowed && result.Remaining < total.Remaining
		if i == 0 || tighter || longer(result, total) {
			total = result
		}
	}
	return total
}

func (l Limit) judge(b bucket, now int64, spend bool) Result {
	b = l.settle(b, now)
	result := Result{Allowed: l.fits(b), Limit: l, RetryAfter: l.retryAfter(b, now)}
	if result.Allowed && spend {
		b = l.spend(b)
	}
	result.Remaining, result.ResetAfter = l.remaining(b), l.resetAfter(b, now)
	return result
}

func (l *Limiter[K]) spend(c Charge[K], now int64) {
	s, id := &l.shards[l.shardOf(c)], identity[K]{c.Rule, c.Key}
	buckets := s.look(id)
	for i, limit := range l.rules[c.Rule] {
		buckets[i] = limit.spend(limit.settle(buckets[i], now))
	}
	s.keep(id, buckets, &l.limits, now)
}

// freshAfter returns how long it takes until a key has nothing spent.
func (l *limits) freshAfter(rule int, buckets [maxLimits]bucket, now int64) time.Duration {
	var longest time.Duration
	for i, limit := range l.rules[rule] {
		longest = max(longest, limit.resetAfter(limit.settle(buckets[i], now), now))
	}
	return longest
}
