package authbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestCodeStore(t *testing.T) {
	t.Parallel()
	for dialect, open := range map[bundb.Dialect]func(t testing.TB, schemas ...bundb.Schema) *bundb.DB{
		bundb.SQLite: bundbtest.SQLite, bundb.Postgres: bundbtest.Postgres,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			authtest.TestCodeStore(t, func(t *testing.T) authtest.CodesEnv {
				db := open(t, schemas()...)
				return authtest.CodesEnv{Store: authbun.New(db), Break: func() { assert.NoError(t, db.Close()) }}
			})
		})
	}
}
