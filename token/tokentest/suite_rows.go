package tokentest

import (
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func addClauses() []clause {
	return []clause{
		{"AddToken stores every field", func(t *testing.T, w *world) {
			r := w.add(t, func(r *token.Row) {
				r.ConsumedAt, r.Attempts, r.SecurityVersion = w.now.Add(time.Second), 4, -1<<62
				r.Verifier.MAC = []byte{0, 1, 0xff, '\'', '\\'}
				r.Subject = `it's "quoted" \ ? €`
			})
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
		}},
		{"AddToken stores what is empty as empty", func(t *testing.T, w *world) {
			r := w.add(t, tenant(""), func(r *token.Row) { r.Payload = nil })
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
			assert.True(t, got.ConsumedAt.IsZero(), "a new token is not consumed")
		}},
		{"times come back as the same microsecond, in UTC", func(t *testing.T, w *world) {
			r := w.row(expires(time.Date(2026, 7, 1, 1, 2, 3, 999999999, time.FixedZone("", 2*3600))))
			assert.NoError(t, w.Store.AddToken(t.Context(), r, 100))
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got.ExpiresAt, time.Date(2026, 6, 30, 23, 2, 3, 999999000, time.UTC))
		}},
		{"AddToken refuses an id or selector that exists and leaves the old row", func(t *testing.T, w *world) {
			r := w.add(t)
			for _, same := range []func(*token.Row){
				func(n *token.Row) { n.ID = r.ID },
				func(n *token.Row) { n.Selector = r.Selector },
				func(n *token.Row) { n.Selector, n.Purpose = r.Selector, reset },
			} {
				assert.Error(t, w.Store.AddToken(t.Context(), w.row(subject("u2"), same), 100))
			}
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
		}},
		{"AddToken drops the oldest beyond keep, of this purpose, tenant and subject only", func(t *testing.T, w *world) {
			rows := map[string]token.Row{
				"oldest":   w.add(t),
				"consumed": w.add(t, func(r *token.Row) { r.ConsumedAt = w.now }),
				"subject":  w.add(t, subject("u2")),
				"tenant":   w.add(t, tenant("o2")),
				"none":     w.add(t, tenant("")),
				"purpose":  w.add(t, purpose(reset)),
				"second":   w.add(t),
			}
			newest := w.row()
			assert.NoError(t, w.Store.AddToken(t.Context(), newest, 2))
			rows["newest"] = newest
			w.left(t, map[string]bool{"consumed": true, "subject": true, "tenant": true, "none": true, "purpose": true, "second": true, "newest": true}, rows)
		}},
	}
}

func findClauses() []clause {
	return []clause{
		{"TokenBySelector says ErrNotFound for an unknown selector", func(t *testing.T, w *world) {
			w.add(t)
			_, err := w.Store.TokenBySelector(t.Context(), verify, "unknown")
			assert.ErrorIs(t, err, token.ErrNotFound)
		}},
		{"TokenBySelector says ErrNotFound for another purpose", func(t *testing.T, w *world) {
			r := w.add(t)
			_, err := w.Store.TokenBySelector(t.Context(), reset, r.Selector)
			assert.ErrorIs(t, err, token.ErrNotFound)
		}},
		{"TokenBySelector tells letters' case apart", func(t *testing.T, w *world) {
			r := w.add(t, func(r *token.Row) { r.Selector = "AbCd" })
			_, err := w.Store.TokenBySelector(t.Context(), r.Purpose, "aBcD")
			assert.ErrorIs(t, err, token.ErrNotFound)
		}},
		{"TokenBySelector returns expired and consumed rows", func(t *testing.T, w *world) {
			r := w.add(t, expires(w.now.Add(-time.Hour)), func(r *token.Row) { r.ConsumedAt = w.now })
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
		}},
	}
}

