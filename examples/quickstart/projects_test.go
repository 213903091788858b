package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// named is somebody with an account of their own who is signed in.
func named(t *testing.T, s *server, name string) *person {
	t.Helper()
	p := newPerson(t, s)
	email := strings.ToLower(name) + "@example.com"
	p.post("/sign-up", "name", name, "email", email, "password", password)
	assert.Contains(t, p.confirm(s), "Your address is confirmed")
	assert.Contains(t, p.post("/sign-in", "email", email, "password", password), "Hello, "+name)
	return p
}

// answer is the JSON of a response, without what differs from one request to the next.
type answer struct {
	status int
	body   map[string]any
}

func (a answer) text(field string) string {
	text, _ := a.body[field].(string)
	return text
}

// names are those of the listed projects.
func (a answer) names() string {
	var names []string
	items, _ := a.body["items"].([]any)
	for _, item := range items {
		name, _ := item.(map[string]any)["name"].(string)
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// call sends body as JSON; pairs are headers.
func (p *person) call(method, path, body string, pairs ...string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, site+path, strings.NewReader(body))
	assert.NoError(p.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	response, err := p.client.Do(r)
	assert.NoError(p.t, err)
	a := answer{status: response.StatusCode}
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	assert.NoError(p.t, err)
	if err := json.Unmarshal(text.Bytes(), &a.body); err != nil {
		p.t.Fatalf("%s %s answered %d %q", method, path, a.status, text.String())
	}
	delete(a.body, "requestId")
	return a
}

// place is who the person is, and in which organization their session acts.
func (p *person) place() *principal.Principal {
	p.t.Helper()
	me := p.call(http.MethodGet, "/api/auth/get-session", "")
	user, _ := me.body["user"].(map[string]any)
	session, _ := me.body["session"].(map[string]any)
	userID, _ := user["id"].(string)
	organizationID, _ := session["activeOrganizationId"].(string)
	return &principal.Principal{UserID: userID, OrganizationID: organizationID}
}

// join makes p a member of an organization, without an invitation.
func (p *person) join(organizationID, role string) tenancy.Member {
	p.t.Helper()
	m, err := p.server.app.Organizations.Join(p.t.Context(), tenancy.JoinParams{
		OrganizationID: organizationID, UserID: p.place().UserID, Role: role,
	})
	assert.NoError(p.t, err)
	return m
}

const header = "X-Organization-Id"

func TestR13_ProjectsStayInTheirOrganization(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		made := ada.call(http.MethodPost, "/app/projects", `{"name": " Apollo "}`)
		assert.Equal(t, made.status, http.StatusCreated)
		assert.Equal(t, made.text("name"), "Apollo")
		theirs := ada.place().OrganizationID
		assert.Equal(t, made.text("organizationId"), theirs)
		assert.Equal(t, bob.call(http.MethodPost, "/app/projects", `{"name": "Borealis"}`).status, http.StatusCreated)
		assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").names(), "Apollo")
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects", "").names(), "Borealis")

		unknown := bob.call(http.MethodDelete, "/app/projects/"+uuid.NewString(), "")
		assert.Equal(t, unknown.status, http.StatusNotFound)
		assert.Equal(t, bob.call(http.MethodDelete, "/app/projects/"+made.text("id"), ""), unknown)
		assert.Equal(t, bob.call(http.MethodDelete, "/app/projects/%00", ""), unknown)
		nowhere := bob.call(http.MethodGet, "/app/projects", "", header, uuid.NewString())
		assert.Equal(t, nowhere.status, http.StatusNotFound)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			assert.Equal(t, bob.call(method, "/app/projects", `{"name": "Mine"}`, header, theirs), nowhere)
		}
		assert.Equal(t, bob.call(http.MethodDelete, "/app/projects/"+made.text("id"), "", header, theirs), nowhere)
		assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").names(), "Apollo")
		assert.Equal(t, ada.call(http.MethodDelete, "/app/projects/"+made.text("id"), "").status, http.StatusOK)
		assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").names(), "")
		assert.Equal(t, ada.call(http.MethodDelete, "/app/projects/"+made.text("id"), ""), unknown)
	})
}

