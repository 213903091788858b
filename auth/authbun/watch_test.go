package authbun_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestR17_WhoWatchesIsToldOfEveryChangeInItsTransaction(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		var told []string
		var refuse error
		store := authbun.NewWatched(db, func(ctx context.Context, userID string) error {
			assert.True(t, db.InTransaction(ctx), "the change's transaction is open")
			told = append(told, userID)
			return refuse
		})
		now := db.Now()
		for _, id := range []string{"u", "root"} {
			user := auth.User{ID: id, Email: id + "@example.com", SecurityVersion: 1, CreatedAt: now, UpdatedAt: now}
			assert.NoError(t, store.CreateUser(t.Context(), user, nil))
		}
		_, err := db.Statement("UPDATE tenon_users SET superuser = TRUE WHERE id = 'root'").Exec(t.Context())
		assert.NoError(t, err)
		assert.Len(t, told, 0)
		stop := errors.New("stop here")
		for _, c := range changes(store, now) {
			told, refuse = nil, stop
			before := string(bundbtest.Dump(t, db))
			assert.ErrorIs(t, c.run(t.Context()), stop)
			if string(bundbtest.Dump(t, db)) != before {
				t.Errorf("%s: changed although who watches refused", c.name)
			}
			told, refuse = nil, nil
			assert.NoError(t, c.run(t.Context()))
			if len(told) == 0 || told[0] != "u" {
				t.Errorf("%s: told of %q", c.name, told)
			}
		}
	})
}

type change struct {
	name string
	run  func(ctx context.Context) error
}

// changes are all that change what a session's lookup reads of a user, in an order
// in which each has an effect.
func changes(store *authbun.Store, now time.Time) []change {
	name := "Grace"
	inTx := func(fn func(ctx context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error { return store.InTx(ctx, fn) }
	}
	return []change{
		{"verify", func(ctx context.Context) error { _, err := store.SetVerified(ctx, "u", "mail", now); return err }},
		{"profile", func(ctx context.Context) error {
			_, err := store.UpdateProfile(ctx, "u", auth.Profile{Name: &name}, now)
			return err
		}},
		{"profile by a superuser", func(ctx context.Context) error { return store.SetProfile(ctx, "u", "Ada", "", now) }},
		{"address", inTx(func(ctx context.Context) error {
			return store.SetEmail(ctx, "u", auth.Address{Key: "v@example.com", Display: "V@example.com"}, now)
		})},
		{"claim", func(ctx context.Context) error {
			_, err := store.ClaimSuperuser(ctx, "v@example.com", "u", now)
			return err
		}},
		{"power taken", inTx(func(ctx context.Context) error { _, err := store.SetSuperuser(ctx, "u", false, now); return err })},
		{"power given", inTx(func(ctx context.Context) error { _, err := store.SetSuperuser(ctx, "u", true, now); return err })},
		{"ban", inTx(func(ctx context.Context) error {
			return store.SetBan(ctx, admin.Ban{UserID: "u", At: now, ActorID: "root"})
		})},
		{"version", inTx(func(ctx context.Context) error { _, err := store.RaiseVersion(ctx, "u"); return err })},
		{"deletion", inTx(func(ctx context.Context) error { return store.DeleteUser(ctx, "u", 2) })},
	}
}
