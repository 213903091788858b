package tenon_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
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
			{Name: "found session", Table: "tenon_sessions", Column: "id", Reason: "of the session that was presented, or that a superuser revokes"},
			{Name: "recipient", Table: "tenon_notifications", Column: "user_id", Reason: "a notification belongs to its recipient"},
			{Name: "heads to anchor", Table: "tenon_audit_chains", Statement: "where c . head_count > c . anchored_count", Reason: "the worker's, for all chains"},
			{Name: "number of chains", Table: "tenon_audit_chains", Statement: "select count ( * ) as chains from tenon_audit_chains", Reason: "sealed, so that a chain that vanished is missed"},
			{Name: "to be sealed", Table: "tenon_audit_entries", Statement: "from tenon_audit_entries where seq is null order by id", Reason: "the worker's, for all chains"},
			{Name: "received", Table: "tenon_invitations", Statement: "where i . email = ? and i . status = ? and i . expires_at > ?", Reason: "what the owner of a proven address was sent"},
			{Name: "invitation for a member", Table: "tenon_members", Statement: "on m . organization_id = i . organization_id where m . user_id = ? and i . id = ?", Reason: "the caller's own places bind it"},
			{Name: "team for a member", Table: "tenon_members", Statement: "on m . organization_id = t . organization_id where m . user_id = ? and t . id = ?", Reason: "the caller's own places bind it"},
			{Name: "shared organization", Table: "tenon_members", Statement: "from tenon_members as a join tenon_members as b on b . organization_id = a . organization_id where a . user_id = ? and b . user_id = ? )", Reason: "asks of two users whether they share one"},
			{Name: "by slug", Table: "tenon_members", Statement: "where o . slug = ? and m . user_id = ?", Reason: "a slug is one organization's, and its reader a member"},
			{Name: "the last chosen", Table: "tenon_members", Statement: "select o . id from tenon_members as m join tenon_organizations as o on o . id = m . organization_id where m . user_id = ? order by m . chosen_at", Reason: "the user's own places"},
		},
	}
}

// Every statement of a walk through everything stays in one organization.
func TestIsolation_TheStatementsOfTheWholeApp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		judge := isolation(t, w)
		statements := bundbtest.FaultsOf(w.db).Record(func() {
			near, far := w.tenant(t, "near"), w.tenant(t, "twin")
			for _, r := range w.Routes() {
				for _, who := range []string{"owner", "member"} {
					for _, c := range crossings(t, r, near, far) {
						c.send(near.people[who], c.far)
					}
				}
			}
		})
		assert.True(t, len(statements) > 1000, "the App was used")
		for _, offence := range judge.Offences(statements) {
			t.Errorf("a statement may leave its organization: %s", offence)
		}
	}, everything)
}
