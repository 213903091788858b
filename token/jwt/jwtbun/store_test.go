package jwtbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
	"github.com/tenon-go/tenon/token/jwt/jwttest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jwttest.TestStore(t, func(t *testing.T) jwttest.Env {
				db := open(t, jwtbun.Schema())
				return jwttest.Env{Store: jwtbun.New(db), InTx: db.InTx, Break: func() { _ = db.Close() }}
			})
		})
	}
}

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, jwtbun.Schema())
}
