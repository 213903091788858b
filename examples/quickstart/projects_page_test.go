package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
)

func TestAPersonKeepsProjects(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		assert.Contains(t, newPerson(t, s).get("/projects"), "Sign in first")
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		page := ada.get("/projects")
		assert.Contains(t, page, "Ada&#39;s organization")
		assert.Contains(t, page, "None yet. Name the first one above.")
		assert.Contains(t, ada.post("/projects", "name", " "), "Name must be 1 to 100 printable characters.")
		assert.Contains(t, ada.post("/projects", "name", strings.Repeat("x", 101)), `aria-invalid="true"`)
		page = ada.post("/projects", "name", "<Apollo>")
		assert.Contains(t, page, "The project is there")
		assert.Contains(t, page, "<strong>&lt;Apollo&gt;</strong>")
		id := linked(t, page, "/projects/delete")
		asked := ada.get("/projects/delete?id=" + id)
		assert.Contains(t, asked, "Delete the project &lt;Apollo&gt;?")
		assert.Equal(t, field(t, asked, "/projects/delete", "id"), id)
		assert.Contains(t, bob.get("/projects/delete?id="+id), "There is no such project.")
		page = bob.post("/projects/delete", "id", id)
		assert.Contains(t, page, "There is no such project.")
		assert.NotContains(t, page, "Apollo")
		assert.Contains(t, ada.get("/projects"), "Apollo")
		assert.Contains(t, ada.post("/projects/delete", "id", id), "The project is deleted.")
		assert.Contains(t, ada.get("/projects"), "None yet")
		assert.Contains(t, ada.get("/projects?cursor=forged"), "None yet")
	})
}

func TestAPageShowsWhatTheRoleAllows(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		bob.join(theirs, tenancy.RoleMember)
		page := ada.post("/projects", "name", "Apollo")
		id := linked(t, page, "/projects/delete")
		set := bob.call(http.MethodPost, "/api/auth/organization/set-active", `{"organizationId": "`+theirs+`"}`)
		assert.Equal(t, set.status, http.StatusOK)
		page = bob.get("/projects")
		assert.Contains(t, page, "Apollo")
		assert.Contains(t, page, "New project")
		assert.NotContains(t, page, "Delete")
		for _, refused := range []string{bob.get("/projects/delete?id=" + id), bob.post("/projects/delete", "id", id)} {
			assert.Contains(t, refused, "Your role in the organization does not allow this. Ask the owner to do it.")
		}
		bob.call(http.MethodPost, "/api/auth/organization/leave", `{"organizationId": "`+theirs+`"}`)
		page = bob.get("/projects")
		assert.Contains(t, page, "Choose an organization")
		assert.NotContains(t, page, "Apollo")
		assert.Contains(t, bob.post("/projects", "name", "Borealis"), "Choose an organization")
	})
}

// Whoever may not see projects sees none, neither as JSON nor on the page.
func TestR18_AGuestSeesNoProjects(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		owner := ada.place()
		ada.post("/projects", "name", "Apollo")
		_, err := s.app.Organizations.CreateRole(t.Context(), owner, owner.OrganizationID, "guest", tenancy.Permissions{"ac": {"read"}})
		assert.NoError(t, err)
		bob.join(owner.OrganizationID, "guest")
		bob.post("/organization/switch", "id", owner.OrganizationID)
		refused := bob.call(http.MethodGet, "/app/projects", "")
		assert.Equal(t, refused.status, http.StatusForbidden)
		assert.Equal(t, refused.text("code"), "YOU_ARE_NOT_ALLOWED")
		page := bob.get("/projects")
		assert.Contains(t, page, "Your role does not let you see projects")
		assert.NotContains(t, page, "Apollo")
		assert.NotContains(t, page, "New project")
		assert.Contains(t, bob.post("/projects", "name", "Borealis"), "does not allow this. Ask the owner to do it.")
	})
}

func TestOtherSitesCannotPostProjects(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada := named(t, s, "Ada")
	for _, path := range []string{"/projects", "/projects/delete"} {
		r := ada.call(http.MethodPost, path, "name=a", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, r.status, http.StatusForbidden)
	}
	assert.Contains(t, ada.get("/projects"), "None yet")
}
