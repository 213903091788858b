package tenon_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
)

// withRows returns a world on PostgreSQL with row security, whatever the environment
// says.
func withRows(t *testing.T, change ...func(*tenon.Config)) *world {
	t.Helper()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...), change...)
	if !w.DB.RowSecurity() {
		w.secure(t)
	}
	return w
}

// The journey of a company and its people, with every secured table in it. The root
// suite as a whole runs so where TENON_TEST_ROW_SECURITY is set, as a judge of
// conformance/run.sh does.
func TestR29_TheWholeAppWorksUnderRowSecurity(t *testing.T) {
	t.Parallel()
	w := withRows(t, withRoot)
	owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
	first := owner.organization()
	made, _ := owner.post("/organization/create", map[string]any{"name": "Acme", "slug": "acme"}).decode(t)["id"].(string)
	owner.post("/organization/check-slug", map[string]any{"slug": "acme"}).must(t, http.StatusConflict, "ORGANIZATION_SLUG_ALREADY_TAKEN")
	owner.choose(first).must(t, http.StatusOK, "")
	assert.Equal(t, owner.organization(), first)
	owner.choose(made).must(t, http.StatusOK, "")
	var list []map[string]any
	assert.NoError(t, json.Unmarshal([]byte(owner.get("/organization/list").body), &list))
	assert.Len(t, list, 2)

	w.peopleCome(t, owner, guest, made)
	w.peopleChange(t, owner, guest, made)

	// A browser that is signed in as somebody signs in as somebody else.
	assert.Equal(t, guest.signIn("cem@example.com").StatusCode, http.StatusOK)
	guest.choose(made).must(t, http.StatusOK, "")
	w.everythingIsRecorded(t, owner, made)

	owner.post("/organization/delete", map[string]any{"organizationId": made}).must(t, http.StatusOK, "")
	assert.Equal(t, w.count(t, "tenon_members WHERE organization_id = ?", made), 0)
	assert.True(t, slices.Contains(guest.notifications(), "organization.deleted"), "news of the deletion")
	root := w.signedIn(t, rootEmail)
	root.get("/audit/list?organizationId="+made).must(t, http.StatusOK, "")
	root.admin("remove-user", map[string]any{"userId": owner.idOf()}).must(t, http.StatusOK, "")
	assert.Equal(t, w.count(t, "tenon_organizations WHERE id = ?", first), 0)
	assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com'"), 0)
	w.noOrphans(t)
	assert.NoError(t, w.Maintain(t.Context()))
	assert.NoError(t, w.Ready(t.Context()))
}

// peopleCome invites people who have an account, and who make one by it.
func (w *world) peopleCome(t *testing.T, owner, guest *browser, organizationID string) {
	t.Helper()
	byID, _ := owner.invites(guestEmail)
	assert.Contains(t, guest.get("/organization/list-user-invitations").body, byID)
	guest.get("/organization/get-invitation?id="+byID).must(t, http.StatusOK, "")
	guest.post(pathAccept, map[string]any{"invitationId": byID}).must(t, http.StatusOK, "")
	assert.Equal(t, guest.active(), organizationID)
	_, secret := owner.invites("cem@example.com", map[string]any{"role": "admin"})
	newcomer := w.browser(t)
	newcomer.post(pathAccept, map[string]any{"token": secret, "name": "Cem", "password": password}).must(t, http.StatusOK, "")
	assert.Equal(t, newcomer.active(), organizationID)
	declined, _ := owner.invites("eve@example.com")
	w.signedIn(t, "eve@example.com").post("/organization/reject-invitation", map[string]any{"invitationId": declined}).must(t, http.StatusOK, "")
	withdrawn, _ := owner.invites("fay@example.com")
	owner.post("/organization/cancel-invitation", map[string]any{"invitationId": withdrawn}).must(t, http.StatusOK, "")
	assert.Equal(t, w.count(t, "tenon_invitations WHERE status = 'pending'"), 0)
	assert.Equal(t, w.members(t, organizationID), 2)
}

