package sessiontest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

func createClauses() []clause {
	return []clause{
		{"create keeps every field", createKeepsEveryField},
		{"create keeps empty fields empty", createKeepsEmptyFields},
		{"create refuses an id that exists", func(t *testing.T, w *world) {
			refusesDuplicate(t, w, func(r *session.Record, old session.Record) { r.ID = old.ID })
		}},
		{"create refuses a selector that exists", func(t *testing.T, w *world) {
			refusesDuplicate(t, w, func(r *session.Record, old session.Record) { r.Selector = old.Selector })
		}},
		{"times survive to the microsecond in UTC", timesSurvive},
	}
}

func createKeepsEveryField(t *testing.T, w *world) {
	u := w.describe()
	u.SecurityVersion, u.Superuser, u.SecondFactor = 41, true, true
	assert.NoError(t, w.PutUser(t.Context(), u))
	organization := newID()
	assert.NoError(t, w.PutRole(t.Context(), organization, u.ID, "owner"))
	want := session.Record{
		Session: session.Session{
			ID: newID(), UserID: u.ID, OrganizationID: organization, SecurityVersion: 41,
			Channels: []string{"password", "passkey:01a-b_c", "totp"}, ProvenAt: w.now.Add(-time.Second),
			FreshAt: w.now.Add(-2 * time.Second), FreshChannels: []string{"totp", "recovery"},
			BrowserOnly: true, IP: netip.MustParseAddr("2001:db8::1"), UserAgent: long(512),
			CreatedAt: w.now.Add(-5 * time.Second), LastSeenAt: w.now.Add(-4 * time.Second),
			IdleEndsAt: w.now.Add(time.Minute), EndsAt: w.now.Add(time.Hour),
			ActorID: newID(), ActorSessionID: newID(), TrustedUntil: w.now.Add(30 * 24 * time.Hour),
		},
		Selector: "0123456789abcdef",
		Verifier: token.Verifier{KID: "key-7", MAC: fill(32)},
	}
	assert.NoError(t, w.Store.CreateSession(t.Context(), want))
	got := w.find(t, want)
	same(t, got.Session, want.Session)
	assert.Equal(t, got.Verifier, want.Verifier)
	assert.Equal(t, got.Role, "owner")
	sameTime(t, "User.CreatedAt", got.User.CreatedAt, u.CreatedAt)
	sameTime(t, "User.UpdatedAt", got.User.UpdatedAt, u.UpdatedAt)
	got.User.CreatedAt, got.User.UpdatedAt = u.CreatedAt, u.UpdatedAt
	assert.Equal(t, got.User, u.User)
}

func createKeepsEmptyFields(t *testing.T, w *world) {
	want := w.create(t, w.user(t), func(r *session.Record) { r.IP, r.UserAgent, r.FreshChannels = netip.Addr{}, "", nil })
	got := w.find(t, want)
	same(t, got.Session, want.Session)
	assert.Equal(t, got.Role, "")
}

func refusesDuplicate(t *testing.T, w *world, collide func(r *session.Record, old session.Record)) {
	t.Helper()
	user, other := w.user(t), w.user(t)
	old := w.create(t, user, nil)
	r := w.record(other)
	r.UserAgent = "another"
	collide(&r, old)
	assert.ErrorIs(t, w.Store.CreateSession(t.Context(), r), session.ErrDuplicate)
	same(t, w.find(t, old).Session, old.Session)
}

func timesSurvive(t *testing.T, w *world) {
	user := w.user(t)
	for _, frac := range []time.Duration{0, time.Microsecond, 120 * time.Millisecond, 999999 * time.Microsecond} {
		at := w.now.Truncate(time.Second).Add(frac)
		want := w.create(t, user, func(r *session.Record) {
			r.CreatedAt, r.LastSeenAt, r.ProvenAt, r.FreshAt = at, at, at, at
			r.IdleEndsAt, r.EndsAt = at.Add(time.Minute), at.Add(time.Hour)
		})
		same(t, w.find(t, want).Session, want.Session)
	}
}
