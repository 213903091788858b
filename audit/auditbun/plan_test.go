package auditbun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
)

// crowd makes entries of 300 organizations, by 301 users about 303 things.
func crowd(t *testing.T, db *bundb.DB, n int) {
	t.Helper()
	const zeros = "SELECT 'e' || (100000000 + n), 'o' || (n % 300), '2026-01-01 00:00:00+00:00', CASE WHEN n % 9 = 0 THEN 'authz_fail' ELSE 'sensitive_update' END, " +
		"'Event' || (n % 19), 'success', 'u' || (n % 301), '', '', '', 'user', 'x' || (n % 303), 'k', "
	mac := "x'00'"
	if db.Dialect() == bundb.Postgres {
		mac = "'\\x00'::bytea"
	}
	bundbtest.Fill(t, db, n, "INSERT INTO tenon_audit_entries (id, organization_id, at, action, event, outcome, actor_id, impersonator_id, api_key_id, "+
		"session_id, target_type, target_id, kid, mac) "+zeros+mac+" FROM numbers")
}

// A page costs its own length, whoever asks for what: it follows an index from where the
// one before ended, and sorts nothing.
func TestListsFollowTheirIndexes(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, []bundb.Schema{auditbun.Schema()}, func(t *testing.T, db *bundb.DB) {
		crowd(t, db, 60_000)
		store := auditbun.New(db)
		const byOrganization, byActor, byTarget = "tenon_audit_entries_organization_id", "tenon_audit_entries_actor_id", "tenon_audit_entries_target_id"
		for name, c := range map[string]struct {
			filter audit.Filter
			index  string
		}{
			"a page":           {audit.Filter{OrganizationID: "o7"}, byOrganization},
			"the next page":    {audit.Filter{OrganizationID: "o7", After: "e100010000"}, byOrganization},
			"the oldest first": {audit.Filter{OrganizationID: "o7", OldestFirst: true, After: "e100010000"}, byOrganization},
			"a time":           {audit.Filter{OrganizationID: "o7", FromID: "e100001000", UntilID: "e100010000"}, byOrganization},
			"an action":        {audit.Filter{OrganizationID: "o7", Action: "authz_fail"}, byOrganization},
			"an event":         {audit.Filter{OrganizationID: "o7", Event: "Event7"}, byOrganization},
			"an actor":         {audit.Filter{All: true, ActorID: "u7", After: "e100010000"}, byActor},
			"a target":         {audit.Filter{All: true, Target: audit.Target{Type: "user", ID: "x7"}}, byTarget},
			"everything":       {audit.Filter{All: true}, ""},
		} {
			c.filter.Limit = 11
			bundbtest.RequirePlans(t, db, bundbtest.Planned{
				Name: name, Call: func(ctx context.Context) error { _, err := store.List(ctx, c.filter); return err },
				SQLite: c.index, Postgres: c.index, Sorted: c.filter.Action == "" && c.filter.Event == "", Whole: c.filter == audit.Filter{All: true, Limit: 11},
			})
		}
	})
}
