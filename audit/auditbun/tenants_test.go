package auditbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/bundb/bundbtest"
)

// tenants are the tables of the trail, and the statements that name one without an
// organization, each with its reason. A new one fails TestStore.
func tenants(t *testing.T) bundbtest.Tenants {
	t.Helper()
	const column = "organization_id"
	return bundbtest.Tenants{
		Column: column, Tables: bundbtest.TenantTables(t, bundbtest.SQLite(t, auditbun.Schema()), column),
		Excused: []bundbtest.Excuse{
			{Name: "heads to anchor", Table: "tenon_audit_chains", Statement: "where c . head_count <> c . anchored_count", Reason: "the worker's, for all chains"},
			{Name: "chains in order", Table: "tenon_audit_chains", Statement: "from tenon_audit_chains as c where c . organization_id >", Reason: "the verification of all chains, which is for superusers"},
			{Name: "number of chains", Table: "tenon_audit_chains", Statement: "select count ( * ) as chains from tenon_audit_chains", Reason: "sealed, so that a chain that vanished is missed"},
			{Name: "the whole trail", Table: "tenon_audit_entries", Statement: "from tenon_audit_entries as e order by e . id", Reason: "for superusers, who ask for all organizations"},
			{Name: "tail of all", Table: "tenon_audit_entries", Statement: "select count ( * ) , min ( at ) from tenon_audit_entries where seq is null ;", Reason: "of how many, and since when, the sealer is behind"},
			{Name: "to be sealed", Table: "tenon_audit_entries", Statement: "from tenon_audit_entries where seq is null order by id", Reason: "the worker's, for all chains"},
			{Name: "to be sealed, but some", Table: "tenon_audit_entries", Statement: "where ( e . seq is null ) and ( e . organization_id not in (", Reason: "the worker's, for all chains but those that are damaged"},
			{Name: "erasure", Table: "tenon_audit_entries", Statement: "update tenon_audit_entries as e set personal = null where ( personal is not null ) and ( ( actor_id = ?", Reason: "a deleted user is forgotten everywhere"},
		},
	}
}
