package sessionbun_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// world is a service on a real database with one user under version 1.
type world struct {
	*session.Service
	db   *bundb.DB
	user string
}

func newWorld(t testing.TB, db *bundb.DB) *world {
	t.Helper()
	cfg := session.Config{Peppers: cryptotest.NewKeyring(t), Users: standins{db}}
	w := &world{Service: assert.Must(session.New(newStore(t, db), cfg))(t), db: db, user: uuid.NewString()}
	assert.NoError(t, standins{db}.PutUser(t.Context(), sessiontest.UserState{
		User: session.User{ID: w.user, CreatedAt: db.Now(), UpdatedAt: db.Now()}, SecurityVersion: 1,
	}))
	return w
}

func (w *world) trusted() session.TrustedStart {
	return session.TrustedStart{UserID: w.user, SecurityVersion: 1, UserAgent: "curl/8.5.0"}
}

func (w *world) start(t testing.TB) session.Grant {
	t.Helper()
	return assert.Must(w.StartTrusted(t.Context(), w.trusted()))(t)
}

func TestLookupIsOneStatement(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		raw := w.start(t).Token.Reveal()
		faults := bundbtest.FaultsOf(db)
		count := func(raw string) int {
			return faults.Count(func() { _, _ = w.Lookup(t.Context(), raw) })
		}
		assert.Equal(t, count(raw), 1)
		bundbtest.ClockOf(db).Advance(time.Minute)
		assert.Equal(t, count(raw), 2) // the use is recorded
		assert.Equal(t, count(raw), 1)
		for _, junk := range []string{"", "junk", raw[1:], raw[:61], raw + "0", raw[:61] + "~", raw[:20] + "0000" + raw[24:]} {
			assert.Equal(t, count(junk), 0)
		}
	})
}

func TestVerifierOfAnotherRowIsRefused(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		a, b := w.start(t), w.start(t)
		// Whoever can write to the table gives the victim's row what recognises
		// their own token.
		_, err := db.Statement(`
UPDATE tenon_sessions SET verifier = (SELECT verifier FROM tenon_sessions WHERE id = ?),
  kid = (SELECT kid FROM tenon_sessions WHERE id = ?) WHERE id = ?`).Exec(t.Context(), a.Session.ID, a.Session.ID, b.Session.ID)
		assert.NoError(t, err)
		_, err = w.Lookup(t.Context(), b.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
		// With the selector moved along, too.
		_, err = db.Statement("UPDATE tenon_sessions SET selector = 'x' WHERE id = ?").Exec(t.Context(), a.Session.ID)
		assert.NoError(t, err)
		_, err = db.Statement("UPDATE tenon_sessions SET selector = ? WHERE id = ?").Exec(t.Context(), a.Token.Reveal()[8:24], b.Session.ID)
		assert.NoError(t, err)
		_, err = w.Lookup(t.Context(), a.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
	})
}

func TestRevokeChecksTheShapeBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		for _, id := range []string{"", "x", "\x00", "'", uuid.NewString() + "\x00", strings.Repeat("0", 1<<20)} {
			n := bundbtest.FaultsOf(db).Count(func() {
				assert.ErrorIs(t, w.Revoke(t.Context(), w.user, id), session.ErrSessionNotFound)
			})
			assert.Equal(t, n, 0)
		}
		assert.ErrorIs(t, w.Revoke(t.Context(), w.user, uuid.NewString()), session.ErrSessionNotFound)
	})
}

func TestPromise3_NoTokenIsReadableAtRest(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		raw := w.start(t).Token.Reveal()
		dump := string(bundbtest.Dump(t, db))
		assert.Contains(t, dump, raw[8:24]) // the selector shows that the row is there
		for _, secret := range []string{raw, raw[24:], raw[24:56]} {
			assert.NotContains(t, dump, secret)
			assert.NotContains(t, dump, base64.StdEncoding.EncodeToString([]byte(secret)))
			assert.NotContains(t, dump, hex.EncodeToString([]byte(secret)))
		}
	})
}

func TestPromise12_AnOutageEndsWithoutARestart(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		raw := w.start(t).Token.Reveal()
		for range 3 {
			bundbtest.FaultsOf(db).CutAt(1)
			_, err := w.Lookup(t.Context(), raw)
			assert.ErrorIs(t, err, problem.ErrUnavailable)
			assert.False(t, errors.Is(err, session.ErrNoSession), "an outage is no sign-out")
			assert.Must(w.Lookup(t.Context(), raw))(t)
		}
	})
}

func TestChangesAreAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		kept := w.start(t)
		version := int64(1)
		for name, op := range map[string]func(context.Context) error{
			"start": func(ctx context.Context) error {
				start := w.trusted()
				start.SecurityVersion = version
				_, err := w.StartTrusted(ctx, start)
				return err
			},
			"revoke others": func(ctx context.Context) error {
				_, err := w.RevokeOthers(ctx, w.user, kept.Session.ID)
				if err == nil {
					version++
				}
				return err
			},
			"set organization": func(ctx context.Context) error {
				return w.SetOrganization(ctx, w.user, kept.Session.ID, uuid.NewString())
			},
		} {
			t.Log(name)
			bundbtest.RequireAtomic(t, db, op)
		}
		assert.Must(w.Lookup(t.Context(), kept.Token.Reveal()))(t)
	})
}

func TestJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		var grant session.Grant
		stop := errors.New("stop here")
		err := db.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			var err error
			if grant, err = w.StartTrusted(ctx, w.trusted()); err != nil {
				return err
			}
			// The session is seen inside before anybody else can see it.
			if _, err = w.Lookup(ctx, grant.Token.Reveal()); err != nil {
				return err
			}
			return stop
		})
		assert.ErrorIs(t, err, stop)
		_, err = w.Lookup(t.Context(), grant.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
	})
}

func TestARevokedSessionIsNeverTouchedBackToLife(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		for range 4 {
			grant := w.start(t)
			bundbtest.ClockOf(db).Advance(2 * time.Minute)
			race(t, 64, func(i int) {
				if i%8 == 0 {
					_ = w.SignOut(t.Context(), grant.Token.Reveal())
					return
				}
				_, err := w.Lookup(t.Context(), grant.Token.Reveal())
				if err != nil && !errors.Is(err, session.ErrNoSession) {
					t.Errorf("lookup: %v", err)
				}
			})
			_, err := w.Lookup(t.Context(), grant.Token.Reveal())
			assert.ErrorIs(t, err, session.ErrNoSession)
			var revoked int
			assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_sessions WHERE id = ? AND revoked_at IS NOT NULL").
				QueryRow(t.Context(), grant.Session.ID).Scan(&revoked))
			assert.Equal(t, revoked, 1)
		}
	})
}

func TestATouchStalledAcrossARevocationChangesNothing(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		store := newStore(t, db)
		grant := w.start(t)
		seen := bundbtest.ClockOf(db).Now()
		bundbtest.ClockOf(db).Advance(2 * time.Minute)
		barrier := bundbtest.FaultsOf(db).StallOn("SET last_seen_at", 1)
		touched := make(chan error, 1)
		go func() { // not through Lookup, which would not wait that long
			touched <- store.TouchSession(t.Context(), session.Touch{
				ID: grant.Session.ID, SeenAt: db.Now(), IdleEndsAt: db.Now().Add(time.Hour), Before: db.Now(),
			})
		}()
		barrier.Wait(t)
		if db.Dialect() == bundb.SQLite {
			barrier.Release() // the touch is the one writer already
		}
		assert.NoError(t, w.SignOut(t.Context(), grant.Token.Reveal()))
		barrier.Release()
		assert.NoError(t, <-touched)
		_, err := w.Lookup(t.Context(), grant.Token.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
		if db.Dialect() == bundb.Postgres {
			var last time.Time
			assert.NoError(t, db.Statement("SELECT last_seen_at FROM tenon_sessions WHERE id = ?").
				QueryRow(t.Context(), grant.Session.ID).Scan(bundb.ScanTime(&last)))
			assert.Equal(t, last, seen)
		}
	})
}

func TestR1_ManySignOutsEverywhereDoNotDeadlock(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db)
		for range 20 {
			w.start(t)
		}
		race(t, 16, func(int) {
			if _, err := w.RevokeAll(t.Context(), w.user); err != nil {
				t.Errorf("revoke: %v", err)
			}
		})
		assert.Len(t, assert.Must(w.List(t.Context(), w.user, ""))(t), 0)
	})
}

// race runs n calls at once.
func race(t testing.TB, n int, call func(i int)) {
	t.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			call(i)
		})
	}
	close(begin)
	wg.Wait()
}
