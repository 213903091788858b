package oauthbun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
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
			oauthtest.TestStore(t, func(t *testing.T) oauthtest.Env {
				db := open(t, oauthbun.Schema())
				return oauthtest.Env{Store: oauthbun.NewStore(db), Break: func() { assert.NoError(t, db.Close()) }}
			})
		})
	}
}

func TestChangesOfSeveralStatementsAreAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, []bundb.Schema{oauthbun.Schema()}, func(t *testing.T, db *bundb.DB) {
		store := oauthbun.NewStore(db)
		link := oauth.Link{ID: "link", UserID: "ada", CreatedAt: db.Now()}
		assert.NoError(t, store.AddLink(t.Context(), link))
		grant := oauth.Grant{LinkID: "link", UserID: "ada", Access: []byte("sealed"), CreatedAt: db.Now(), UpdatedAt: db.Now()}
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error { return store.PutGrant(ctx, grant) })
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, err := store.RemoveLink(ctx, "ada", "link")
			return err
		})
	})
}

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, oauthbun.Schema())
}
