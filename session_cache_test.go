package tenon_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// twoProcesses runs fn with two Apps on one database, whose caches age by a clock
// of the test.
func twoProcesses(t *testing.T, fn func(t *testing.T, a, b *world, age *atomic.Int64)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		age := &atomic.Int64{}
		cache := &sessioncache.Config{Monotonic: func() time.Duration { return time.Duration(age.Load()) }}
		a := newWorld(t, db, func(c *tenon.Config) { c.SessionCache = cache })
		b := newWorld(t, bundbtest.Reopen(t, a.DB), func(c *tenon.Config) { c.SessionCache, c.KMS = cache, a.cfg.KMS })
		fn(t, a, b, age)
	})
}

// at is the browser, served by another process.
func (b *browser) at(w *world) *browser {
	return &browser{t: b.t, w: w, client: &http.Client{Jar: b.client.Jar, Transport: inProcess{w: w}, CheckRedirect: b.client.CheckRedirect}}
}

// known returns the status by which the process answers the caller.
func known(b *browser) int { return b.get("/list-sessions").StatusCode }

func (p *program) knownAt(w *world) int {
	q := *p
	q.browser = p.at(w)
	return q.call(http.MethodGet, "/list-sessions", nil).StatusCode
}

func TestR17_ARevocationActsAtOnceHereAndSoonThere(t *testing.T) {
	t.Parallel()
	twoProcesses(t, func(t *testing.T, a, b *world, age *atomic.Int64) {
		browser := a.user(t, email)
		for name, c := range map[string]struct {
			end      func(user string) error
			survives bool // the session, not what was remembered of it
		}{
			"sign-out everywhere": {end: func(user string) error {
				_, err := a.Sessions.RevokeAll(t.Context(), user)
				return err
			}},
			"a new security version": {end: func(user string) error {
				return a.Auth.Secure(t.Context(), auth.Change{UserID: user}, func(context.Context, auth.User) error { return nil })
			}},
			"another user changed": {survives: true, end: func(string) error {
				return a.Sessions.LogRevocation(t.Context(), session.Revocation{UserID: "another"})
			}},
		} {
			for _, polled := range []bool{true, false} {
				assert.Equal(t, browser.signIn(email).StatusCode, 200)
				program := a.signedInProgram(t, email)
				seen := func(w *world, want int) {
					t.Helper()
					assert.Equal(t, known(browser.at(w)), want)
					assert.Equal(t, program.knownAt(w), want)
				}
				seen(a, 200)
				seen(b, 200)
				user := browser.get("/get-session").decode(t)["user"].(map[string]any)["id"].(string)
				t.Log(name, polled)
				assert.NoError(t, c.end(user))
				want := 401
				if c.survives {
					want = 200
				}
				seen(a, want)
				seen(b, 200) // within the bound
				if polled {
					assert.NoError(t, b.PollSessionCache(t.Context()))
				} else {
					age.Add(int64(2 * time.Second))
				}
				seen(b, want)
			}
		}
	})
}

func TestR17_AChangedProfileIsReadAnew(t *testing.T) {
	t.Parallel()
	twoProcesses(t, func(t *testing.T, a, b *world, _ *atomic.Int64) {
		browser := a.signedIn(t, email)
		name := func(w *world) string {
			user, _ := browser.at(w).get("/get-session").decode(t)["user"].(map[string]any)
			name, _ := user["name"].(string)
			return name
		}
		assert.Equal(t, name(a)+name(b), "AdaAda")
		grace := "Grace"
		user := browser.get("/get-session").decode(t)["user"].(map[string]any)["id"].(string)
		assert.Must(a.Auth.UpdateProfile(t.Context(), user, user, auth.Profile{Name: &grace}))(t)
		assert.Equal(t, name(a)+name(b), "GraceAda")
		assert.NoError(t, b.PollSessionCache(t.Context()))
		assert.Equal(t, name(b), "Grace")
	})
}

func TestRunKeepsTheSessionCacheUpToDate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		assert.Equal(t, known(b), 200)
		assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, 200)
		cancel()
		assert.NoError(t, <-ended)
		assert.Equal(t, known(b), 401)
	}, func(c *tenon.Config) { c.SessionCache = &sessioncache.Config{} })
}

func TestNewRefusesACacheThatIsTooOld(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, tenon.Schemas()...)
	w := newWorld(t, db)
	w.cfg.SessionCache = &sessioncache.Config{Bound: time.Hour}
	_, err := tenon.New(w.cfg)
	assert.Error(t, err)
}
