package ratelimit

import "sync"

// identity is what a bucket belongs to.
type identity[K comparable] struct {
	rule int
	key  K
}

// entry is the state of a key, a link of its shard's list.
type entry[K comparable] struct {
	id         identity[K]
	prev, next int32
	buckets    [maxLimits]bucket
}

// root is the entry that closes the list: its next was used last, its prev least
// recently.
const root = 0

// sample is how many of the least recently used keys are looked at to find one
// that can be forgotten.
const sample = 8

// shard holds part of the keys. Links are places in a slice, so that the memory of
// a forgotten key serves the next one.
type shard[K comparable] struct {
	mu      sync.Mutex
	index   map[identity[K]]int32
	entries []entry[K]
	floors  [][maxLimits]bucket // by rule: where new keys start
	_       [64]byte            // a cache line between the locks
}

func (s *shard[K]) init(rules int) {
	s.index = map[identity[K]]int32{}
	s.entries = make([]entry[K], 1)
	s.floors = make([][maxLimits]bucket, rules)
}

// look returns the buckets of a key as they were left, or where a new key starts.
func (s *shard[K]) look(id identity[K]) [maxLimits]bucket {
	if at, ok := s.index[id]; ok {
		return s.entries[at].buckets
	}
	return s.floors[id.rule]
}

// keep stores the buckets of a key, as the one used last.
func (s *shard[K]) keep(id identity[K], buckets [maxLimits]bucket, l *limits, now int64) {
	at, ok := s.index[id]
	if ok {
		s.unlink(at)
	} else {
		at = s.place(l, now)
		s.index[id] = at
	}
	s.entries[at].id, s.entries[at].buckets = id, buckets
	s.link(at)
}

// place returns an entry that is free, and not in the list.
func (s *shard[K]) place(l *limits, now int64) int32 {
	if len(s.entries) <= l.keysPerShard {
		s.entries = append(s.entries, entry[K]{})
		return int32(len(s.entries) - 1)
	}
	victim := s.victim(l, now)
	s.unlink(victim)
	e := &s.entries[victim]
	floor := &s.floors[e.id.rule]
	for i, limit := range l.rules[e.id.rule] {
		floor[i] = worse(limit.settle(floor[i], now), limit.settle(e.buckets[i], now))
	}
	delete(s.index, e.id)
	return victim
}

// victim returns the entry to forget: among the least recently used, the one that
// would be fresh soonest. Those that are spared are used again, in a way, or they
// would make the choice smaller and smaller.
func (s *shard[K]) victim(l *limits, now int64) int32 {
	best := s.entries[root].prev
	least := l.freshAfter(s.entries[best].id.rule, s.entries[best].buckets, now)
	for range sample - 1 {
		at := s.entries[best].prev
		if least == 0 || at == root {
			return best
		}
		other := l.freshAfter(s.entries[at].id.rule, s.entries[at].buckets, now)
		spared := at
		if other < least {
			best, spared, least = at, best, other
		}
		s.unlink(spared)
		s.link(spared)
	}
	return best
}

func (s *shard[K]) unlink(at int32) {
	e := &s.entries[at]
	s.entries[e.prev].next, s.entries[e.next].prev = e.next, e.prev
}

func (s *shard[K]) link(at int32) {
	first := s.entries[root].next
	s.entries[at].prev, s.entries[at].next = root, first
	s.entries[first].prev, s.entries[root].next = at, at
}
