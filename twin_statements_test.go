package tenon_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

// isolation are all tables with an organization, and the statements of the whole App that
// name one without. The suites of the stores judge each store by itself; here are those
// that are composed of several.
func isolation(t *testing.T, w *world) bundbtest.Tenants {
	t.Helper()
	const column = "organization_id"
	return bundbtest.Tenants{
		Column: column, Tables: bundbtest.TenantTables(t, w.db, column),
		Excused: []bundbtest.Excuse{
			{Name: "own sessions", Table: "tenon_sessions", Column: "user_id", Reason: "a session belongs to its user"},
			{Name: "presented session", Table: "tenon_sessions", Column: "selector", Reason: "the cookie names it, and its secret opens it"},
			{Name: "recipient", Table: "tenon_notifications", Column: "user_id", Reason: "a notification belongs to its recipient"},
			{Name: "heads to anchor", Table: "tenon_audit_chains", Statement: "where c . head_count <> c . anchored_count", Reason: "the worker's, for all chains"},
			{Name: "number of chains", Table: "tenon_audit_chains", Statement: "select count ( * ) as chains from tenon_audit_chains", Reason: "sealed, so that a chain that vanished is missed"},
			{Name: "to be sealed", Table: "tenon_audit_entries", Statement: "from tenon_audit_entries where seq is null order by id", Reason: "the worker's, for all chains"},
			{Name: "received", Table: "tenon_invitations", Statement: "where i . email = ? and i . status = ? and i . expires_at > ?", Reason: "what the owner of a proven address was sent"},
			{Name: "invitation for a member", Table: "tenon_members", Statement: "on m . organization_id = i . organization_id where m . user_id = ? and i . id = ?", Reason: "the caller's own places bind it"},
			{Name: "team for a member", Table: "tenon_members", Statement: "on m . organization_id = t . organization_id where m . user_id = ? and t . id = ?", Reason: "the caller's own places bind it"},
			{Name: "shared organization", Table: "tenon_members", Statement: "from tenon_members as a join tenon_members as b on b . organization_id = a . organization_id where a . user_id = ? and b . user_id = ? )", Reason: "asks of two users whether they share one"},
			{Name: "own teams", Table: "tenon_team_members", Statement: "on tm . team_id = t . id and tm . organization_id = t . organization_id where tm . user_id = ?", Reason: "the user's own places"},
			{Name: "own organizations", Table: "tenon_members", Statement: "join tenon_members as m on m . organization_id = o . id where ( m . user_id = ? ) order by", Reason: "the user's own places"},
			{Name: "by slug", Table: "tenon_members", Statement: "where o . slug = ? and m . user_id = ?", Reason: "a slug is one organization's, and its reader a member"},
			{Name: "the last chosen", Table: "tenon_members", Statement: "select o . id from tenon_members as m join tenon_organizations as o on o . id = m . organization_id where m . user_id = ? order by m . chosen_at", Reason: "the user's own places"},
		},
	}
}

// endings are the routes that take something away, in the order in which they leave what
// the later ones need. Those that take none of the tenant's ids are not called.
func endings() []string {
	return []string{
		"/organization/cancel-invitation", "/organization/reject-invitation", pathAccept, "/organization/remove-team-member",
		"/organization/remove-team", "/organization/delete-role", "/two-factor/revoke-trusted-device", "/passkey/delete-passkey",
		"/unlink-account", "/multi-session/revoke", "/revoke-session", "/organization/leave", "/organization/transfer-ownership",
		"/organization/accept-ownership", "/organization/remove-member", "/organization/set-second-factor-policy", "/organization/delete",
	}
}

// Every statement of a walk through everything stays in one organization; and what the
// walk of the twins asks with is what the routes look for: whoever it belongs to gets
// another answer than to an unknown id.
func TestIsolation_TheStatementsOfTheWholeApp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		judge := isolation(t, w)
		statements := bundbtest.FaultsOf(w.DB).Record(func() {
			o := w.tenant(t, "twin")
			o.people["guest"] = w.signedIn(t, "twin-guest@example.com")
			routes := slices.Clone(w.Routes())
			slices.SortStableFunc(routes, func(a, b route.Route) int {
				return cmp.Compare(slices.Index(endings(), a.Path), slices.Index(endings(), b.Path))
			})
			for _, r := range routes {
				if r.Access != route.Superuser {
					o.use(t, r)
				}
			}
		})
		assert.True(t, len(statements) > 1000, "the App was used")
		for _, offence := range judge.Offences(statements) {
			t.Errorf("a statement may leave its organization: %s", offence)
		}
	}, everything)
}

// use calls a route with the ids of o, by whoever of o it works for.
func (o tenant) use(t *testing.T, r route.Route) {
	t.Helper()
	if r.Method == http.MethodPost && strings.Contains(r.Path, "invitation") {
		o.ids["invitation"], _ = o.people["owner"].invites("twin-guest@example.com", map[string]any{"resend": true})
	}
	if r.Path == "/revoke-session" { // after the other route that does it
		o.people["member"].signIn("twin-member@example.com")
		described, _ := o.people["member"].get("/get-session").decode(t)["session"].(map[string]any)
		o.ids["session"], _ = described["id"].(string)
	}
	if c, fields, _ := whole(t, r, o); len(fields) == 0 && (r.Method == http.MethodGet || strings.HasPrefix(r.Path, "/organization/") || strings.HasPrefix(r.Path, "/notification/")) {
		c.send(o.people["admin"], nil)
	}
	told := map[string]bool{}
	all := slices.DeleteFunc(crossings(t, r, o, o), func(c crossing) bool { return vain(r.Pattern(), c.field) })
	for _, who := range []string{"owner", "member", "admin", "enrolled", "guest"} {
		tell(o.people[who], all, told)
	}
	for _, c := range all {
		if c.field != "all" && !told[c.field] {
			t.Errorf("%s: %s tells nobody anything", r.Pattern(), c.field)
		}
	}
}

// tell notes which fields make another answer than one to an unknown id: first beside all
// others, by one call for all of them, as it may work only once, then alone.
func tell(b *browser, all []crossing, told map[string]bool) {
	unknown := make([]string, len(all))
	for i, c := range all {
		if !told[c.field] {
			got := c.send(b, c.none)
			unknown[i] = fmt.Sprint(got.StatusCode, c.same(got))
		}
	}
	beside := ""
	for i, c := range all {
		known := beside
		if c.field == "all" || c.partial && !told[c.field] {
			got := c.send(b, c.far)
			known = fmt.Sprint(got.StatusCode, c.same(got))
		}
		if c.field == "all" {
			beside = known
		} else if !told[c.field] {
			told[c.field] = known != unknown[i]
		}
	}
}

// vain reports whether an id has no meaning in a field, and why the walk of the twins has
// one there all the same: to see that it has none.
func vain(pattern, field string) bool {
	return slices.Contains([]string{
		"GET /audit/verify cursor",      // of one organization there is one page, and none of all in the walk
		"POST " + pathAccept + " shown", // what a page showed is compared with what its token opens
		"POST " + pathAccept + " as",    // as well
		"POST /organization/reject-invitation shown",
	}, pattern+" "+field) || slices.ContainsFunc(exceptions(), func(e exception) bool {
		return e.secret && (e.name == pattern || e.name == pattern+" "+field)
	})
}
