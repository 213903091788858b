package sessionbun_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
)

// proof says that the user has just proven a second factor under that version.
func (w *world) proof(version int64) door.Proof {
	return door.NewProof(door.Proven{UserID: w.user, SecurityVersion: version, Channel: "totp", At: w.db.Now()})
}

// caller is who the grant's token makes of a request.
func (w *world) caller(t testing.TB, g session.Grant) *principal.Principal {
	t.Helper()
	return assert.Must(w.Lookup(t.Context(), g.Token.Reveal()))(t).Principal()
}

func TestElevationsAndFailuresAreAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		grant := w.start(t)
		caller := w.caller(t, grant)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			next, err := w.Elevate(ctx, caller, w.proof(1))
			if err == nil {
				fresher := *caller
				fresher.FreshAt = next.Session.FreshAt
				caller = &fresher
			}
			return err
		})
		// The failure that ends the session: count, revocation and hooks are one.
		for range 4 {
			assert.Must(w.RecordStepUpFailure(t.Context(), caller))(t)
		}
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, err := w.RecordStepUpFailure(ctx, caller)
			return err
		})
		assert.Equal(t, w.failures(t, grant), 5)
		assert.Len(t, assert.Must(w.List(t.Context(), w.user, ""))(t), 0)
	})
}

// failures reads from another connection how many are counted.
func (w *world) failures(t testing.TB, g session.Grant) (n int) {
	t.Helper()
	assert.NoError(t, w.db.Statement("SELECT step_up_failures FROM tenon_sessions WHERE id = ?").
		QueryRow(t.Context(), g.Session.ID).Scan(&n))
	return n
}

func TestR12_FiveFailuresEndTheSessionUnder64Racers(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		grant := w.start(t)
		caller := w.caller(t, grant)
		var alive atomic.Int64
		race(t, 64, func(int) {
			switch ended, err := w.RecordStepUpFailure(t.Context(), caller); {
			case err != nil:
				t.Errorf("a racer failed: %v", err)
			case !ended:
				alive.Add(1)
			}
		})
		assert.Equal(t, alive.Load(), 4)
		assert.Equal(t, w.failures(t, grant), 5)
		_, err := w.Lookup(t.Context(), grant.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
		_, err = w.Elevate(t.Context(), caller, w.proof(1))
		assert.ErrorIs(t, err, session.ErrNoSession)
	})
}

func TestOf64ElevationsOfOneTokenOneWins(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		grant := w.start(t)
		caller := w.caller(t, grant)
		won := make(chan session.Grant, 64)
		race(t, 64, func(int) {
			switch next, err := w.Elevate(t.Context(), caller, w.proof(1)); {
			case err == nil:
				won <- next
			case !errors.Is(err, session.ErrNoSession):
				t.Errorf("a racer failed: %v", err)
			}
		})
		close(won)
		assert.Equal(t, len(won), 1)
		assert.Must(w.Lookup(t.Context(), (<-won).Token.Reveal()))(t)
		_, err := w.Lookup(t.Context(), grant.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
	})
}

// endings are what an elevation may meet, with whether the elevated session may
// live afterwards if it came first.
func (w *world) endings() map[string]func(ctx context.Context, g session.Grant) error {
	reset := func(ctx context.Context, keep string) error {
		return w.db.InTx(ctx, func(ctx context.Context) error {
			version, err := standins{w.db}.RaiseVersion(ctx, w.user)
			if err != nil {
				return err
			}
			return w.RevokeUser(ctx, w.user, keep, version)
		})
	}
	return map[string]func(ctx context.Context, g session.Grant) error{
		"revoke": func(ctx context.Context, g session.Grant) error { return w.Revoke(ctx, w.user, g.Session.ID) },
		"reset":  func(ctx context.Context, _ session.Grant) error { return reset(ctx, "") },
		"a kept session's reset": func(ctx context.Context, g session.Grant) error {
			return reset(ctx, g.Session.ID)
		},
	}
}

