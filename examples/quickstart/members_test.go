package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
)

func TestAnOwnerChangesRolesAndRemovesMembers(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		assert.NotContains(t, ada.get("/organization"), "/organization/role") // nobody but the owner is there
		bob.join(theirs, tenancy.RoleMember)
		bob.post("/organization/switch", "id", theirs)
		page := ada.get("/organization")
		id := linked(t, page, "/organization/role")
		assert.Equal(t, linked(t, page, "/organization/remove"), id)
		page = ada.get("/organization/role?id=" + id)
		assert.Contains(t, page, "The role of Bob")
		assert.Contains(t, page, "<option selected>member</option>")
		for role, want := range map[string]string{
			"wizard": "Role: there is no such role. Choose one of the list.", "": "Role: there is no such role",
			"owner": "Role: an organization has one owner", "member,owner": "Role: an organization has one owner",
		} {
			page = ada.post("/organization/role", "id", id, "role", role)
			assert.Contains(t, page, want)
			assert.Contains(t, page, `aria-invalid="true"`)
		}
		assert.Contains(t, ada.post("/organization/role", "id", id, "role", "admin"), "The role is changed")
		assert.Contains(t, bob.get("/organization"), "you: admin")
		assert.Contains(t, ada.get("/organization"), "<strong>Member role changed</strong>: Bob, from member to admin")
		page = ada.get("/organization/remove?id=" + id)
		assert.Contains(t, page, "Remove Bob from Ada&#39;s organization?")
		assert.Contains(t, page, "bob@example.com loses sight")
		assert.Contains(t, bob.get("/organization"), "you: admin") // asking changes nothing
		page = ada.post("/organization/remove", "id", field(t, page, "/organization/remove", "id"))
		assert.Contains(t, page, "They are not a member any more")
		assert.Contains(t, page, "<strong>Member left</strong>")
		assert.Contains(t, bob.get("/organization"), "You act in none of them")
		for _, path := range []string{"/organization/role", "/organization/remove"} {
			assert.Contains(t, ada.post(path, "id", id, "role", "admin"), "Member: choose one of the list.")
			assert.Contains(t, ada.get(path+"?id="+id), "Member: choose one of the list.")
		}
	})
}

func TestR13_NeighboursMembersAreNobodys(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob, eve := named(t, s, "Ada"), named(t, s, "Bob"), named(t, s, "Eve")
		theirs := ada.place().OrganizationID
		id := bob.join(theirs, tenancy.RoleMember).ID
		for _, path := range []string{"/organization/role", "/organization/remove"} {
			assert.Contains(t, eve.get(path+"?id="+uuid.NewString()), "Member: choose one of the list.")
			for _, wrong := range []string{id, uuid.NewString(), "\x00", "bob@example.com"} {
				status, page := eve.status(path, "id", wrong, "role", tenancy.RoleAdmin)
				assert.Equal(t, status, http.StatusNotFound)
				assert.Contains(t, page, "Member: choose one of the list.")
				assert.NotContains(t, page, "Bob")
			}
			page := eve.get(path + "?id=" + id)
			assert.Contains(t, page, "Member: choose one of the list.")
			assert.NotContains(t, page, "Bob")
		}
		_, m, err := s.app.Organizations.Membership(t.Context(), theirs, bob.place().UserID)
		assert.NoError(t, err)
		assert.Equal(t, m.Role, tenancy.RoleMember)
	})
}

// status posts as post does, and returns the status, too.
func (p *person) status(path string, pairs ...string) (int, string) {
	p.t.Helper()
	form := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		form[pairs[i]] = []string{pairs[i+1]}
	}
	return p.send(http.MethodPost, site+path, form)
}

