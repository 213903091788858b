// Package ratelimit says how often something may be done: by an address, a
// device, a key. It protects; what is paid for is counted by package quota.
//
//	limiter, err := ratelimit.New[netip.Addr](ratelimit.Config{
//		Rules: []ratelimit.Rule{
//			{{Quota: 30, Window: time.Minute}, {Quota: 300, Window: time.Hour}}, // rule 0: every address
//		},
//		Now: db.Now,
//	})
//	if result := limiter.Allow(0, address); !result.Allowed {
//		problem.Write(w, r, ErrTooMany.WithRetryAfter(result.RetryAfter))
//	}
//
// # The algorithm
//
// GCRA (ITU-T I.371, the continuous-state leaky bucket): a key that rested for a
// Window may spend its whole Quota at once, and gets one unit back every
// Window/Quota. There are no windows that begin and end, so no moment at which
// twice the quota passes. The arithmetic is exact: a bucket counts in units of
// 1/Quota nanosecond, in integers, so nothing is rounded and nothing drifts,
// whatever the quota; New refuses limits whose numbers could overflow.
//
// A key obeys all limits of its rule, and [Limiter.AllowAll] asks for several
// keys at once, such as an address and its networks: either all are charged or
// none is, so a refusal costs nobody a unit.
//
// # Memory, and floods of keys
//
// At most Config.MaxKeys keys are kept, about 200 bytes each; memory grows with
// use and is not given back. A new key takes the place of an old one that has
// nothing spent, or else of the one among the eight least recently used that
// would be fresh soonest. Whoever makes up keys cannot wash off a debt that way:
// what an evicted key had spent becomes the floor from which new keys of its rule
// and shard start, and drains like any bucket. So no key is ever better off for
// having been evicted (the argument of the Space-Saving algorithm), and the sum
// admitted to any set of keys is at most what it would be with endless memory.
// The price is paid under a flood only, by newcomers: they start with what was
// spent by the least loaded of those that made room. That floor rises by one unit
// when about MaxKeys requests of keys not seen before are admitted, so whoever
// wants to shut newcomers out for one Window has to get about MaxKeys times the
// quota admitted within a Window, with a new key nearly each time. Keys are spread
// over the shards by a hash with a random seed, so nobody can aim at a shard.
//
// # Concurrency
//
// A [Limiter] is safe for concurrent use; its keys are spread over 64 locks. The
// limits are those of one process: behind n processes a client may get up to n
// times as much. Time comes from Config.Now. If it steps back by no more than a
// limit's Window, that limit stands still until it has caught up; a bigger step is
// followed, with what is spent kept.
//
// # Errors
//
// New names what is wrong with a Config. Afterwards nothing fails: a rule that
// does not exist admits nothing.
package ratelimit