// peopleChange changes roles, teams and the ownership, and lets people go.
func (w *world) peopleChange(t *testing.T, owner, guest *browser, organizationID string) {
	t.Helper()
	owner.post("/organization/create-role", map[string]any{"role": "cook", "permission": map[string]any{"team": []string{"create"}}}).must(t, http.StatusOK, "")
	member := w.text(t, "SELECT id FROM tenon_members WHERE organization_id = ? AND user_id = ?", organizationID, guest.idOf())
	owner.post("/organization/update-member-role", map[string]any{"memberId": member, "role": "cook"}).must(t, http.StatusOK, "")
	guest.call(w.RequirePermission("team", "create")(http.HandlerFunc(whereAmI)), "/", nil).must(t, http.StatusOK, "")
	guest.post("/organization/update", map[string]any{"data": map[string]any{"name": "Mine"}}).must(t, http.StatusForbidden, "")
	team := guest.makesTeam("kitchen")
	owner.post("/organization/add-team-member", map[string]any{"teamId": team, "userId": guest.idOf()}).must(t, http.StatusOK, "")
	guest.post("/organization/set-active-team", map[string]any{"teamId": team}).must(t, http.StatusOK, "")
	assert.Contains(t, guest.get("/organization/list-user-teams").body, "kitchen")
	full := owner.get("/organization/get-full-organization").decode(t)
	assert.Len(t, full["members"].([]any), 3)
	assert.Len(t, full["invitations"].([]any), 4)
	assert.Len(t, full["teams"].([]any), 1)

	owner.post("/organization/transfer-ownership", map[string]any{"organizationId": organizationID, "userId": guest.idOf()}).must(t, http.StatusOK, "")
	guest.post("/organization/accept-ownership", map[string]any{"organizationId": organizationID}).must(t, http.StatusOK, "")
	guest.post("/organization/transfer-ownership", map[string]any{"organizationId": organizationID, "userId": owner.idOf()}).must(t, http.StatusOK, "")
	owner.post("/organization/accept-ownership", map[string]any{"organizationId": organizationID}).must(t, http.StatusOK, "")
	guest.post("/organization/leave", map[string]any{"organizationId": organizationID}).must(t, http.StatusOK, "")
	assert.Equal(t, w.members(t, organizationID), 1)
	assert.True(t, slices.Contains(owner.notifications(), "organization.member-left"), "news of the leaving")
	owner.post("/notification/mark-all-read", map[string]any{"before": "2030-01-01T00:00:00.000Z"}).must(t, http.StatusOK, "")
	assert.Equal(t, owner.get("/notification/unread-count").body, `{"count":0}`+"\n")
}

// everythingIsRecorded reads the trail as its owner does.
func (w *world) everythingIsRecorded(t *testing.T, owner *browser, organizationID string) {
	t.Helper()
	assert.NoError(t, w.Drain(t.Context()))
	owner.choose(organizationID).must(t, http.StatusOK, "")
	assert.NoError(t, w.Drain(t.Context()))
	trail := owner.get("/organization/list-audit?limit=200").body
	for _, event := range []string{"OwnerChanged", "Refused", "MemberJoined", "MemberLeft", "InvitationAccepted"} {
		assert.Contains(t, trail, `"event":"`+event+`"`)
	}
	assert.Equal(t, owner.get("/audit/verify").decode(t)["valid"], any(true))
	assert.Contains(t, owner.get("/audit/export").body, `{"end":{"items":`)
	summary, err := w.Audit.VerifyAll(w.DB.AsSystem(t.Context()), func(r audit.Report) error {
		assert.Len(t, r.Findings, 0)
		return nil
	})
	assert.NoError(t, err)
	assert.True(t, summary.Chains > 3, "all trails were looked at")
}

