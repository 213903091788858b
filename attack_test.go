package tenon_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail/mailtest"
)

// smallPool opens the database of db once more with n connections.
func smallPool(t *testing.T, dialect bundb.Dialect, n int) *bundb.DB {
	t.Helper()
	cfg := bundb.Config{MaxOpenConns: n}
	if dialect == bundb.SQLite {
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "small.db"), cfg)
		assert.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, db.Close()) })
		return db
	}
	full := bundbtest.Postgres(t)
	var schema string
	assert.NoError(t, full.Raw(t.Context()).QueryRowContext(t.Context(), "SELECT current_schema()").Scan(&schema))
	db, err := postgres.Open(t.Context(), os.Getenv("TENON_TEST_POSTGRES")+"&search_path="+schema, cfg)
	assert.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// A sign-up holds the only connection while a sign-in, which came first, waits for
// it to load the key that the sign-up needs next.
func TestAPoolOfOneDoesNotDeadlockOnAColdKey(t *testing.T) {
	t.Parallel()
	for _, dialect := range []bundb.Dialect{bundb.SQLite, bundb.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			db := smallPool(t, dialect, 1)
			cfg := tenon.Config{
				DB: db, KMS: cryptotest.NewKMS("test:"), Mailer: new(mailtest.Mailbox), BaseURL: base, Passwords: passwordtest.New(t),
				Logger: slog.New(slog.DiscardHandler),
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			signedIn := make(chan error, 1)
			var app *tenon.App
			cfg.AuthHooks.BeforeSignUp = func(context.Context, auth.BeforeSignUp) error {
				waiting := db.Bun().Stats().WaitCount
				go func() {
					_, _, err := app.Auth.SignIn(ctx, auth.SignInParams{Email: "bob@example.com", Password: password})
					signedIn <- err
				}()
				for db.Bun().Stats().WaitCount == waiting && ctx.Err() == nil {
					runtime.Gosched()
				}
				return nil
			}
			app, err := tenon.New(cfg)
			assert.NoError(t, err)
			_, err = app.Migrate(t.Context())
			assert.NoError(t, err)
			app, err = tenon.New(cfg) // a process that has just started
			assert.NoError(t, err)
			_, err = app.Auth.SignUp(ctx, auth.SignUpParams{Name: "Ada", Email: email, Password: password})
			assert.NoError(t, err)
			assert.ErrorIs(t, <-signedIn, auth.ErrInvalidCredentials)
		})
	}
}
