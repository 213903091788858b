package sessiontest

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

func scopeClauses() []clause {
	return []clause{
		{"set organization sets and clears", setOrganization},
		{"set organization touches only a live session of the user", setForeign},
		{"a team belongs to the active organization and goes with it", testTeam},
		{"leaving takes the scope from the users' sessions", testLeave},
		{"R18 find reads the version of the roles", func(t *testing.T, w *world) {
			user, organization := w.user(t), newID()
			r := w.create(t, user, func(r *session.Record) { r.OrganizationID = organization })
			assert.NoError(t, w.PutRole(t.Context(), organization, user, "custom"))
			for _, version := range []int64{0, 1, 1 << 40} {
				assert.NoError(t, w.PutRolesVersion(t.Context(), organization, version))
				assert.Equal(t, w.find(t, r).RolesVersion, version)
			}
		}},
	}
}

// scoped is a session of the user with an organization and a team.
func (w *world) scoped(t *testing.T, user, organization, team string) session.Record {
	t.Helper()
	r := w.create(t, user, func(r *session.Record) { r.OrganizationID = organization })
	assert.NoError(t, w.Store.SetTeam(t.Context(), user, r.ID, organization, team))
	r.TeamID = team
	same(t, w.find(t, r).Session, r.Session)
	return r
}

func testTeam(t *testing.T, w *world) {
	user, organization := w.user(t), newID()
	r := w.scoped(t, user, organization, "t1")
	other := w.scoped(t, user, organization, "t2")
	for _, c := range [][3]string{{user, r.ID, newID()}, {w.user(t), r.ID, organization}, {user, newID(), organization}, {user, r.ID, ""}} {
		assert.ErrorIs(t, w.Store.SetTeam(t.Context(), c[0], c[1], c[2], "t3"), session.ErrSessionNotFound)
	}
	none := w.create(t, user, nil)
	assert.ErrorIs(t, w.Store.SetTeam(t.Context(), user, none.ID, "", "t3"), session.ErrSessionNotFound)
	assert.NoError(t, w.Store.SetOrganization(t.Context(), user, r.ID, organization))
	same(t, w.find(t, r).Session, r.Session)
	r.OrganizationID, r.TeamID = newID(), ""
	assert.NoError(t, w.Store.SetOrganization(t.Context(), user, r.ID, r.OrganizationID))
	same(t, w.find(t, r).Session, r.Session)
	assert.NoError(t, w.Store.SetTeam(t.Context(), user, other.ID, organization, ""))
	other.TeamID = ""
	same(t, w.find(t, other).Session, other.Session)
	w.end(t, session.Ending{UserID: user})
	assert.ErrorIs(t, w.Store.SetTeam(t.Context(), user, other.ID, organization, "t1"), session.ErrSessionNotFound)
}

func testLeave(t *testing.T, w *world) {
	ada, bob, organization := w.user(t), w.user(t), newID()
	first, second := w.scoped(t, ada, organization, "t1"), w.scoped(t, ada, organization, "t2")
	elsewhere := w.scoped(t, ada, newID(), "t1")
	bobs, gone := w.scoped(t, bob, organization, "t1"), w.scoped(t, w.user(t), organization, "t1")
	assert.NoError(t, w.Store.LeaveTeam(t.Context(), "t1", []string{ada, gone.UserID}))
	first.TeamID, elsewhere.TeamID, gone.TeamID = "", "", ""
	all := []*session.Record{&first, &second, &elsewhere, &bobs, &gone}
	check := func() {
		t.Helper()
		for _, r := range all {
			same(t, w.find(t, *r).Session, r.Session)
		}
	}
	check()
	assert.NoError(t, w.Store.LeaveOrganization(t.Context(), organization, []string{ada, gone.UserID}))
	assert.NoError(t, w.Store.LeaveOrganization(t.Context(), organization, nil))
	first.OrganizationID, gone.OrganizationID = "", ""
	second.OrganizationID, second.TeamID = "", ""
	check()
}

func setOrganization(t *testing.T, w *world) {
	user := w.user(t)
	r, other := w.create(t, user, nil), w.create(t, user, nil)
	for _, organization := range []string{newID(), newID(), ""} {
		assert.NoError(t, w.Store.SetOrganization(t.Context(), user, r.ID, organization))
		want := r.Session
		want.OrganizationID = organization
		same(t, w.find(t, r).Session, want)
	}
	same(t, w.find(t, other).Session, other.Session)
}

func setForeign(t *testing.T, w *world) {
	r, stranger := w.create(t, w.user(t), nil), w.user(t)
	assert.ErrorIs(t, w.Store.SetOrganization(t.Context(), stranger, r.ID, newID()), session.ErrSessionNotFound)
	assert.ErrorIs(t, w.Store.SetOrganization(t.Context(), r.UserID, newID(), newID()), session.ErrSessionNotFound)
	same(t, w.find(t, r).Session, r.Session)
	w.end(t, session.Ending{UserID: r.UserID})
	assert.ErrorIs(t, w.Store.SetOrganization(t.Context(), r.UserID, r.ID, newID()), session.ErrSessionNotFound)
}