// A route of the host's whose statement has no WHERE at all shows the rows of the
// organization that the request is about, and of the caller.
func TestR29_AHostsRouteWithoutAnyWhereShowsNothingOfTheNeighbour(t *testing.T) {
	t.Parallel()
	w := withRows(t)
	ada, bob := w.signedIn(t, email), w.signedIn(t, guestEmail)
	acme, _ := ada.post("/organization/create", map[string]any{"name": "Acme", "slug": "acme"}).decode(t)["id"].(string)
	w.enlist(t, bob, acme, "member")
	careless := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var ids []string
		err := w.DB.Bun().NewRaw("SELECT organization_id || ' ' || user_id FROM tenon_members").Conn(w.DB.Conn(r.Context())).Scan(r.Context(), &ids)
		assert.NoError(t, err)
		slices.Sort(ids)
		_ = json.NewEncoder(rw).Encode(ids)
	})
	seen := func(b *browser, h http.Handler, headers map[string][]string) (ids []string) {
		answer := b.call(h, "/", headers)
		answer.must(t, http.StatusOK, "")
		assert.NoError(t, json.Unmarshal([]byte(answer.body), &ids))
		return ids
	}
	own, members := bob.organization()+" "+bob.idOf(), []string{acme + " " + ada.idOf(), acme + " " + bob.idOf()}
	slices.Sort(members)
	assert.Len(t, seen(w.browser(t), w.Middleware(careless), nil), 0)
	for _, h := range []http.Handler{w.Middleware(careless), w.RequireOrganization(careless)} {
		of := []string{own, acme + " " + bob.idOf()}
		slices.Sort(of)
		assert.Equal(t, seen(bob, h, nil), of)
		all := append([]string{own}, members...)
		slices.Sort(all)
		assert.Equal(t, seen(bob, h, map[string][]string{"X-Organization-Id": {acme}}), all)
	}
	assert.Equal(t, bob.call(w.RequireOrganization(careless), "/?organizationId="+w.text(t, "SELECT organization_id FROM tenon_members WHERE user_id = ? AND organization_id <> ?", ada.idOf(), acme), nil).StatusCode, http.StatusNotFound)
}

// A host's own table, in a transaction of its own with Tenon's calls.
func TestR29_AHostsOwnTableStandsBehindTheSameWall(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, tenon.Schemas()...)
	_, err := db.Raw(t.Context()).ExecContext(t.Context(), "CREATE TABLE projects (organization_id text NOT NULL, name text NOT NULL)")
	assert.NoError(t, err)
	w := newWorld(t, db, withInvoices, func(c *tenon.Config) {
		c.SecuredTables = []bundb.SecuredTable{{Table: "projects", Organization: "organization_id"}}
	})
	if !w.DB.RowSecurity() {
		w.secure(t)
	}
	ada, bob := w.signedIn(t, email), w.signedIn(t, guestEmail)
	create := w.RequirePermission("invoices", "write")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller, _ := principal.FromContext(r.Context())
		assert.NoError(t, w.DB.InTx(r.Context(), func(ctx context.Context) error {
			if _, _, err := w.Organizations.Authorize(ctx, caller, caller.OrganizationID, "invoices", "write"); err != nil {
				return err
			}
			if _, err := w.DB.Statement("INSERT INTO projects VALUES (?, 'ours')").Exec(ctx, caller.OrganizationID); err != nil {
				return err
			}
			return w.Audit.Record(ctx, audit.Entry{
				Action: "sensitive_create", Event: "ProjectCreated", OrganizationID: caller.OrganizationID, Target: audit.Target{Type: "project", ID: "1"},
			})
		}))
	}))
	theirs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := w.DB.Statement("INSERT INTO projects VALUES (?, 'theirs')").Exec(r.Context(), ada.organization())
		assert.Error(t, err)
		_, err = w.DB.Statement("DELETE FROM projects").Exec(r.Context())
		assert.NoError(t, err)
	})
	for _, b := range []*browser{ada, bob} {
		b.call(create, "/", nil).must(t, http.StatusOK, "")
	}
	bob.call(w.RequireOrganization(theirs), "/", nil).must(t, http.StatusOK, "")
	assert.Equal(t, w.text(t, "SELECT string_agg(organization_id || name, ' ') FROM projects"), ada.organization()+"ours")
}

