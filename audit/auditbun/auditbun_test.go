package auditbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/audit/audittest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
)

type swapped struct{ *auditbun.Store }

func TestStore(t *testing.T) {
	t.Parallel()
	watch := tenants(t).Lint(t)
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audittest.TestStore(t, func(t *testing.T) audittest.Env {
				db := open(t, auditbun.Schema())
				watch(db)
				broken := bundbtest.Broken(t, db)
				store := &swapped{auditbun.New(db)}
				return audittest.Env{Store: store, Break: func() { store.Store = auditbun.New(broken) }}
			})
		})
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, auditbun.Schema())
}
