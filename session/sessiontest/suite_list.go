package sessiontest

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

func listClauses() []clause {
	return []clause{
		{"list has the user's live sessions, last seen first", listOwn},
		{"list has none that a lookup would refuse", listLive},
		{"R1 list has none of a banned or changed user", listChanged},
		{"list keeps to its limit", func(t *testing.T, w *world) {
			user := w.user(t)
			for range 3 {
				w.create(t, user, nil)
			}
			list, err := w.Store.ListSessions(t.Context(), user, w.now, 2)
			assert.NoError(t, err)
			assert.Len(t, list, 2)
		}},
	}
}

func listOwn(t *testing.T, w *world) {
	user := w.user(t)
	seen := func(ago time.Duration) session.Record {
		return w.create(t, user, func(r *session.Record) { r.LastSeenAt = w.now.Add(-ago) })
	}
	b, c, a := seen(time.Minute), seen(time.Hour), seen(time.Second)
	w.create(t, w.user(t), nil)
	list, err := w.Store.ListSessions(t.Context(), user, w.now, 10)
	assert.NoError(t, err)
	if len(list) != 3 {
		t.Fatalf("got %d sessions, want 3", len(list))
	}
	for i, want := range []session.Record{a, b, c} {
		same(t, list[i], want.Session)
	}
}

func listLive(t *testing.T, w *world) {
	user := w.user(t)
	revoked := w.create(t, user, nil)
	w.end(t, session.Ending{UserID: user, ID: revoked.ID})
	w.create(t, user, func(r *session.Record) { r.IdleEndsAt = w.now })
	w.create(t, user, func(r *session.Record) { r.IdleEndsAt, r.EndsAt = w.now.Add(-time.Hour), w.now })
	w.create(t, user, func(r *session.Record) { r.SecurityVersion = 7 })
	live := w.create(t, user, func(r *session.Record) { r.IdleEndsAt = w.now.Add(time.Microsecond) })
	list, err := w.Store.ListSessions(t.Context(), user, w.now, 10)
	assert.NoError(t, err)
	if len(list) != 1 {
		t.Fatalf("got %d sessions, want 1", len(list))
	}
	same(t, list[0], live.Session)
}

func listChanged(t *testing.T, w *world) {
	for _, change := range []func(*UserState){
		func(u *UserState) { u.Banned = true },
		func(u *UserState) { u.SecurityVersion++ },
	} {
		u := w.describe()
		assert.NoError(t, w.PutUser(t.Context(), u))
		w.create(t, u.ID, nil)
		change(&u)
		assert.NoError(t, w.PutUser(t.Context(), u))
		list, err := w.Store.ListSessions(t.Context(), u.ID, w.now, 10)
		assert.NoError(t, err)
		assert.Len(t, list, 0)
	}
}