// A service that is asked for an organization inside a transaction that is about another
// one proves its right by itself, and leaves the transaction as it was.
func TestR29_HooksActInOtherOrganizations(t *testing.T) {
	t.Parallel()
	w := withRows(t)
	ada, bob := w.signedIn(t, email), w.signedIn(t, guestEmail)
	adas, bobs := w.principalOf(t, ada), w.principalOf(t, bob)
	ctx := bundb.ForUser(bundb.ForOrganization(t.Context(), adas.OrganizationID), adas.UserID)
	assert.NoError(t, w.DB.InTx(ctx, func(ctx context.Context) error {
		_, err := w.Teams.Create(ctx, bobs, bobs.OrganizationID, "theirs")
		assert.NoError(t, err)
		_, err = w.Teams.Create(ctx, adas, bobs.OrganizationID, "not mine")
		assert.Error(t, err)
		_, err = w.Teams.Create(ctx, adas, adas.OrganizationID, "mine")
		assert.NoError(t, err)
		var n int
		assert.NoError(t, w.DB.Statement("SELECT count(*) FROM tenon_teams").Scan(ctx, nil, &n))
		assert.Equal(t, n, 1)
		return nil
	}))
	// Deleting a user in the application's role would leave rows behind.
	err := w.DB.InTx(ctx, func(ctx context.Context) error {
		return w.Admin.Remove(ctx, bobs.UserID, adas.UserID)
	})
	assert.ErrorIs(t, err, bundb.ErrScope)
	assert.Equal(t, w.count(t, "tenon_users"), 2)
	assert.NoError(t, w.DB.InTx(bundb.ForSystem(t.Context()), func(ctx context.Context) error {
		return w.Admin.Remove(ctx, bobs.UserID, adas.UserID)
	}))
	assert.Equal(t, w.count(t, "tenon_users"), 1)
}

func TestR29_TheAppRefusesToStartWithOpenTables(t *testing.T) {
	t.Parallel()
	w := withRows(t)
	ctx := t.Context()
	starts := map[string]func() error{
		"ready": func() error { return w.Ready(ctx) }, "run": func() error { return w.Run(ctx) },
		"migrate": func() error { _, err := w.Migrate(ctx); return err },
	}
	run := func(statement string) {
		t.Helper()
		_, err := w.db.Raw(ctx).ExecContext(ctx, statement)
		assert.NoError(t, err)
	}
	for _, table := range tenon.Secured() {
		run("ALTER TABLE " + table.Table + " NO FORCE ROW LEVEL SECURITY")
		for _, start := range starts {
			err := start()
			assert.ErrorIs(t, err, bundb.ErrRowSecurity)
			assert.Contains(t, err.Error(), "tenon.RowSecuritySQL")
			assert.Contains(t, err.Error(), table.Table)
		}
		run("ALTER TABLE " + table.Table + " FORCE ROW LEVEL SECURITY")
		assert.NoError(t, w.Ready(ctx))
	}
	w.cfg.SecuredTables = []bundb.SecuredTable{{Table: "tenon_users", User: "id"}}
	own, err := tenon.New(w.cfg)
	assert.NoError(t, err)
	assert.ErrorIs(t, own.Ready(ctx), bundb.ErrRowSecurity)
}

// The script is all that a database needs besides the two roles.
func TestR29_TheScriptSecuresADatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...))
	roles, schema := bundb.Roles{App: "a role", System: "another"}, w.text(t, "SELECT current_schema()::text")
	script, err := tenon.RowSecuritySQL(roles, schema, bundb.SecuredTable{Table: "projects", Organization: "organization_id"})
	assert.NoError(t, err)
	for _, piece := range []string{
		`GRANT USAGE ON SCHEMA "` + schema + `" TO "a role", "another";`, `ALTER TABLE "projects" FORCE ROW LEVEL SECURITY;`,
		`ALTER TABLE "tenon_members" FORCE`, `ALTER TABLE "tenon_notifications" FORCE`, `ALTER TABLE "tenon_audit_entries" FORCE`,
	} {
		assert.Contains(t, script, piece)
	}
	for _, wrong := range []bundb.Roles{{}, {App: "a", System: "a"}} {
		_, err := tenon.RowSecuritySQL(wrong, "")
		assert.ErrorIs(t, err, bundb.ErrPolicies)
	}
	_, err = tenon.RowSecuritySQL(roles, `x"; DROP SCHEMA public; --`)
	assert.ErrorIs(t, err, bundb.ErrPolicies)
}

// Without row security nothing of it costs a statement or an allocation in a lookup.
func TestR29_WithoutRowSecurityNoScopeIsSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.SQLite(t, tenon.Schemas()...))
	ctx := t.Context()
	assert.Equal(t, w.DB.AsSystem(ctx), ctx)
	b := w.signedIn(t, email)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, rowscope.Of(r.Context()), rowscope.Carried{})
	})
	b.call(w.Middleware(handler), "/", nil).must(t, http.StatusOK, "")
}