func consumeClauses() []clause {
	return []clause{
		{"ConsumeToken marks the row at now and changes nothing else", func(t *testing.T, w *world) {
			r, other := w.add(t), w.add(t)
			won, err := w.Store.ConsumeToken(t.Context(), r.Purpose, r.ID, w.now)
			assert.NoError(t, err)
			assert.True(t, won, "an open token")
			r.ConsumedAt = w.now
			for _, want := range []token.Row{r, other} {
				got, _ := w.find(t.Context(), t, want)
				assert.Equal(t, got, want)
			}
		}},
		{"ConsumeToken refuses a second time and keeps the first time", func(t *testing.T, w *world) {
			r := w.add(t)
			for i, want := range []bool{true, false, false} {
				won, err := w.Store.ConsumeToken(t.Context(), r.Purpose, r.ID, w.now.Add(time.Duration(i)*time.Second))
				assert.NoError(t, err)
				assert.Equal(t, won, want)
			}
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got.ConsumedAt, w.now)
		}},
		{"ConsumeToken needs an expiry later than now, to the microsecond", func(t *testing.T, w *world) {
			for offset, want := range map[time.Duration]bool{-time.Hour: false, -time.Microsecond: false, 0: false, time.Microsecond: true, 100 * time.Microsecond: true} {
				r := w.add(t, expires(w.now.Add(offset)))
				won, err := w.Store.ConsumeToken(t.Context(), r.Purpose, r.ID, w.now)
				assert.NoError(t, err)
				assert.Equal(t, won, want)
			}
		}},
		{"ConsumeToken refuses another purpose and an unknown id", func(t *testing.T, w *world) {
			r := w.add(t)
			for id, p := range map[string]token.Purpose{r.ID: reset, "unknown": verify} {
				won, err := w.Store.ConsumeToken(t.Context(), p, id, w.now)
				assert.NoError(t, err)
				assert.False(t, won, id)
			}
			got, _ := w.find(t.Context(), t, r)
			assert.Equal(t, got, r)
		}},
	}
}

func chargeClauses() []clause {
	return []clause{
		{"ChargeToken counts up to the limit and changes nothing else", func(t *testing.T, w *world) {
			r, other := w.add(t), w.add(t)
			for i := range 5 {
				ok, err := w.Store.ChargeToken(t.Context(), r.Purpose, r.ID, 3, w.now)
				assert.NoError(t, err)
				assert.Equal(t, ok, i < 3)
			}
			r.Attempts = 3
			for _, want := range []token.Row{r, other} {
				got, _ := w.find(t.Context(), t, want)
				assert.Equal(t, got, want)
			}
		}},
		{"ChargeToken refuses a dead row, another purpose and an unknown id", func(t *testing.T, w *world) {
			used := w.add(t, func(r *token.Row) { r.ConsumedAt = w.now })
			expired := w.add(t, expires(w.now))
			live := w.add(t)
			for _, c := range []struct {
				purpose token.Purpose
				id      string
			}{{verify, used.ID}, {verify, expired.ID}, {reset, live.ID}, {verify, "unknown"}} {
				ok, err := w.Store.ChargeToken(t.Context(), c.purpose, c.id, 3, w.now)
				assert.NoError(t, err)
				assert.False(t, ok, c.id)
			}
		}},
	}
}

func dropClauses() []clause {
	return []clause{
		{"DropTokens deletes unconsumed rows of this purpose, tenant and subject and counts them", func(t *testing.T, w *world) {
			rows := map[string]token.Row{
				"one": w.add(t), "two": w.add(t), "expired": w.add(t, expires(w.now.Add(-time.Hour))),
				"consumed": w.add(t, func(r *token.Row) { r.ConsumedAt = w.now }),
				"subject":  w.add(t, subject("u2")), "tenant": w.add(t, tenant("o2")),
				"none": w.add(t, tenant("")), "purpose": w.add(t, purpose(reset)),
			}
			n, err := w.Store.DropTokens(t.Context(), verify, "u1", "o1")
			assert.NoError(t, err)
			assert.Equal(t, n, 3)
			w.left(t, map[string]bool{"consumed": true, "subject": true, "tenant": true, "none": true, "purpose": true}, rows)
			n, err = w.Store.DropTokens(t.Context(), verify, "u1", "o1")
			assert.NoError(t, err)
			assert.Equal(t, n, 0)
		}},
	}
}

func pruneClauses() []clause {
	return []clause{
		{"PruneTokens deletes what expires at before or earlier", func(t *testing.T, w *world) {
			rows := map[string]token.Row{
				"old":    w.add(t, expires(w.now.Add(-time.Hour))),
				"used":   w.add(t, expires(w.now.Add(-time.Hour)), func(r *token.Row) { r.ConsumedAt = w.now.Add(-2 * time.Hour) }),
				"at":     w.add(t, expires(w.now)),
				"after":  w.add(t, expires(w.now.Add(time.Microsecond))),
				"tenant": w.add(t, expires(w.now), tenant("o2")),
			}
			n, err := w.Store.PruneTokens(t.Context(), w.now, 100)
			assert.NoError(t, err)
			assert.Equal(t, n, 4)
			w.left(t, map[string]bool{"after": true}, rows)
		}},
		{"PruneTokens deletes at most limit", func(t *testing.T, w *world) {
			for range 5 {
				w.add(t, expires(w.now))
			}
			for _, want := range []int{2, 2, 1, 0} {
				n, err := w.Store.PruneTokens(t.Context(), w.now, 2)
				assert.NoError(t, err)
				assert.Equal(t, n, want)
			}
		}},
	}
}

// sentinel reports whether err is an answer about a token.
func sentinel(err error) bool {
	return errors.Is(err, token.ErrNotFound) || errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrTooManyAttempts)
}
