package main

import (
	"net/http"
	"regexp"
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
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)[1]
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
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)[1]
		set := bob.call(http.MethodPost, "/api/auth/organization/set-active", `{"organizationId": "`+theirs+`"}`)
		assert.Equal(t, set.status, http.StatusOK)
		page = bob.get("/projects")
		assert.Contains(t, page, "Apollo")
		assert.Contains(t, page, "New project")
		assert.NotContains(t, page, "Delete")
		assert.Contains(t, bob.post("/projects/delete", "id", id), "Your role in the organization does not allow this.")
		bob.call(http.MethodPost, "/api/auth/organization/leave", `{"organizationId": "`+theirs+`"}`)
		page = bob.get("/projects")
		assert.Contains(t, page, "Choose an organization")
		assert.NotContains(t, page, "Apollo")
		assert.Contains(t, bob.post("/projects", "name", "Borealis"), "Choose an organization")
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
