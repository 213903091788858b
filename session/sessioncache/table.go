package sessioncache

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/tenon-go/tenon/session"
)

// ways is how many places a key may be in.
const ways = 8

// entry is an answer of the database. Its identity may be replaced by one that
// was seen later; everything else that is not atomic never changes.
type entry struct {
	key key
	// diesAt is when the entry must not answer any more and touchAt when the
	// session's use is due to be recorded, both by Config.Monotonic.
	diesAt, touchAt time.Duration
	identity        atomic.Pointer[session.Identity]
	// gone is set when the entry is forgotten, before anybody is told so.
	gone atomic.Bool
	// used is the mark of CLOCK: it spares the entry once.
	used atomic.Bool
	// touched means that the session's use was recorded, or tried to be.
	touched atomic.Bool

	// The entries of one user, for whoever changes the table.
	prev, next *entry
}

// newEntry is what the database answered to a question that was asked at began. It
// lives for bound, and no longer than its session: a session that seems to have
// ended by itself may have been used elsewhere, which the database knows. Nor does it
// live on when a policy begins to demand a second factor. wall is the time at now.
func newEntry(k key, i *session.Identity, began, bound, now time.Duration, wall time.Time) *entry {
	s := &i.Session
	lives := min(s.IdleEndsAt.Sub(wall), s.EndsAt.Sub(wall))
	if until := i.HoldsUntil(); !until.IsZero() {
		lives = min(lives, until.Sub(wall))
	}
	e := &entry{
		key: k, diesAt: min(began+bound, now+lives),
		touchAt: now + s.LastSeenAt.Add(session.TouchEvery).Sub(wall),
	}
	e.identity.Store(i)
	return e
}

// dead reports whether the entry may not answer any more.
func (e *entry) dead(now time.Duration) bool { return now >= e.diesAt || e.gone.Load() }

// table is a set-associative cache. Reading it takes no lock; changing it takes
// the cache's. The hash in a key chooses eight slots, and among those CLOCK
// decides who has to go.
type table struct {
	slots []slot
	mask  uint64
	users map[string]*entry // the head of each user's list
}

// slot holds an entry and a part of its key, so that a reader looks at few
// entries but its own.
type slot struct {
	tag   atomic.Uint64
	entry atomic.Pointer[entry]
}

func newTable(size int) table {
	sets := uint64(1) << bits.Len64(uint64(size-1)/ways)
	return table{slots: make([]slot, sets*ways), mask: sets - 1, users: map[string]*entry{}}
}

func (t *table) set(k *key) []slot {
	first := (binary.LittleEndian.Uint64(k[:8]) & t.mask) * ways
	return t.slots[first : first+ways]
}

func tagOf(k *key) uint64 { return binary.LittleEndian.Uint64(k[8:16]) }

// get returns the entry of a key, or nil. It is for everybody.
func (t *table) get(k *key) *entry {
	tag, set := tagOf(k), t.set(k)
	for i := range set {
		if set[i].tag.Load() != tag {
			continue
		}
		if e := set[i].entry.Load(); e != nil && e.key == *k {
			return e
		}
	}
	return nil
}

// put adds an entry, in the place of one with its key or of one that has to go.
func (t *table) put(e *entry, now time.Duration) {
	s := t.place(&e.key, now)
	if old := s.entry.Load(); old != nil {
		t.remove(old)
	}
	s.entry.Store(e)
	s.tag.Store(tagOf(&e.key))
	user := e.identity.Load().User.ID
	if head := t.users[user]; head != nil {
		e.next, head.prev = head, e
	}
	t.users[user] = e
}

// place chooses a slot: that of the key, a free one, one whose entry is dead, or
// the first whose entry was not used since CLOCK passed by.
func (t *table) place(k *key, now time.Duration) *slot {
	set := t.set(k)
	free := -1
	for i := range set {
		e := set[i].entry.Load()
		if e != nil && e.key == *k {
			return &set[i]
		}
		if e == nil || now >= e.diesAt {
			free = i
		}
	}
	if free >= 0 {
		return &set[free]
	}
	for i := range set {
		if !set[i].entry.Load().used.Swap(false) {
			return &set[i]
		}
	}
	return &set[0]
}

// remove takes an entry out. Readers who have it already learn that it is gone.
func (t *table) remove(e *entry) {
	e.gone.Store(true)
	set := t.set(&e.key)
	for i := range set {
		if set[i].entry.Load() == e {
			set[i].entry.Store(nil)
		}
	}
	user := e.identity.Load().User.ID
	switch {
	case e.prev != nil:
		e.prev.next = e.next
	case e.next != nil:
		t.users[user] = e.next
	default:
		delete(t.users, user)
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
}

// forget takes out what r says is not true any more.
func (t *table) forget(r session.Revocation) {
	if r.UserID == "" {
		for _, e := range t.users {
			t.forgetUser(e, "")
		}
		return
	}
	t.forgetUser(t.users[r.UserID], r.SessionID)
}

func (t *table) forgetUser(e *entry, sessionID string) {
	for e != nil {
		next := e.next
		if sessionID == "" || e.identity.Load().Session.ID == sessionID {
			t.remove(e)
		}
		e = next
	}
}