func TestR18_RolesSayWhoMayDoWhatWithProjects(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		owner := ada.place()
		id := ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).text("id")
		m := bob.join(owner.OrganizationID, tenancy.RoleMember)
		at := []string{header, owner.OrganizationID}
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects", "", at...).names(), "Apollo")
		assert.Equal(t, bob.call(http.MethodPost, "/app/projects", `{"name": "Borealis"}`, at...).status, http.StatusCreated)
		refused := bob.call(http.MethodDelete, "/app/projects/"+id, "", at...)
		assert.Equal(t, refused.status, http.StatusForbidden)
		assert.Equal(t, refused.text("code"), "YOU_ARE_NOT_ALLOWED")
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects", "").names(), "") // in an organization of his own
		_, err := s.app.Organizations.UpdateMemberRole(t.Context(), tenancy.UpdateMemberRoleParams{
			Caller: owner, OrganizationID: owner.OrganizationID, MemberID: m.ID, Roles: []string{tenancy.RoleAdmin},
		})
		assert.NoError(t, err)
		assert.Equal(t, bob.call(http.MethodDelete, "/app/projects/"+id, "", at...).status, http.StatusOK)
		_, err = s.app.Organizations.RemoveMember(t.Context(), owner, owner.OrganizationID, m.ID)
		assert.NoError(t, err)
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects", "", at...).status, http.StatusNotFound)
	})
}

// A role that was lost after the middleware had looked is lost in the transaction, too.
func TestR18_TheTransactionAsksForTheRoleItself(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		owner := ada.place()
		id := ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).text("id")
		stale := &principal.Principal{UserID: bob.place().UserID, OrganizationID: owner.OrganizationID, Role: tenancy.RoleOwner}
		_, err := s.createProject(bundbtest.Flow(t.Context()), stale, "Borealis")
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		assert.ErrorIs(t, s.deleteProject(bundbtest.Flow(t.Context()), stale, id), tenancy.ErrNotFound)
		bob.join(owner.OrganizationID, tenancy.RoleMember)
		assert.ErrorIs(t, s.deleteProject(bundbtest.Flow(t.Context()), stale, id), principal.ErrNotPermitted)
		assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").names(), "Apollo")
	})
}

// trail is what the organization's trail has about projects, the newest first.
func trail(t *testing.T, s *server, organizationID string) []audit.Record {
	t.Helper()
	var about []audit.Record
	for _, event := range []string{"ProjectDeleted", "ProjectCreated"} {
		page, err := s.app.Audit.List(t.Context(), audit.Query{OrganizationID: organizationID, Event: event}, 0, "")
		assert.NoError(t, err)
		about = append(about, page.Items...)
	}
	return about
}

func TestR30_ProjectsLeaveATrail(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada := named(t, s, "Ada")
		me := ada.place()
		id := ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).text("id")
		ada.call(http.MethodDelete, "/app/projects/"+id, "")
		lines := trail(t, s, me.OrganizationID)
		assert.Len(t, lines, 2)
		for _, line := range lines {
			assert.Equal(t, line.OrganizationID, me.OrganizationID)
			assert.Equal(t, line.Target, audit.Target{Type: "project", ID: id})
			assert.Equal(t, line.Actor.UserID, me.UserID)
			assert.True(t, line.Actor.SessionID != "" && line.IP.IsValid(), "the line lacks the session or the address")
		}
		assert.Equal(t, lines[0].Before, map[string]any{"name": "Apollo"})
		assert.Equal(t, lines[1].After, map[string]any{"name": "Apollo"})
	})
}

// Who tried what they may not is in the trail of the organization where they tried, and
// on the page for its owner.
func TestR30_RefusalsLeaveATrail(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		id := ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).text("id")
		bob.join(theirs, tenancy.RoleMember)
		refused := bob.call(http.MethodDelete, "/app/projects/"+id, "", header, theirs)
		assert.Equal(t, refused.status, http.StatusForbidden)
		page := ada.get("/organization")
		assert.Contains(t, page, "<strong>Refused</strong>: delete project<br><small>by Bob</small>")
		bob.call(http.MethodPost, "/api/auth/organization/set-active", `{"organizationId": "`+theirs+`"}`)
		refused = bob.call(http.MethodPost, "/api/auth/organization/update", `{"organizationId": "`+theirs+`", "data": {"name": "Mine"}}`)
		assert.Equal(t, refused.status, http.StatusForbidden)
		assert.Contains(t, ada.get("/organization"), "<strong>Refused</strong>: POST /organization/update<br>")
	})
}

