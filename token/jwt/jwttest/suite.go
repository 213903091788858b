package jwttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

// Env is a store under test.
type Env struct {
	Store jwt.Store
	// InTx runs fn in a transaction of the store.
	InTx func(ctx context.Context, fn func(ctx context.Context) error) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at jwt.Store, one
// subtest per sentence. Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause{addClauses(), promoteClauses(), endClauses(), txClauses(), raceClauses()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, &world{Env: open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
			})
		}
	}
}

type clause struct {
	name string
	test func(t *testing.T, w *world)
}

// world is a store and the time of its test.
type world struct {
	Env
	now  time.Time
	made int
}

// key returns a row that no other equals.
func (w *world) key(state jwt.State) jwt.Key {
	w.made++
	id := fmt.Sprintf("%s-%d", state, w.made)
	k := jwt.Key{ID: id, State: state, Sealed: []byte("\x00sealed " + id), PublishedAt: w.now.Add(-3 * time.Hour)}
	if state != jwt.StatePublished {
		k.SigningAt = w.now.Add(-2 * time.Hour)
	}
	if state == jwt.StateRetired {
		k.RetiredAt = w.now.Add(-time.Hour)
	}
	return k
}

// add stores a row and wants that to happen.
func (w *world) add(t *testing.T, state jwt.State) jwt.Key {
	t.Helper()
	k := w.key(state)
	w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, k) })
	return k
}

// want runs a change that must not fail and must, or must not, take place.
func (w *world) want(t *testing.T, want bool, change func(ctx context.Context) (bool, error)) {
	t.Helper()
	done, err := change(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, done, want)
}

// rows wants the store to hold exactly these.
func (w *world) rows(t *testing.T, want ...jwt.Key) {
	t.Helper()
	got, err := w.Store.ListKeys(t.Context())
	assert.NoError(t, err)
	if len(want) == 0 {
		assert.Len(t, got, 0)
		return
	}
	assert.Equal(t, got, want)
}

// promotion lets next sign in the place of old.
func (w *world) promotion(old, next string) jwt.Promotion {
	return jwt.Promotion{Sign: next, PublishedBy: w.now, Retire: old, SigningBy: w.now, At: w.now}
}

func addClauses() []clause {
	return []clause{
		{"AddKey stores every field and ListKeys returns it", func(t *testing.T, w *world) {
			keys := []jwt.Key{w.add(t, jwt.StatePublished), w.add(t, jwt.StateRetired), w.add(t, jwt.StateSigning)}
			w.rows(t, keys...)
		}},
		{"ListKeys returns nothing where nothing is", func(t *testing.T, w *world) { w.rows(t) }},
		{"ListKeys returns the one published first before the others", func(t *testing.T, w *world) {
			later, earlier := w.key(jwt.StateRetired), w.key(jwt.StateRetired)
			later.PublishedAt = w.now
			for _, k := range []jwt.Key{later, earlier} {
				w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, k) })
			}
			w.rows(t, earlier, later)
		}},
		{"times are kept in microseconds and returned in UTC", func(t *testing.T, w *world) {
			k := w.key(jwt.StateRetired)
			zone := time.FixedZone("", 3600)
			k.PublishedAt = time.Date(2026, 7, 1, 0, 0, 0, 999999999, zone)
			k.SigningAt = time.Date(2026, 7, 1, 1, 0, 0, 1999, zone)
			k.RetiredAt = time.Date(2026, 7, 1, 2, 0, 0, 0, zone)
			w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, k) })
			k.PublishedAt = time.Date(2026, 6, 30, 23, 0, 0, 999999000, time.UTC)
			k.SigningAt = time.Date(2026, 7, 1, 0, 0, 0, 1000, time.UTC)
			k.RetiredAt = time.Date(2026, 7, 1, 1, 0, 0, 0, time.UTC)
			w.rows(t, k)
		}},
		{"AddKey refuses an id that exists and leaves the old row", func(t *testing.T, w *world) {
			k := w.add(t, jwt.StateRetired)
			same := w.key(jwt.StatePublished)
			same.ID = k.ID
			w.want(t, false, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, same) })
			w.rows(t, k)
		}},
		{"AddKey refuses a second key that is published, or signs, and no third that is retired", func(t *testing.T, w *world) {
			keys := []jwt.Key{
				w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning), w.add(t, jwt.StateRetired), w.add(t, jwt.StateRetired),
			}
			for _, state := range []jwt.State{jwt.StatePublished, jwt.StateSigning} {
				w.want(t, false, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, w.key(state)) })
			}
			got, err := w.Store.ListKeys(t.Context())
			assert.NoError(t, err)
			assert.Len(t, got, len(keys))
		}},
	}
}

