package sessiontest

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

func touchClauses() []clause {
	return []clause{
		{"touch moves last seen and the idle end", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			touched(t, w, r, w.now.Add(5*time.Minute), 10*time.Minute)
		}},
		{"touch leaves other sessions alone", func(t *testing.T, w *world) {
			user := w.user(t)
			r, other := w.create(t, user, nil), w.create(t, user, nil)
			touched(t, w, r, w.now.Add(5*time.Minute), 10*time.Minute)
			same(t, w.find(t, other).Session, other.Session)
		}},
		{"touch does nothing to a session seen after Before", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			touch := touchAt(r, w.now.Add(30*time.Second), 10*time.Minute)
			touch.Before = w.now.Add(-time.Microsecond)
			untouched(t, w, r, touch)
		}},
		{"touch does nothing to a session that idled", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			untouched(t, w, r, touchAt(r, r.IdleEndsAt, 10*time.Minute))
		}},
		{"touch does nothing to a session past its end", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), func(r *session.Record) { r.IdleEndsAt = r.EndsAt })
			untouched(t, w, r, touchAt(r, r.EndsAt, 10*time.Minute))
		}},
		{"touch never moves the idle end past the absolute end", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), func(r *session.Record) { r.IdleEndsAt = r.EndsAt.Add(-time.Second) })
			at := r.EndsAt.Add(-time.Minute)
			assert.NoError(t, w.Store.TouchSession(t.Context(), touchAt(r, at, 24*time.Hour)))
			got := w.find(t, r).Session
			sameTime(t, "LastSeenAt", got.LastSeenAt, at)
			sameTime(t, "IdleEndsAt", got.IdleEndsAt, r.EndsAt)
			sameTime(t, "EndsAt", got.EndsAt, r.EndsAt)
		}},
		{"touch never revives a revoked session", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			w.end(t, session.Ending{UserID: r.UserID, ID: r.ID})
			assert.NoError(t, w.Store.TouchSession(t.Context(), touchAt(r, w.now.Add(5*time.Minute), time.Hour)))
			w.dead(t, r)
			assert.Len(t, w.end(t, session.Ending{UserID: r.UserID}), 0)
		}},
		{"touch of an unknown session is nothing", func(t *testing.T, w *world) {
			r := w.record(w.user(t))
			assert.NoError(t, w.Store.TouchSession(t.Context(), touchAt(r, w.now.Add(5*time.Minute), time.Hour)))
		}},
	}
}

func touchAt(r session.Record, at time.Time, idle time.Duration) session.Touch {
	return session.Touch{ID: r.ID, SeenAt: at, IdleEndsAt: at.Add(idle), Before: at.Add(-time.Minute)}
}

func touched(t *testing.T, w *world, r session.Record, at time.Time, idle time.Duration) {
	t.Helper()
	assert.NoError(t, w.Store.TouchSession(t.Context(), touchAt(r, at, idle)))
	want := r.Session
	want.LastSeenAt, want.IdleEndsAt = at, at.Add(idle)
	same(t, w.find(t, r).Session, want)
}

func untouched(t *testing.T, w *world, r session.Record, touch session.Touch) {
	t.Helper()
	assert.NoError(t, w.Store.TouchSession(t.Context(), touch))
	same(t, w.find(t, r).Session, r.Session)
}
