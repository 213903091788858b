package sessionbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb/bundbtest"
)

// tenants are the tables with an organization. A session is its user's and only points
// to the organization that is active in it.
func tenants(t *testing.T) bundbtest.Tenants {
	t.Helper()
	const column = "organization_id"
	return bundbtest.Tenants{
		Column: column, Tables: bundbtest.TenantTables(t, bundbtest.SQLite(t, schemas()...), column),
		Excused: []bundbtest.Excuse{
			{Name: "own", Table: "tenon_sessions", Column: "user_id", Reason: "a session belongs to its user"},
			{Name: "presented", Table: "tenon_sessions", Column: "selector", Reason: "the cookie names it, and its secret opens it"},
			{Name: "found", Table: "tenon_sessions", Column: "id", Reason: "of the session that was presented, or that a superuser revokes"},
			{Name: "removal of the dead", Table: "tenon_sessions", Statement: "from tenon_sessions as s where ( s . idle_day <= ?", Reason: "the worker's, for all users"},
		},
	}
}
