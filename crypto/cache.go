package crypto

import (
	"container/list"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// handle is a copy of an unwrapped key. Copies are what makes it safe to zero an entry while its key is being used.
type handle struct {
	id   keyID
	slot slot
	dek  [keySize]byte
}

// entry is an unwrapped key in the cache.
type entry struct {
	handle
	active  bool // was the active key of its slot when it was loaded
	loaded  time.Time
	expires time.Time
	used    bool // since it was loaded
	seals   int64
	subkeys map[string][keySize]byte
}

// query asks for a key by id, or for the active key of a slot. It is the identity of a load.
type query struct {
	id   keyID
	slot slot
	byID bool
}

// flight is one load that others wait for. The fields are written before done is closed.
type flight struct {
	done   chan struct{}
	gen    uint64
	h      handle
	err    error
	shared bool // err is everybody's: the leader's ctx was alive and outside a transaction
}

type miss struct {
	err   error
	until time.Time
}

// cache holds unwrapped keys, least recently used last. Loads of one key are joined; failures are remembered shortly.
type cache struct {
	capacity int
	stats    *counters

	mu      sync.Mutex
	entries map[keyID]*list.Element // of *entry
	order   *list.List
	active  map[slot]keyID
	misses  map[query]miss
	flights map[query]*flight
	unsaved map[string]int64 // seals of entries that left
	gen     uint64           // raised by every change of keys in this process: older loads are not kept
}

// counters are read by Stats.
type counters struct {
	hits, misses, kmsCalls, kmsErrors, stale, evictions atomic.Int64
}

func newCache(capacity int, stats *counters) *cache {
	return &cache{
		capacity: capacity, stats: stats,
		entries: make(map[keyID]*list.Element), order: list.New(), active: make(map[slot]keyID),
		misses: make(map[query]miss), flights: make(map[query]*flight), unsaved: make(map[string]int64),
	}
}

// find returns the key that q asks for if it is fresh. A seal is counted.
func (c *cache) find(q query, now time.Time, seal bool) (handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.lookup(q)
	if e == nil || !e.fresh(now) || !q.byID && !e.active {
		return handle{}, false
	}
	c.touch(e, seal)
	c.stats.hits.Add(1)
	return e.handle, true
}

// findStale returns a key that is past its age by at most extra, for opening only.
func (c *cache) findStale(id keyID, now time.Time, extra time.Duration) (handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.lookup(query{id: id, byID: true})
	if e == nil || now.Before(e.loaded) || now.After(e.expires.Add(extra)) {
		return handle{}, false
	}
	c.stats.stale.Add(1)
	return e.handle, true
}

// subkey returns a derived key of an entry, deriving and keeping it when it is asked for first.
func (c *cache) subkey(h handle, label string) (sub [keySize]byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.lookup(query{id: h.id, byID: true})
	if e != nil {
		if sub, ok := e.subkeys[label]; ok {
			return sub, nil
		}
	}
	key, err := deriveSubkey(h.dek[:], h.slot.purpose, label)
	if err != nil {
		return sub, err
	}
	defer clear(key)
	sub = [keySize]byte(key)
	if e != nil && len(e.subkeys) < maxSubkeys {
		e.subkeys[label] = sub
	}
	return sub, nil
}

// join returns a remembered failure, or the flight for q and whether the caller leads it.
func (c *cache) join(q query, now time.Time) (f *flight, leader bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.misses[q]; ok {
		if now.Before(m.until) {
			return nil, false, m.err
		}
		delete(c.misses, q)
	}
	if f, ok := c.flights[q]; ok {
		return f, false, nil
	}
	f = &flight{done: make(chan struct{}), gen: c.gen}
	c.flights[q] = f
	return f, true, nil
}

// land ends a flight. A key that was changed in this process since the flight began is handed out but not kept.
func (c *cache) land(q query, f *flight, e *entry, err error, keep miss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, q)
	f.err = err
	if err == nil {
		f.h = e.handle
	}
	if c.gen == f.gen {
		if err == nil {
			c.put(e)
		}
		if keep.err != nil {
			c.remember(q, keep)
		}
	}
	close(f.done)
}

// put adds or replaces an entry. The caller holds mu.
func (c *cache) put(e *entry) {
	if old, ok := c.entries[e.id]; ok {
		prev := old.Value.(*entry)
		e.seals += prev.seals
		prev.wipe()
		old.Value = e
		c.order.MoveToFront(old)
	} else {
		c.entries[e.id] = c.order.PushFront(e)
	}
	if e.active {
		c.active[e.slot] = e.id
	}
	for c.order.Len() > c.capacity {
		c.stats.evictions.Add(1)
		c.remove(c.order.Back())
	}
}

func (c *cache) remember(q query, m miss) {
	if len(c.misses) >= c.capacity {
		clear(c.misses)
	}
	c.misses[q] = m
}

// countSeal counts the seal of a caller who was handed a key by the leader of a flight.
func (c *cache) countSeal(id keyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsaved[id.String()]++
}

// forget drops keys that this process changed and every remembered failure, and disowns loads that are under way.
func (c *cache) forget(ids ...keyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	clear(c.misses)
	for _, id := range ids {
		if el, ok := c.entries[id]; ok {
			c.remove(el)
		}
	}
}

// drop removes one entry that turned out to be unusable.
func (c *cache) drop(q query) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.lookup(q); e != nil {
		c.remove(c.entries[e.id])
	}
}

func (c *cache) lookup(q query) *entry {
	id := q.id
	if !q.byID {
		var ok bool
		if id, ok = c.active[q.slot]; !ok {
			return nil
		}
	}
	el, ok := c.entries[id]
	if !ok {
		return nil
	}
	return el.Value.(*entry)
}

func (c *cache) touch(e *entry, seal bool) {
	e.used = true
	if seal {
		e.seals++
	}
	c.order.MoveToFront(c.entries[e.id])
}

// remove zeroes and drops an element. The caller holds mu.
func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*entry)
	delete(c.entries, e.id)
	if c.active[e.slot] == e.id {
		delete(c.active, e.slot)
	}
	if e.seals > 0 {
		c.unsaved[e.id.String()] += e.seals
	}
	e.wipe()
}

func (e *entry) wipe() {
	clear(e.dek[:])
	for label := range e.subkeys {
		e.subkeys[label] = [keySize]byte{}
	}
	clear(e.subkeys)
}

// fresh is false too when the clock went back behind the load: then the age is not known.
func (e *entry) fresh(now time.Time) bool { return !now.Before(e.loaded) && now.Before(e.expires) }

func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

// pendingSeals returns the seals that are not in the store yet, and takes them out if asked.
func (c *cache) pendingSeals(take bool) map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := maps.Clone(c.unsaved)
	for id, el := range c.entries {
		e := el.Value.(*entry)
		if e.seals > 0 {
			out[id.String()] += e.seals
		}
		if take {
			e.seals = 0
		}
	}
	if take {
		clear(c.unsaved)
	}
	return out
}

func (c *cache) returnSeals(seals map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range seals {
		c.unsaved[id] += n
	}
}

// sweep drops keys that are too old even for an outage, and returns those in the last quarter of their age that were
// used since they were loaded.
func (c *cache) sweep(now time.Time, cfg CacheConfig) (renew []keyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, el := range c.entries {
		e := el.Value.(*entry)
		switch {
		case now.After(e.expires.Add(cfg.StaleFor)):
			c.remove(el)
		case e.used && now.After(e.expires.Add(-cfg.MaxAge/4)):
			renew = append(renew, id)
		}
	}
	return renew
}
