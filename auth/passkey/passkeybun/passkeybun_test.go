package passkeybun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for dialect, open := range map[bundb.Dialect]func(t testing.TB, schemas ...bundb.Schema) *bundb.DB{
		bundb.SQLite: bundbtest.SQLite, bundb.Postgres: bundbtest.Postgres,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			passkeytest.TestStore(t, func(t *testing.T) passkeytest.Env {
				db := open(t, passkeybun.Schema())
				return passkeytest.Env{Store: passkeybun.NewStore(db), Break: func() { assert.NoError(t, db.Close()) }}
			})
		})
	}
}

func TestForgetIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, []bundb.Schema{passkeybun.Schema()}, func(t *testing.T, db *bundb.DB) {
		store := passkeybun.NewStore(db)
		_, err := store.Handle(t.Context(), "ada", []byte("handle"))
		assert.NoError(t, err)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error { return store.Forget(ctx, "ada") })
	})
}

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, passkeybun.Schema())
}
