package sessioncache

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

func TestCVE_2026_33496_KeysInOneSetWithOneTagAreToldApart(t *testing.T) {
	t.Parallel()
	tab := newTable(1)
	var entries []*entry
	for i := range ways {
		e := &entry{diesAt: time.Hour}
		e.key[31] = byte(i) // the set and the tag come from other bytes
		e.identity.Store(&session.Identity{User: session.User{ID: "u1"}})
		tab.put(e, 0)
		entries = append(entries, e)
	}
	for _, e := range entries {
		assert.True(t, tab.get(&e.key) == e, "each key has its own entry")
	}
	tab.remove(entries[3])
	assert.True(t, tab.get(&entries[3].key) == nil, "it is gone")
	tab.forget(session.Revocation{UserID: "u1"})
	for _, e := range entries {
		assert.True(t, tab.get(&e.key) == nil && e.gone.Load(), "all are gone")
	}
	assert.Equal(t, len(tab.users), 0)
}