// An elevation that waits while something ends the session, or moves it to a new
// security version, is refused: stalled right before its statement, or racing.
func TestR1_AnElevationStalledAcrossAnEndingIsRefused(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	w := newWorld(t, db)
	version := int64(1)
	for name, end := range w.endings() {
		start := w.trusted()
		start.SecurityVersion = version
		grant := assert.Must(w.StartTrusted(t.Context(), start))(t)
		caller := w.caller(t, grant)
		barrier := bundbtest.FaultsOf(db).StallOn("SET selector", 1)
		elevated := make(chan error, 1)
		go func() {
			_, err := w.Elevate(t.Context(), caller, w.proof(version))
			elevated <- err
		}()
		barrier.Wait(t)
		assert.NoError(t, end(t.Context(), grant))
		barrier.Release()
		if err := <-elevated; !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: the elevation: %v", name, err)
		}
		assert.NoError(t, db.Statement("SELECT version FROM standin_users WHERE id = ?").QueryRow(t.Context(), w.user).Scan(&version))
	}
}

func TestR1_ElevateRacesRevokeAndReset(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		version := int64(1)
		for name, end := range w.endings() {
			for range 8 {
				start := w.trusted()
				start.SecurityVersion = version
				grant := assert.Must(w.StartTrusted(t.Context(), start))(t)
				caller, proof := w.caller(t, grant), w.proof(version)
				tokens := make(chan string, 17)
				tokens <- grant.Token.Reveal()
				race(t, 16, func(i int) {
					if i == 7 {
						if err := end(t.Context(), grant); err != nil {
							t.Errorf("%s: %v", name, err)
						}
						return
					}
					switch next, err := w.Elevate(t.Context(), caller, proof); {
					case err == nil:
						tokens <- next.Token.Reveal()
					case !errors.Is(err, session.ErrNoSession):
						t.Errorf("%s: elevate: %v", name, err)
					}
				})
				close(tokens)
				opens := 0
				for raw := range tokens {
					if _, err := w.Lookup(t.Context(), raw); err == nil {
						opens++
					}
				}
				if want := map[string]int{"a kept session's reset": 1}[name]; opens != want {
					t.Errorf("%s: %d tokens open the session, want %d", name, opens, want)
				}
				assert.NoError(t, db.Statement("SELECT version FROM standin_users WHERE id = ?").QueryRow(t.Context(), w.user).Scan(&version))
			}
		}
	})
}

func TestElevationJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		grant := w.start(t)
		caller := w.caller(t, grant)
		stop := errors.New("stop here")
		err := db.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			next, err := w.Elevate(ctx, caller, w.proof(1))
			if err != nil {
				return err
			}
			if _, err := w.Lookup(ctx, next.Token.Reveal()); err != nil {
				return err
			}
			_, err = w.RecordStepUpFailure(ctx, caller)
			assert.ErrorIs(t, err, session.ErrInTransaction)
			return stop
		})
		assert.ErrorIs(t, err, stop)
		assert.Must(w.Lookup(t.Context(), grant.Token.Reveal()))(t)
	})
}

// Sessions of before the column existed open as ever and are fresh for nobody.
func TestSessionsOfBeforeTheMigrationAreNotFresh(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		grant := w.start(t)
		assert.Must(db.Rollback(t.Context(), sessionbun.Schema(), 2))(t)
		assert.Must(db.Migrate(t.Context(), schemas()...))(t)
		p := w.caller(t, grant)
		assert.Equal(t, p.FreshAt, time.Unix(0, 0).UTC())
		assert.Len(t, p.FreshChannels, 0)
		assert.False(t, session.Fresh(p, db.Now(), time.Hour), "nobody knows when this was proven")
		next := assert.Must(w.Elevate(t.Context(), p, w.proof(1)))(t)
		assert.True(t, session.Fresh(w.caller(t, next), db.Now(), time.Hour), "a step-up makes it fresh")
	})
}