func TestR18_MembersChangeNobody(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob, eve := named(t, s, "Ada"), named(t, s, "Bob"), named(t, s, "Eve")
		theirs := ada.place().OrganizationID
		bobs := bob.join(theirs, tenancy.RoleAdmin)
		eves := eve.join(theirs, tenancy.RoleMember)
		for _, p := range []*person{bob, eve} {
			p.post("/organization/switch", "id", theirs)
		}
		page := eve.get("/organization")
		assert.NotContains(t, page, "/organization/role")
		assert.NotContains(t, page, "/organization/remove")
		for _, path := range []string{"/organization/role", "/organization/remove"} {
			status, page := eve.status(path, "id", bobs.ID, "role", tenancy.RoleMember)
			assert.Equal(t, status, http.StatusForbidden)
			assert.Contains(t, page, "does not allow this. Ask the owner to do it.")
			assert.Contains(t, eve.get(path+"?id="+bobs.ID), "does not allow this")
		}
		_, owner, err := s.app.Organizations.Membership(t.Context(), theirs, ada.place().UserID)
		assert.NoError(t, err)
		assert.Contains(t, bob.post("/organization/role", "id", owner.ID, "role", tenancy.RoleMember), "Role: an organization has one owner")
		assert.Contains(t, bob.post("/organization/remove", "id", owner.ID), "The owner stays")
		assert.Contains(t, bob.post("/organization/delete", "id", theirs), "does not allow this")
		assert.Contains(t, bob.get("/organization/delete"), "does not allow this")
		page = bob.get("/organization")
		assert.Equal(t, linked(t, page, "/organization/role"), eves.ID)
		assert.Equal(t, strings.Count(page, "/organization/remove"), 1) // neither the owner nor bob
		assert.Contains(t, bob.post("/organization/role", "id", eves.ID, "role", tenancy.RoleAdmin), "The role is changed")
		assert.Contains(t, ada.get("/organization"), "you: owner")
	})
}

func TestAnOwnerDeletesTheOrganization(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada := named(t, s, "Ada")
		theirs := ada.place().OrganizationID
		ada.post("/projects", "name", "Apollo")
		page := ada.get("/organization/delete")
		assert.Contains(t, page, "Delete Ada&#39;s organization?")
		assert.Contains(t, ada.get("/projects"), "Apollo") // asking changes nothing
		page = ada.post("/organization/delete", "id", field(t, page, "/organization/delete", "id"))
		assert.Contains(t, page, "The organization is deleted")
		assert.Contains(t, page, "You are in none at the moment")
		assert.NotContains(t, page, theirs)
		assert.Contains(t, ada.get("/projects"), "Choose an organization")
		for _, path := range []string{"role?id=" + uuid.NewString(), "remove?id=" + uuid.NewString(), "cancel?id=" + uuid.NewString(), "leave", "delete"} {
			assert.Contains(t, ada.get("/organization/"+path), "No organization is active")
		}
	})
}

func TestMembersComeInPages(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
	bob.join(ada.place().OrganizationID, tenancy.RoleMember)
	for from, want := range map[string]int{"": 2, "0": 2, "1": 1, "2": 0, "-1": 2, "x": 2, "9223372036854775808": 0} {
		page := ada.get("/organization?from=" + from)
		members, _, _ := strings.Cut(page, `id="invitations"`)
		assert.Equal(t, strconv.Itoa(strings.Count(members, ", since today"))+" from "+from, strconv.Itoa(want)+" from "+from)
	}
	names := s.directory(account.Caller{Principal: ada.place()})
	view := organizationPage{Organization: tenancy.Organization{ID: ada.place().OrganizationID}}
	assert.NoError(t, s.fillMembers(bundbtest.Flow(t.Context()), names, "0", 1, &view))
	assert.Equal(t, view.NextMembers, 1)
	assert.Equal(t, view.MoreMembers, 1)
	view = organizationPage{Organization: view.Organization}
	assert.NoError(t, s.fillMembers(bundbtest.Flow(t.Context()), names, "1", 1, &view))
	assert.Equal(t, view.NextMembers, 0)
	assert.False(t, view.Alone, "there are two members")
}
