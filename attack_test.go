package tenon_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	"github.com/tenon-go/tenon/problem"
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

// Everything that people do with addresses, at once, on few addresses, alone and
// inside transactions of the host: nothing deadlocks, and one address is one user.
func TestManyPeopleOnFewAddressesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var group sync.WaitGroup
		for i := range 12 {
			to := fmt.Sprintf("user%d@example.com", i%3)
			caller := auth.Client{IP: netip.MustParseAddr("192.0.2.1")} // they share its budget, too
			group.Go(func() {
				ctx := bundbtest.Flow(t.Context())
				for range 6 {
					w.harmless(t, w.asHost(ctx, i%2 == 0, func(ctx context.Context) error {
						_, err := w.Auth.SignUp(ctx, auth.SignUpParams{Name: "Ada", Email: to, Password: password, Client: caller})
						return err
					}))
					bundbtest.ClockOf(w.db).Advance(time.Minute)
					w.harmless(t, w.asHost(ctx, i%2 == 0, func(ctx context.Context) error {
						return w.Auth.ResendVerification(ctx, auth.ResendParams{Email: to, Client: caller})
					}))
					w.harmless(t, w.Drain(ctx))
					if message, ok := w.mailbox.Last(to); ok && len(message.Links) > 0 {
						w.harmless(t, w.asHost(ctx, i%2 == 0, func(ctx context.Context) error {
							_, err := w.Auth.VerifyEmail(ctx, auth.VerifyEmailParams{Token: tokenOf(t, message.Links[0]), NewPassword: password})
							return err
						}))
					}
					user, _, err := w.Auth.SignIn(ctx, auth.SignInParams{Email: to, Password: password, Client: caller})
					w.harmless(t, err)
					if err == nil {
						_, err = w.Sessions.RevokeOthers(ctx, user.ID, "")
						w.harmless(t, err)
					}
					w.harmless(t, w.Maintain(ctx))
				}
			})
		}
		group.Wait()
		assert.True(t, w.count(t, "tenon_users") <= 3, "one address is one user")
		assert.Equal(t, w.count(t, "tenon_organizations"), w.count(t, "tenon_users"))
	})
}

// asHost runs fn, in a transaction of the host if it is to.
func (w *world) asHost(ctx context.Context, transaction bool, fn func(ctx context.Context) error) error {
	if !transaction {
		return fn(ctx)
	}
	return w.DB.InTx(ctx, fn)
}

// harmless fails the test for errors that are nobody's fault but ours.
func (w *world) harmless(t *testing.T, err error) {
	t.Helper()
	if kind := problem.KindOf(err); err != nil && (kind == problem.Internal || kind == problem.Unavailable) {
		t.Error(err)
	}
}

func tokenOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	assert.NoError(t, err)
	return u.Query().Get("token")
}

// Whether a sign-up waits does not show in what a failed sign-in or another mail
// costs (rule R7).
func TestR7_AWaitingSignUpCostsNothingMore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const waiting, unknown, known = "aa@example.com", "bb@example.com", "cc@example.com"
		w.user(t, known)
		w.browser(t).signUp(waiting)
		w.browser(t).signIn("warm@example.com")
		for _, path := range []string{"/sign-in/email", "/send-verification-email"} {
			counts := map[string]int{}
			for _, to := range []string{waiting, unknown, known} {
				body := credentials(to, "not this one")
				if path != "/sign-in/email" {
					delete(body, "password")
				}
				b := w.browser(t)
				counts[to] = bundbtest.FaultsOf(w.DB).Count(func() { b.post(path, body) })
			}
			assert.Equal(t, counts[waiting], counts[unknown])
			assert.Equal(t, counts[known], counts[unknown])
		}
	})
}

// What keeps a user out after the right password is answered like a wrong one.
func TestR7_ABanLooksLikeAWrongPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		wrong := shape(b.post("/sign-in/email", credentials(email, "not this one")))
		_, err := w.db.Statement("UPDATE tenon_users SET banned_at = created_at").Exec(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, shape(b.signIn(email)), wrong)
	})
}

// Two links of one address open in two tabs at once: one user, and the other tab
// is told that its link is dead, on a page.
func TestTwoTabsOfOneBrowser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		link := "/verify-email?token=" + w.link(t, email)
		first, second := b.open(link), b.open(link)
		assert.Equal(t, b.submit(first, url.Values{}).StatusCode, http.StatusSeeOther)
		late := b.submit(second, url.Values{})
		assert.Equal(t, late.StatusCode, http.StatusBadRequest)
		assert.Contains(t, late.body, "not valid any more")
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	})
}

// A form takes the secret from the cookie of its page alone, whatever the case of
// its media type and whatever else it carries.
func TestR24_AFormConfirmsWhatItsPageShowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		page := b.open("/verify-email?token=" + w.link(t, email))
		w.browser(t).signUp("eve@example.com")
		other := w.link(t, "eve@example.com")
		values := url.Values{"_nonce": {nonce.FindStringSubmatch(page.body)[1]}, "token": {other}, "newPassword": {password}}
		r := b.request(http.MethodPost, "/verify-email?token="+other, "Application/X-WWW-Form-URLEncoded", strings.NewReader(values.Encode()))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		assert.Equal(t, b.do(r).StatusCode, http.StatusSeeOther)
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com'"), 1)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	})
}

// The secret of a link is in a cookie for a quarter of an hour, and no longer
// than it is good for; the page it was in tells nobody (rule R24).
func TestR24_TheParkedSecretIsShortLived(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		link := "/verify-email?token=" + w.link(t, email)
		parked := b.page(link)
		assert.Equal(t, parked.Header.Get("Referrer-Policy"), "no-referrer")
		assert.Equal(t, parked.Header.Get("Cache-Control"), "no-store")
		cookies := parked.Cookies()
		assert.Len(t, cookies, 1)
		assert.Equal(t, cookies[0].Name, "tenon_dev_link")
		assert.Equal(t, cookies[0].MaxAge, 15*60)
		assert.True(t, cookies[0].HttpOnly, "no script reads it")
		assert.Equal(t, b.submit(b.page("/verify-email"), url.Values{}).StatusCode, http.StatusSeeOther)
		assert.Equal(t, b.cookie("link"), "")
		b.page(link)
		assert.NotEqual(t, b.cookie("link"), "")
		b.page("/verify-email") // the link is dead
		assert.Equal(t, b.cookie("link"), "")
	})
}

// A dead link leads to the page for errors, if that is allowed.
func TestR24_ErrorCallbackURLsAreJudged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for target, want := range map[string]int{
			"/oops#part": http.StatusSeeOther, base + "/oops": http.StatusSeeOther, "//evil.example": http.StatusForbidden,
			"https://evil.example": http.StatusForbidden, "http:///evil.example": http.StatusForbidden,
			"http:evil.example": http.StatusForbidden, "/\\evil.example": http.StatusForbidden,
			base + "@evil.example": http.StatusForbidden, base + ".evil.example": http.StatusForbidden,
		} {
			got := b.page("/verify-email?errorCallbackURL=" + url.QueryEscape(target))
			if location := got.Header.Get("Location"); got.StatusCode != want || strings.Contains(location, "evil") {
				t.Errorf("%s: %d to %q", target, got.StatusCode, location)
			}
		}
		assert.Equal(t, b.page("/verify-email?errorCallbackURL=%2Foops%23part").Header.Get("Location"), "/oops?error=INVALID_TOKEN#part")
	})
}
