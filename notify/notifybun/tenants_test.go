package notifybun_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb/bundbtest"
)

// tenants are the tables with an organization. What somebody is told is theirs, in
// whichever organization it happened, and every statement names them instead.
func tenants(t *testing.T) bundbtest.Tenants {
	t.Helper()
	const column = "organization_id"
	return bundbtest.Tenants{
		Column: column, Tables: bundbtest.TenantTables(t, bundbtest.SQLite(t, schemas()...), column),
		Excused: []bundbtest.Excuse{
			{Name: "recipient", Table: "tenon_notifications", Column: "user_id", Reason: "a notification belongs to its recipient, and outlives their membership"},
			{Name: "retention", Table: "tenon_notifications", Statement: "select id from tenon_notifications where created_at < ? order by", Reason: "the worker's, for all users"},
		},
	}
}
