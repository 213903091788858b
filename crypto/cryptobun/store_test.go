package cryptobun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

func schemas(t testing.TB) []bundb.Schema {
	t.Helper()
	return []bundb.Schema{cryptobun.Schema()}
}

// databases runs fn for each kind of database; fn opens as many as it needs.
func databases(t *testing.T, fn func(t *testing.T, open func(t testing.TB) *bundb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, func(t testing.TB) *bundb.DB { return bundbtest.SQLite(t, schemas(t)...) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, func(t testing.TB) *bundb.DB { return bundbtest.Postgres(t, schemas(t)...) })
	})
}

func TestStore(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(testing.TB) *bundb.DB) {
		cryptotest.TestStore(t, func(t *testing.T) cryptotest.Env {
			db := open(t)
			return cryptotest.Env{Store: cryptobun.New(db), InTx: db.InTx, Break: closing(t, db)}
		})
	})
}

func TestSealedStore(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(testing.TB) *bundb.DB) {
		cryptotest.TestSealedStore(t, func(t *testing.T) cryptotest.SealedEnv {
			db := open(t)
			createThings(t, db)
			return cryptotest.SealedEnv{
				Store: cryptobun.New(db), Column: things, InTx: db.InTx, Break: closing(t, db),
				Put: func(ctx context.Context, row crypto.SealedRow) error { return putThing(ctx, db, row) },
			}
		})
	})
}

func closing(t *testing.T, db *bundb.DB) func() {
	return func() {
		t.Helper()
		assert.NoError(t, db.Close())
	}
}

// things is a table of a host, with names that need quotes.
var things = crypto.SealedColumn{
	Column:       crypto.Column{Purpose: crypto.PurposeData, Table: "Things", Column: "order"},
	IDColumn:     "user",
	TenantColumn: "group",
}

func createThings(t testing.TB, db *bundb.DB) {
	t.Helper()
	blob := map[bundb.Dialect]string{bundb.SQLite: "BLOB", bundb.Postgres: "BYTEA"}[db.Dialect()]
	_, err := db.Raw(t.Context()).ExecContext(t.Context(),
		`CREATE TABLE "Things" ("user" TEXT PRIMARY KEY, "group" TEXT, "order" `+blob+`)`)
	assert.NoError(t, err)
}

func putThing(ctx context.Context, db *bundb.DB, row crypto.SealedRow) error {
	var tenant any
	if row.Tenant != "" {
		tenant = row.Tenant
	}
	_, err := db.Statement(`INSERT INTO "Things" ("user", "group", "order") VALUES (?, ?, ?)`).
		Exec(ctx, row.ID, tenant, row.Value)
	return err
}
