package sessiontest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

func endClauses() []clause {
	return []clause{
		{"end with an id ends that session of that user", endOne},
		{"end touches nobody else's session", endForeign},
		{"end without an id ends all but the kept one", endOthers},
		{"end without an id and a kept one ends all", endAll},
		{"end with KeepLatest spares those used last", endBeyondLatest},
		{"R1 end moves the kept session to the new version", endRestamps},
		{"R1 end revives no session of an older version", endStale},
		{"end returns each id once", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			assert.Equal(t, w.end(t, session.Ending{UserID: r.UserID, ID: r.ID}), []string{r.ID})
			assert.Len(t, w.end(t, session.Ending{UserID: r.UserID, ID: r.ID}), 0)
		}},
		{"16 concurrent endings have one winner", endRace},
		{"delete forgets one user's sessions, ended or not", deleteAll},
		{"prune deletes what ended before, limit at most", prune},
	}
}

func endOne(t *testing.T, w *world) {
	user := w.user(t)
	r, other := w.create(t, user, nil), w.create(t, user, nil)
	assert.Equal(t, w.end(t, session.Ending{UserID: user, ID: r.ID}), []string{r.ID})
	w.dead(t, r)
	same(t, w.find(t, other).Session, other.Session)
}

func endForeign(t *testing.T, w *world) {
	r, stranger := w.create(t, w.user(t), nil), w.create(t, w.user(t), nil)
	assert.Len(t, w.end(t, session.Ending{UserID: stranger.UserID, ID: r.ID}), 0)
	assert.Len(t, w.end(t, session.Ending{UserID: stranger.UserID, KeepID: stranger.ID}), 0)
	assert.Len(t, w.end(t, session.Ending{UserID: stranger.UserID, KeepID: r.ID, KeepVersion: 2}), 1)
	same(t, w.find(t, r).Session, r.Session)
}

func endOthers(t *testing.T, w *world) {
	user := w.user(t)
	kept, a, b := w.create(t, user, nil), w.create(t, user, nil), w.create(t, user, nil)
	ids := w.end(t, session.Ending{UserID: user, KeepID: kept.ID})
	slices.Sort(ids)
	assert.Equal(t, ids, slices.Sorted(slices.Values([]string{a.ID, b.ID})))
	same(t, w.find(t, kept).Session, kept.Session)
	w.dead(t, a)
	w.dead(t, b)
}

func endAll(t *testing.T, w *world) {
	user := w.user(t)
	a, b := w.create(t, user, nil), w.create(t, user, nil)
	assert.Len(t, w.end(t, session.Ending{UserID: user}), 2)
	w.dead(t, a)
	w.dead(t, b)
}

func endBeyondLatest(t *testing.T, w *world) {
	user := w.user(t)
	seen := func(ago time.Duration) session.Record {
		return w.create(t, user, func(r *session.Record) { r.LastSeenAt = w.now.Add(-ago) })
	}
	b, d, c, a := seen(2*time.Second), seen(4*time.Second), seen(3*time.Second), seen(time.Second)
	idled := w.create(t, user, func(r *session.Record) { r.IdleEndsAt = w.now })
	revoked := w.create(t, user, nil)
	w.end(t, session.Ending{UserID: user, ID: revoked.ID})
	foreign := w.create(t, w.user(t), func(r *session.Record) { r.LastSeenAt = w.now.Add(-time.Hour) })
	assert.Len(t, w.end(t, session.Ending{UserID: user, KeepLatest: 4}), 0)
	assert.Equal(t, w.end(t, session.Ending{UserID: user, KeepLatest: 3}), []string{d.ID})
	ids := w.end(t, session.Ending{UserID: user, KeepLatest: 1})
	slices.Sort(ids)
	assert.Equal(t, ids, slices.Sorted(slices.Values([]string{b.ID, c.ID})))
	for _, r := range []session.Record{a, idled, foreign} {
		same(t, w.find(t, r).Session, r.Session)
	}
	// Of sessions used at the same moment the newest stays.
	old, young := w.create(t, user, nil), w.create(t, user, nil)
	assert.Len(t, w.end(t, session.Ending{UserID: user, KeepLatest: 1}), 2)
	w.dead(t, old)
	w.find(t, young)
}

func endRestamps(t *testing.T, w *world) {
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	kept, other := w.create(t, u.ID, nil), w.create(t, u.ID, nil)
	u.SecurityVersion = 2
	assert.NoError(t, w.PutUser(t.Context(), u))
	w.dead(t, kept)
	assert.Equal(t, w.end(t, session.Ending{UserID: u.ID, KeepID: kept.ID, KeepVersion: 2}), []string{other.ID})
	want := kept.Session
	want.SecurityVersion = 2
	same(t, w.find(t, kept).Session, want)
	w.dead(t, other)
}

func endStale(t *testing.T, w *world) {
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	stale, revoked := w.create(t, u.ID, nil), w.create(t, u.ID, nil)
	w.end(t, session.Ending{UserID: u.ID, ID: revoked.ID})
	u.SecurityVersion = 3
	assert.NoError(t, w.PutUser(t.Context(), u))
	assert.Equal(t, w.end(t, session.Ending{UserID: u.ID, KeepID: stale.ID, KeepVersion: 3}), []string{stale.ID})
	w.dead(t, stale)
	u.SecurityVersion = 2
	assert.NoError(t, w.PutUser(t.Context(), u))
	assert.Len(t, w.end(t, session.Ending{UserID: u.ID, KeepID: revoked.ID, KeepVersion: 2}), 0)
	w.dead(t, revoked)
	w.dead(t, stale)
}

func endRace(t *testing.T, w *world) {
	r := w.create(t, w.user(t), nil)
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		winners int
	)
	for range 16 {
		wg.Go(func() {
			ids, err := w.Store.EndSessions(t.Context(), session.Ending{UserID: r.UserID, ID: r.ID, At: w.now})
			mu.Lock()
			defer mu.Unlock()
			winners += len(ids)
			if err != nil {
				t.Errorf("a racer failed: %v", err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, winners, 1)
	w.dead(t, r)
}

func prune(t *testing.T, w *world) {
	user := w.user(t)
	before := w.now.Add(-24 * time.Hour)
	for _, end := range []time.Time{before.Add(-time.Hour), before.Add(-time.Microsecond), before.Add(-time.Minute)} {
		w.create(t, user, func(r *session.Record) { r.IdleEndsAt, r.EndsAt = end, w.now.Add(time.Hour) })
	}
	live := w.create(t, user, nil)
	idled := w.create(t, user, func(r *session.Record) { r.IdleEndsAt = before })
	revoked := w.create(t, user, nil)
	_, err := w.Store.EndSessions(t.Context(), session.Ending{UserID: user, ID: revoked.ID, At: before.Add(-time.Second)})
	assert.NoError(t, err)
	for _, want := range []int{2, 2, 0} {
		n, err := w.Store.PruneSessions(t.Context(), before, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	w.find(t, live)
	w.find(t, idled)
	revoked.Selector = "freshselector001"
	assert.NoError(t, w.Store.CreateSession(t.Context(), revoked))
}

func deleteAll(t *testing.T, w *world) {
	user := w.user(t)
	live, revoked, other := w.create(t, user, nil), w.create(t, user, nil), w.create(t, w.user(t), nil)
	w.end(t, session.Ending{UserID: user, ID: revoked.ID})
	assert.NoError(t, w.Store.DeleteSessions(t.Context(), user))
	for _, r := range []session.Record{live, revoked} { // what is gone can be made once more
		assert.NoError(t, w.Store.CreateSession(t.Context(), r))
	}
	w.find(t, other)
}
