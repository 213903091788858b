package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/mail"
)

const (
	baseURL     = "http://localhost:8080"
	thePassword = "correct horse battery staple"
	userAgent   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	// patience is how long a caller may wait for a slot: nobody is turned away.
	patience = time.Minute
)

// world is a whole App on a database of its own, as a host makes it.
type world struct {
	app   *tenon.App
	cfg   tenon.Config
	dsn   string // of PostgreSQL, with the schema
	path  string // of SQLite
	keys  string // the key file
	mail  *letters
	users int // bench-0@example.com and so on, signed up and verified
}

// newWorld opens an App on an open database, whose schema need not exist yet. It
// hashes in that many slots; 0 is the library's default, one for each core.
func newWorld(ctx context.Context, db *bundb.DB, keys string, slots int) (*world, error) {
	kms, err := tenon.DevelopmentKMS(ctx, db, keys)
	if err != nil {
		return nil, err
	}
	hasher, err := password.New(password.Config{Slots: slots, QueueTimeout: patience})
	if err != nil {
		return nil, err
	}
	w := &world{keys: keys, mail: &letters{links: make(map[string]string)}}
	w.cfg = tenon.Config{
		DB: db, KMS: kms, Mailer: w.mail, BaseURL: baseURL, Passwords: hasher,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if w.app, err = tenon.New(w.cfg); err != nil {
		return nil, err
	}
	_, err = w.app.Migrate(ctx)
	return w, err
}

// onPostgres opens a world on a schema of its own in the database that dsn names.
func (b *bench) onPostgres(ctx context.Context) (*world, error) { return b.withSlots(ctx, 0) }

func (b *bench) withSlots(ctx context.Context, slots int) (*world, error) {
	dsn, err := b.newSchema(ctx)
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, dsn, bundb.Config{})
	if err != nil {
		return nil, err
	}
	b.later(db.Close)
	w, err := newWorld(ctx, db, b.file("keys"), slots)
	if err != nil {
		return nil, err
	}
	w.dsn = dsn
	return w, nil
}

// onSQLite opens a world on a file of its own.
func (b *bench) onSQLite(ctx context.Context) (*world, error) {
	path := b.file("db")
	db, err := sqlite.Open(ctx, path, bundb.Config{})
	if err != nil {
		return nil, err
	}
	b.later(db.Close)
	w, err := newWorld(ctx, db, b.file("keys"), 0)
	if err != nil {
		return nil, err
	}
	w.path = path
	return w, nil
}

// newSchema makes an empty schema, which close drops, and returns the DSN that
// leads to it.
func (b *bench) newSchema(ctx context.Context) (string, error) {
	name := "tenon_bench_" + strings.ToLower(rand.Text())
	if _, err := b.admin.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	b.later(func() error {
		_, err := b.admin.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+name+" CASCADE")
		return err
	})
	u, err := url.Parse(b.dsn)
	if err != nil || u.Scheme == "" {
		return "", errors.New("the DSN must be a URL")
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// pool opens a bare pool on a world's schema: pgx as it comes, which prepares
// every statement once per connection.
func (b *bench) pool(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	b.later(func() error { pool.Close(); return nil })
	return pool, nil
}

func (b *bench) file(kind string) string {
	return filepath.Join(b.dir, strings.ToLower(rand.Text())+"."+kind)
}

func email(i int) string { return fmt.Sprintf("bench-%d@example.com", i) }

// addUsers signs n more users up and verifies them.
func (w *world) addUsers(ctx context.Context, n int) error {
	browsers := make([]string, n)
	err := spread(8, n, func(i int) (err error) {
		browsers[i], err = w.signUp(ctx, w.users+i)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.app.Drain(ctx); err != nil {
		return err
	}
	err = spread(8, n, func(i int) error { return w.verify(ctx, w.users+i, browsers[i]) })
	w.users += n
	return err
}

func (w *world) signUp(ctx context.Context, i int) (browser string, err error) {
	result, err := w.app.Auth.SignUp(ctx, auth.SignUpParams{
		Name: fmt.Sprintf("Bench %d", i), Email: email(i), Password: thePassword,
	})
	return result.Browser.Reveal(), err
}

// verify opens the mailed link in the browser that signed up, so that the
// password which was typed there stays.
func (w *world) verify(ctx context.Context, i int, browser string) error {
	token, err := w.mail.token(email(i))
	if err != nil {
		return err
	}
	_, err = w.app.Auth.VerifyEmail(ctx, auth.VerifyEmailParams{Token: token, Browser: browser})
	return err
}

func (w *world) signInParams(i int) auth.SignInParams {
	return auth.SignInParams{Email: email(i % w.users), Password: thePassword, Client: auth.Client{UserAgent: userAgent}}
}

// signIn does the whole of a sign-in.
func (w *world) signIn(ctx context.Context, i int) error {
	_, _, err := w.app.Auth.SignIn(ctx, w.signInParams(i))
	return err
}

// sessions signs every user in n times. It hashes once per user: an attempt may
// be completed again.
func (w *world) sessions(ctx context.Context, n int) ([]auth.Grant, error) {
	grants := make([]auth.Grant, w.users*n)
	err := spread(8, w.users, func(i int) error {
		attempt, err := w.app.Auth.ProvePassword(ctx, w.signInParams(i))
		for k := 0; k < n && err == nil; k++ {
			outcome, completeErr := w.app.Auth.Complete(ctx, attempt)
			grants[k*w.users+i], err = outcome.Grant, completeErr
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return grants, w.analyze(ctx)
}

// analyze gives the planner its statistics, as time would.
func (w *world) analyze(ctx context.Context) error {
	_, err := w.app.DB.Raw(ctx).ExecContext(ctx, "ANALYZE")
	return err
}

// letters is a Mailer that keeps the last link for every address.
type letters struct {
	mu    sync.Mutex
	links map[string]string
}

// Send implements mail.Mailer.
func (l *letters) Send(_ context.Context, m mail.Message) error {
	if len(m.Links) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links[m.To] = m.Links[0]
	return nil
}

func (l *letters) token(to string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link, err := url.Parse(l.links[to])
	if err != nil || link.Query().Get("token") == "" {
		return "", fmt.Errorf("no link was mailed to %s", to)
	}
	return link.Query().Get("token"), nil
}
