package sessiontest

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
)

func findClauses() []clause {
	return []clause{
		{"find knows no unknown selector", func(t *testing.T, w *world) {
			w.dead(t, w.record(w.user(t)))
		}},
		{"find passes over a revoked session", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), nil)
			w.end(t, session.Ending{UserID: r.UserID, ID: r.ID})
			w.dead(t, r)
		}},
		{"R1 find passes over a banned user", func(t *testing.T, w *world) {
			userChange(t, w, func(u *UserState) { u.Banned = true })
		}},
		{"R1 find passes over a user who is gone", func(t *testing.T, w *world) {
			userChange(t, w, func(u *UserState) { u.Gone = true })
		}},
		{"R1 find passes over an older security version", func(t *testing.T, w *world) {
			userChange(t, w, func(u *UserState) { u.SecurityVersion++ })
		}},
		{"R1 find passes over a newer security version", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), func(r *session.Record) { r.SecurityVersion = 2 })
			w.dead(t, r)
		}},
		{"R18 find reads the role as it is now", findReadsRole},
		{"R18 find reads the user as it is now", findReadsUser},
		{"R13 find reads what the active organization demands of its members", findReadsPolicy},
		{"find by id is find, for bearer sessions", findByID},
		{"find actor is find by id, for sessions with a cookie; the owner is of any", findActor},
		{"R16 find passes over a bearer session", func(t *testing.T, w *world) {
			w.dead(t, w.create(t, w.user(t), func(r *session.Record) { r.Generation = 1 }))
		}},
		{"find does not judge times", func(t *testing.T, w *world) {
			r := w.create(t, w.user(t), func(r *session.Record) {
				r.IdleEndsAt, r.EndsAt = w.now.Add(-2*time.Hour), w.now.Add(-time.Hour)
			})
			same(t, w.find(t, r).Session, r.Session)
		}},
	}
}

func userChange(t *testing.T, w *world, change func(*UserState)) {
	t.Helper()
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	r, other := w.create(t, u.ID, nil), w.create(t, w.user(t), nil)
	w.find(t, r)
	change(&u)
	assert.NoError(t, w.PutUser(t.Context(), u))
	w.dead(t, r)
	w.find(t, other)
}

func findReadsRole(t *testing.T, w *world) {
	user, organization, elsewhere := w.user(t), newID(), newID()
	assert.NoError(t, w.PutRole(t.Context(), elsewhere, user, "owner"))
	assert.NoError(t, w.PutRole(t.Context(), organization, w.user(t), "owner"))
	r := w.create(t, user, func(r *session.Record) { r.OrganizationID = organization })
	for _, role := range []string{"", "member", "admin", ""} {
		assert.NoError(t, w.PutRole(t.Context(), organization, user, role))
		assert.Equal(t, w.find(t, r).Role, role)
	}
}

func findReadsPolicy(t *testing.T, w *world) {
	user, organization, elsewhere := w.user(t), newID(), newID()
	put := func(id string, p principal.SecondFactorPolicy) {
		assert.NoError(t, w.PutPolicy(t.Context(), id, p))
	}
	put(elsewhere, principal.SecondFactorPolicy{From: w.now.Add(-time.Hour)})
	put(organization, principal.SecondFactorPolicy{From: w.now, AcceptTrustedDevices: true})
	r := w.create(t, user, func(r *session.Record) { r.OrganizationID = organization })
	assert.Equal(t, w.find(t, r).SecondFactorPolicy, principal.SecondFactorPolicy{})
	assert.NoError(t, w.PutRole(t.Context(), organization, user, "member"))
	for _, p := range []principal.SecondFactorPolicy{{From: w.now, AcceptTrustedDevices: true}, {From: w.now.Add(time.Hour)}, {}} {
		put(organization, p)
		got := w.find(t, r).SecondFactorPolicy
		sameTime(t, "From", got.From, p.From)
		assert.Equal(t, got.AcceptTrustedDevices, p.AcceptTrustedDevices)
	}
}

func findReadsUser(t *testing.T, w *world) {
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	r := w.create(t, u.ID, nil)
	u.Email, u.Name, u.Image, u.EmailVerified, u.Superuser = "new@example.com", "Ada B.", "", false, true
	assert.NoError(t, w.PutUser(t.Context(), u))
	got := w.find(t, r).User
	got.CreatedAt, got.UpdatedAt = u.CreatedAt, u.UpdatedAt
	assert.Equal(t, got, u.User)
}

func findByID(t *testing.T, w *world) {
	byID := func(id string) (session.Found, error) { return w.Store.FindSessionByID(t.Context(), id) }
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	organization := newID()
	assert.NoError(t, w.PutRole(t.Context(), organization, u.ID, "admin"))
	r := w.create(t, u.ID, func(r *session.Record) { r.OrganizationID, r.Generation, r.Bearer = organization, 1, true })
	other := w.create(t, u.ID, func(r *session.Record) { r.Generation = 7 })
	browser := w.create(t, u.ID, func(r *session.Record) { r.OrganizationID = organization })
	found, err := byID(r.ID)
	assert.NoError(t, err)
	same(t, found.Session, r.Session)
	assert.Equal(t, found.Verifier, r.Verifier)
	want := w.find(t, browser)
	assert.Equal(t, found.User, want.User)
	assert.Equal(t, found.Role, want.Role)
	for _, id := range []string{"", newID(), r.Selector, browser.ID} {
		_, err = byID(id)
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
	w.end(t, session.Ending{UserID: u.ID, ID: r.ID})
	_, err = byID(r.ID)
	assert.ErrorIs(t, err, session.ErrNoSession)
	_, err = byID(other.ID)
	assert.NoError(t, err)
	u.SecurityVersion++
	assert.NoError(t, w.PutUser(t.Context(), u))
	_, err = byID(other.ID)
	assert.ErrorIs(t, err, session.ErrNoSession)
}

func findActor(t *testing.T, w *world) {
	u := w.user(t)
	r, bearer := w.create(t, u, nil), w.create(t, u, func(r *session.Record) { r.Generation = 1 })
	found, err := w.Store.FindActor(t.Context(), r.ID)
	assert.NoError(t, err)
	same(t, found.Session, r.Session)
	assert.Equal(t, found.User, w.find(t, r).User)
	for _, id := range []string{"", newID(), r.Selector, bearer.ID} {
		_, err = w.Store.FindActor(t.Context(), id)
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
	for _, id := range []string{r.ID, bearer.ID} {
		owner, err := w.Store.SessionOwner(t.Context(), id)
		assert.NoError(t, err)
		assert.Equal(t, owner, u)
	}
	w.end(t, session.Ending{UserID: u, ID: r.ID})
	_, err = w.Store.FindActor(t.Context(), r.ID)
	assert.ErrorIs(t, err, session.ErrNoSession)
	for _, id := range []string{r.ID, newID(), ""} {
		_, err = w.Store.SessionOwner(t.Context(), id)
		assert.ErrorIs(t, err, session.ErrSessionNotFound)
	}
}
