package auditbun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestR29_AScopeReadsAndAddsEntriesAndChangesNone(t *testing.T) {
	t.Parallel()
	owner := bundbtest.Postgres(t, cryptobun.Schema(), auditbun.Schema())
	db := bundbtest.Secured(t, owner, auditbun.Secured()...)
	assert.NoError(t, db.CheckSecured(t.Context(), auditbun.Secured()...))
	w := newWorld(t, db)
	ctx := t.Context()
	red, blue := bundb.ForOrganization(ctx, "red"), bundb.ForOrganization(ctx, "blue")
	record := func(ctx context.Context, organization string) error {
		return db.InTx(ctx, func(ctx context.Context) error { return w.Record(ctx, entry(organization)) })
	}
	assert.NoError(t, record(red, "red"))
	assert.NoError(t, record(blue, "blue"))
	assert.NoError(t, record(red, ""))
	assert.NoError(t, record(ctx, ""))
	assert.Error(t, record(red, "blue"))
	assert.Error(t, record(ctx, "red"))
	count := func(ctx context.Context) (n int) { // a method without its WHERE
		assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_audit_entries").Scan(ctx, nil, &n))
		return n
	}
	assert.Equal(t, []int{count(ctx), count(red), count(blue), count(bundb.ForSystem(ctx))}, []int{0, 1, 1, 4})
	assert.Len(t, assert.Must(w.store.List(red, audit.Filter{OrganizationID: "blue", Limit: 10}))(t), 0)
	for _, query := range []string{
		"UPDATE tenon_audit_entries SET actor_id = 'x'", "DELETE FROM tenon_audit_entries", "DELETE FROM tenon_audit_chains", "DELETE FROM tenon_audit_sealer",
	} {
		result, err := db.Raw(red).ExecContext(red, query)
		assert.NoError(t, err)
		assert.Equal(t, assert.Must(result.RowsAffected())(t), int64(0))
	}
	assert.NoError(t, w.Drain(bundb.ForSystem(ctx)))
	for _, organization := range []string{"red", "blue", ""} {
		assert.Len(t, w.findings(bundb.ForSystem(ctx), t, organization), 0)
	}
}
