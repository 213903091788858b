package sessioncache

import "time"

// monotonic returns the time since it was called, by a clock that nobody sets:
// what is remembered must die on time, even while the clocks on the wall and of
// the database are corrected (rule R17).
func monotonic() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