// No statement about projects leaves the organization.
func TestIsolation_StatementsAboutProjectsNameTheirOrganization(t *testing.T) {
	t.Parallel()
	watch := bundbtest.Tenants{Column: "organization_id", Tables: []string{"projects"}}.Lint(t)
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		watch(db)
		ada := named(t, s, "Ada")
		for range 2 {
			id := ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).text("id")
			ada.get("/projects")
			ada.get("/projects/delete?id=" + id)
			assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").status, http.StatusOK)
			assert.Equal(t, ada.call(http.MethodDelete, "/app/projects/"+id, "").status, http.StatusOK)
		}
		assert.Contains(t, ada.post("/organization/delete", "id", ada.place().OrganizationID), "The organization is deleted")
	})
}

func TestProjectsAndTheirTrailAreMadeAndDeletedTogether(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada := named(t, s, "Ada")
		me := ada.place()
		assert.NoError(t, s.app.Drain(t.Context()))
		var made project
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) (err error) {
			made, err = s.createProject(ctx, me, "Apollo")
			return err
		})
		assert.Len(t, trail(t, s, me.OrganizationID), 1)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error { return s.deleteProject(ctx, me, made.ID) })
		assert.Len(t, trail(t, s, me.OrganizationID), 2)

		undone := errors.New("the host changed its mind")
		err := s.app.DB.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			if _, err := s.createProject(ctx, me, "Borealis"); err != nil {
				return err
			}
			return undone
		})
		assert.ErrorIs(t, err, undone)
		assert.Equal(t, ada.call(http.MethodGet, "/app/projects", "").names(), "")
		assert.Len(t, trail(t, s, me.OrganizationID), 2)
	})
}

func TestR3_ProjectsGoWithTheirOrganization(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		for _, p := range []*person{ada, bob} {
			assert.Equal(t, p.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).status, http.StatusCreated)
		}
		me := ada.place()
		_, err := s.app.Organizations.Delete(bundbtest.Flow(t.Context()), me, me.OrganizationID)
		assert.NoError(t, err)
		var left int
		assert.NoError(t, db.Statement("SELECT count(*) FROM projects WHERE organization_id = ?").QueryRow(t.Context(), me.OrganizationID).Scan(&left))
		assert.Equal(t, left, 0)
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects", "").names(), "Apollo")
		gone := ada.call(http.MethodGet, "/app/projects", "")
		assert.Equal(t, gone.text("code"), "NO_ACTIVE_ORGANIZATION")
	})
}

func TestProjectsComeInPages(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		for _, name := range []string{"a", "b", "c"} {
			ada.call(http.MethodPost, "/app/projects", `{"name": "`+name+`"}`)
		}
		first := ada.call(http.MethodGet, "/app/projects?limit=2", "")
		assert.Equal(t, first.names(), "c b")
		last := ada.call(http.MethodGet, "/app/projects?limit=2&cursor="+first.text("nextCursor"), "")
		assert.Equal(t, last.names(), "a")
		assert.Equal(t, last.body["nextCursor"], nil)
		assert.Equal(t, bob.call(http.MethodGet, "/app/projects?cursor="+first.text("nextCursor"), "").names(), "")
		for query, field := range map[string]string{"limit=0": "limit", "limit=many": "limit", "limit=201": "limit", "cursor=%00": "cursor"} {
			assert.Equal(t, wrong(ada.call(http.MethodGet, "/app/projects?"+query, "")), field)
		}
	})
}

// wrong is the field that a 422 complains about.
func wrong(a answer) string {
	list, _ := a.body["errors"].([]any)
	if a.status != http.StatusUnprocessableEntity || len(list) != 1 {
		return http.StatusText(a.status)
	}
	first, _ := list[0].(map[string]any)
	field, _ := first["field"].(string)
	return field
}

