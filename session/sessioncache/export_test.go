package sessioncache

import "time"

// Len returns how many entries there are.
func Len(c *Cache) (n int) {
	for i := range c.table.slots {
		if c.table.slots[i].entry.Load() != nil {
			n++
		}
	}
	return n
}

// Waiting is how many callers wait for the answer to the question of another.
func Waiting(c *Cache) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.flights {
		n += f.waiting
	}
	return n
}

// TokenKey is the key of a token.
func TokenKey(raw string) ([32]byte, bool) {
	k, ok := byToken(raw)
	return k, ok
}

// SessionKey is the key of a session under an epoch.
func SessionKey(id string, epoch int64) ([32]byte, bool) {
	k, ok := bySession(id, epoch)
	return k, ok
}

// Overlap is how far back the log is read.
const Overlap = overlap

// SetListenAgain shortens the wait of a test.
func SetListenAgain(c *Cache, d time.Duration) { c.listenAgain = d }

// SetWindow makes a log full sooner.
func SetWindow(c *Cache, n int) { c.window = n }