func promoteClauses() []clause {
	return []clause{
		{"PromoteKey moves both keys at the given time and changes nothing else", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			other := w.add(t, jwt.StateRetired)
			w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.PromoteKey(ctx, w.promotion(old.ID, next.ID)) })
			next.State, next.SigningAt = jwt.StateSigning, w.now
			old.State, old.RetiredAt = jwt.StateRetired, w.now
			w.rows(t, next, other, old) // in the order of the ids: retired-3, signing-2
		}},
		{"PromoteKey needs no key to retire where none signs", func(t *testing.T, w *world) {
			next := w.add(t, jwt.StatePublished)
			w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.PromoteKey(ctx, w.promotion("", next.ID)) })
			next.State, next.SigningAt = jwt.StateSigning, w.now
			w.rows(t, next)
		}},
		{"PromoteKey retires nothing in silence: with a signing key that it was not given it does nothing", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			w.want(t, false, func(ctx context.Context) (bool, error) { return w.Store.PromoteKey(ctx, w.promotion("", next.ID)) })
			w.rows(t, next, old)
		}},
		{"PromoteKey does both or neither", func(t *testing.T, w *world) {
			next, old, gone := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning), w.add(t, jwt.StateRetired)
			for _, p := range []jwt.Promotion{
				w.promotion(old.ID, "unknown"), w.promotion(old.ID, gone.ID), w.promotion(old.ID, old.ID),
				w.promotion("unknown", next.ID), w.promotion(gone.ID, next.ID), w.promotion(next.ID, old.ID),
			} {
				w.want(t, false, func(ctx context.Context) (bool, error) { return w.Store.PromoteKey(ctx, p) })
			}
			w.rows(t, next, gone, old)
		}},
		{"PromoteKey asks for the age of both, to the microsecond", func(t *testing.T, w *world) {
			next, old := w.add(t, jwt.StatePublished), w.add(t, jwt.StateSigning)
			for _, c := range []struct {
				published, signing time.Duration
				want               bool
			}{{-time.Microsecond, 0, false}, {0, -time.Microsecond, false}, {0, 0, true}} {
				p := w.promotion(old.ID, next.ID)
				p.PublishedBy, p.SigningBy = next.PublishedAt.Add(c.published), old.SigningAt.Add(c.signing)
				w.want(t, c.want, func(ctx context.Context) (bool, error) { return w.Store.PromoteKey(ctx, p) })
			}
		}},
	}
}

func endClauses() []clause {
	return []clause{
		{"DeleteKey deletes the key in any state and says whether it was there", func(t *testing.T, w *world) {
			var ids []string
			for _, state := range []jwt.State{jwt.StatePublished, jwt.StateSigning, jwt.StateRetired} {
				ids = append(ids, w.add(t, state).ID)
			}
			kept := w.add(t, jwt.StateRetired)
			for _, want := range []bool{true, false} {
				for _, id := range ids {
					w.want(t, want, func(ctx context.Context) (bool, error) { return w.Store.DeleteKey(ctx, id) })
				}
			}
			w.rows(t, kept)
		}},
		{"PruneKeys deletes keys retired at before or earlier and no others", func(t *testing.T, w *world) {
			kept := []jwt.Key{w.add(t, jwt.StatePublished), w.key(jwt.StateRetired), w.add(t, jwt.StateSigning)}
			kept[1].RetiredAt = w.now.Add(time.Microsecond)
			at := w.key(jwt.StateRetired)
			at.RetiredAt = w.now
			for _, k := range []jwt.Key{kept[1], at} {
				w.want(t, true, func(ctx context.Context) (bool, error) { return w.Store.AddKey(ctx, k) })
			}
			w.add(t, jwt.StateRetired)
			for _, want := range []int{2, 0} {
				n, err := w.Store.PruneKeys(t.Context(), w.now)
				assert.NoError(t, err)
				assert.Equal(t, n, want)
			}
			w.rows(t, kept...)
		}},
	}
}