func TestR26_ProjectsTakeANameAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada := named(t, s, "Ada")
	for body, want := range map[string]string{
		`{}`: "name", `{"name": null}`: "name", `{"name": "  "}`: "name", `{"name": 1}`: "name", `{"name": "a\u0000b"}`: "name",
		`{"name": "` + strings.Repeat("é", 101) + `"}`: "name", `{"name": "a", "organizationId": "x"}`: "organizationId",
		`[]`: "Bad Request", `{"name": "a"} {}`: "Bad Request", `{`: "Bad Request",
		`{"name": "` + strings.Repeat("a", maxBody) + `"}`: "Request Entity Too Large",
	} {
		if got := wrong(ada.call(http.MethodPost, "/app/projects", body)); got != want {
			t.Errorf("%.40s: %s, want %s", body, got, want)
		}
	}
	assert.Equal(t, ada.call(http.MethodPost, "/app/projects", `{"name": "`+strings.Repeat("é", 100)+`"}`).status, http.StatusCreated)
	form := ada.call(http.MethodPost, "/app/projects", "name=a", "Content-Type", "application/x-www-form-urlencoded")
	assert.Equal(t, form.status, http.StatusUnsupportedMediaType)
	other := ada.call(http.MethodPost, "/app/projects", `{"name": "a"}`, "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, other.status, http.StatusForbidden)
	stranger := newPerson(t, s)
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		assert.Equal(t, stranger.call(method, "/app/projects", `{"name": "a"}`).status, http.StatusUnauthorized)
	}
	assert.Equal(t, stranger.call(http.MethodDelete, "/app/projects/"+uuid.NewString(), "").status, http.StatusUnauthorized)
}

func TestR3_NoProjectOutlivesItsOrganization(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t)
	s := newTestServer(t, db)
	me := named(t, s, "Ada").place()
	const racers, each = 16, 4
	var group errgroup.Group
	start := make(chan struct{})
	for range racers {
		group.Go(func() error {
			<-start
			for range each {
				_, err := s.createProject(bundbtest.Flow(t.Context()), me, "Apollo")
				if err != nil && !errors.Is(err, tenancy.ErrNotFound) {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		<-start
		_, err := s.app.Organizations.Delete(bundbtest.Flow(t.Context()), me, me.OrganizationID)
		return err
	})
	close(start)
	assert.NoError(t, group.Wait())
	var left int
	assert.NoError(t, db.Statement("SELECT count(*) FROM projects").QueryRow(t.Context()).Scan(&left))
	assert.Equal(t, left, 0)
}

// What one client may ask of projects is limited, and counted with whatever else the
// library lets it ask.
func TestProjectsAreLimited(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada := named(t, s, "Ada")
	rule := tenon.DefaultRateLimits()[tenon.RateLimitPublic]
	send := func(method, path string, form url.Values) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(form.Encode()))
		assert.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		client := &http.Client{Jar: ada.client.Jar, Transport: s, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.Do(r)
		assert.NoError(t, err)
		assert.Equal(t, response.Header.Get("RateLimit-Policy"), rule.Policy(tenon.RateLimitPublic))
		return response
	}
	unknown := "/app/projects/" + uuid.NewString()
	quota := rule[0].Quota
	for i, request := range []struct{ method, path string }{
		{http.MethodGet, "/app/projects"},
		{http.MethodPost, "/app/projects"},
		{http.MethodDelete, unknown},
		{http.MethodPost, "/projects"},
		{http.MethodPost, "/projects/delete"},
	} {
		response := send(request.method, request.path, nil)
		assert.Contains(t, response.Header.Get("RateLimit"), fmt.Sprintf(";r=%d;", quota-1-i))
	}
	for range quota - 5 {
		assert.Equal(t, send(http.MethodDelete, unknown, nil).StatusCode, http.StatusNotFound)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		refused := send(method, "/app/projects", nil)
		assert.Equal(t, refused.StatusCode, http.StatusTooManyRequests)
		assert.True(t, refused.Header.Get("Retry-After") != "", "there is no Retry-After")
	}
}
