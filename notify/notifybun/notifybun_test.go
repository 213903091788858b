package notifybun_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify/notifybun"
	"github.com/tenon-go/tenon/notify/notifytest"
)

func schemas() []bundb.Schema { return []bundb.Schema{notifybun.Schema()} }

func TestStore(t *testing.T) {
	t.Parallel()
	watch := tenants(t).Lint(t)
	for dialect, open := range map[bundb.Dialect]func(t testing.TB, schemas ...bundb.Schema) *bundb.DB{
		bundb.SQLite: bundbtest.SQLite, bundb.Postgres: bundbtest.Postgres,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			notifytest.TestStore(t, func(t *testing.T) notifytest.Env {
				db := open(t, schemas()...)
				watch(db)
				return notifytest.Env{Store: notifybun.New(db), Break: func() { assert.NoError(t, db.Close()) }}
			})
		})
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, notifybun.Schema())
}
