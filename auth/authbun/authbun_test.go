package authbun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func schemas() []bundb.Schema { return []bundb.Schema{authbun.Schema()} }

func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		authtest.TestStore(t, func(t *testing.T) authtest.Env { return env(t, bundbtest.SQLite(t, schemas()...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		authtest.TestStore(t, func(t *testing.T) authtest.Env { return env(t, bundbtest.Postgres(t, schemas()...)) })
	})
}

func env(t *testing.T, db *bundb.DB) authtest.Env {
	t.Helper()
	return authtest.Env{
		Store: authbun.New(db),
		Ban: func(ctx context.Context, userID string) error {
			_, err := db.Statement("UPDATE tenon_users SET banned_at = ? WHERE id = ?").Exec(ctx, db.Now(), userID)
			return err
		},
		Break: func() { assert.NoError(t, db.Close()) },
	}
}

func TestCreateUserIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store := authbun.New(db)
		now := db.Now()
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			return store.CreateUser(ctx, auth.User{ID: "u", Email: "ada@example.com", CreatedAt: now, UpdatedAt: now}, []byte("p"))
		})
	})
}
