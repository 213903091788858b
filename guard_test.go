package tenon_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/token"
)

func wrong(to string) map[string]any { return credentials(to, "not this one") }

// lock guesses at an address until strangers are refused for good.
func (w *world) lock(t *testing.T, to string) {
	t.Helper()
	b := w.browser(t)
	for range 500 {
		got := b.post("/sign-in/email", wrong(to))
		if got.StatusCode == http.StatusTooManyRequests && got.code(t) == "SIGN_IN_LOCKED" {
			return
		}
		bundbtest.ClockOf(w.db).Advance(15 * time.Minute)
	}
	t.Fatal("strangers are never refused for good")
}

// Rule R9: 150 wrong guesses from outside touch no session, no refresh, no known
// device; they keep strangers out until the owner unlocks.
func TestR9_150WrongGuessesFromOutside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, program := w.signedIn(t, email), w.signedInProgram(t, email)
		away := w.browser(t)
		assert.Equal(t, away.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, away.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		assert.NotEqual(t, away.cookie("device"), "")
		w.lock(t, email)
		stranger := w.browser(t)
		for range 150 {
			assert.Equal(t, stranger.post("/sign-in/email", wrong(email)).code(t), "SIGN_IN_LOCKED")
		}
		assert.Equal(t, stranger.signIn(email).code(t), "SIGN_IN_LOCKED")
		assert.Contains(t, owner.get("/get-session").body, email)
		assert.Equal(t, program.exchange().StatusCode, http.StatusOK)
		assert.Equal(t, away.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, away.post("/sign-in/email", wrong(email)).code(t), "INVALID_EMAIL_OR_PASSWORD")

		// The owner's success forgives no stranger; the owner does, by mail.
		assert.Equal(t, stranger.signIn(email).code(t), "SIGN_IN_LOCKED")
		assert.Equal(t, stranger.post("/unlock-account", map[string]any{"token": w.link(t, email)}).StatusCode, http.StatusOK)
		assert.Equal(t, stranger.cookie("session")+stranger.cookie("device"), "")
		assert.Equal(t, stranger.signIn(email).StatusCode, http.StatusOK)
	})
}

// Rule R9: an address shared with an attacker locks no known device out, and the
// cookie of one is worth nothing without its limit.
func TestR9_AnAddressSharedWithAnAttacker(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, stranger := w.signedIn(t, email), w.browser(t)
		for range 3 {
			stranger.post("/sign-in/email", wrong("victim@example.com"))
		}
		assert.Equal(t, stranger.signIn(email).code(t), "TOO_MANY_REQUESTS")
		for range 10 {
			assert.Equal(t, owner.signIn(email).StatusCode, http.StatusOK)
		}
		got := owner.signIn(email)
		assert.Equal(t, got.code(t), "TOO_MANY_REQUESTS")
		forged, err := token.Generate(nil, token.KindDevice)
		assert.NoError(t, err)
		r := stranger.request(http.MethodPost, "/sign-in/email", "application/json", strings.NewReader("{}"))
		r.Header.Set("Cookie", "tenon_dev_device="+forged.Secret().Reveal())
		assert.Equal(t, stranger.do(r).code(t), "TOO_MANY_REQUESTS")
	}, func(cfg *tenon.Config) {
		cfg.RateLimits[tenon.RateLimitSignIn] = ratelimit.Rule{{Quota: 4, Window: time.Hour}}
	})
}

// Rules R7 and R9: at the cap, an address that is nobody's gets the same bytes
// after the same statements, whether or not a mail is due.
func TestR7_KnownAndUnknownAreAlikeAtTheCap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const known, unknown, banned, waiting = "aa@example.com", "bb@example.com", "cc@example.com", "dd@example.com"
		w.user(t, known)
		w.user(t, banned)
		w.browser(t).signUp(waiting)
		_, err := w.db.Statement("UPDATE tenon_users SET banned_at = ? WHERE email = ?").Exec(t.Context(), w.db.Now(), banned)
		assert.NoError(t, err)
		everybody := []string{known, unknown, banned, waiting}
		for _, to := range everybody {
			w.lock(t, to)
		}
		bundbtest.ClockOf(w.db).Advance(12 * time.Hour)
		for _, step := range []string{"a mail is due", "the budget is spent", "an hour later"} {
			shapes, counts := map[string]string{}, map[string]int{}
			w.browser(t).signIn("warm@example.com") // loads keys that grew old
			for _, to := range everybody {
				b := w.browser(t)
				counts[to] = bundbtest.FaultsOf(w.DB).Count(func() { shapes[to] = shape(b.post("/sign-in/email", wrong(to)), to) })
			}
			for _, to := range everybody[1:] {
				if shapes[to] != shapes[known] || counts[to] != counts[known] {
					t.Errorf("%s: %d statements and\n%s\nfor %s, %d and\n%s", step, counts[known], shapes[known], to, counts[to], shapes[to])
				}
			}
			if step == "the budget is spent" {
				bundbtest.ClockOf(w.db).Advance(time.Hour)
			}
		}
		assert.NoError(t, w.Drain(t.Context()))
		for to, want := range map[string]bool{known: true, unknown: false, waiting: false} {
			last, ok := w.mailbox.Last(to)
			assert.Equal(t, ok && last.Kind == auth.MailUnlock, want)
		}
	})
}

// Rule R8: a thousand racers at the edge of the cap check no more than is left.
func TestR9_AThousandRacersAtTheCap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.lock(t, email)
		_, err := w.db.Statement("UPDATE tenon_guesses SET failures = failures - 1, charged_at = 0").Exec(t.Context())
		assert.NoError(t, err)
		counter := &countingHasher{Hasher: passwordtest.New(t)}
		w.cfg.Passwords = counter
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		_, err = w.db.Statement("UPDATE tenon_guesses SET failures = ?, charged_at = ?").
			Exec(t.Context(), auth.LockedAt-1, w.db.Now().Add(-20*time.Minute).UnixMicro())
		assert.NoError(t, err)
		slots := make(chan struct{}, 64)
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				_, _, err := app.Auth.SignIn(bundbtest.Flow(t.Context()), auth.SignInParams{Email: email, Password: "not this one"})
				if !errors.Is(err, auth.ErrLocked) && !errors.Is(err, auth.ErrInvalidCredentials) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		assert.Equal(t, counter.count(), 1)
	})
}

// Rule R9: no device is made before the session is, nor for a client without
// cookies.
func TestR9_DevicesComeWithSessionsOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		b.post("/sign-in/email", wrong(email))
		w.signedInProgram(t, email)
		assert.Equal(t, b.cookie("device"), "")
		assert.Equal(t, w.count(t, "tenon_devices"), 0)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		first := b.cookie("device")
		assert.NotEqual(t, first, "")
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.cookie("device"), first)
		assert.Equal(t, w.count(t, "tenon_devices"), 1)
		assert.NotContains(t, string(bundbtest.Dump(t, w.db)), first[len(first)-32:])
	})
}

// Rule R9: a change of the password makes strangers of all devices (rule R1) but of
// the one on which the owner has just proven the current one.
func TestR9_TheBrowserThatChangesThePasswordStaysAKnownDevice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other, before := b.second(), b.cookie("device")
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		assert.NotEqual(t, b.cookie("device"), before)
		assert.Equal(t, w.count(t, "tenon_devices"), 1)
		w.lock(t, email)
		assert.Equal(t, other.signInWith(email, newPassword).code(t), "SIGN_IN_LOCKED")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)

		changed := b.cookie("device")
		assert.Equal(t, b.post("/step-up", map[string]any{"password": newPassword}).StatusCode, http.StatusOK)
		assert.Equal(t, b.cookie("device"), changed) // it is known already
		w.user(t, "program@example.com")
		bearer := w.signedInProgram(t, "program@example.com")
		got := bearer.call(http.MethodPost, "/change-password", map[string]any{"currentPassword": password, "newPassword": newPassword})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Len(t, got.Cookies(), 0)
	})
}

// What nobody touched for two weeks is deleted, but for a lock: the counter of the
// own password, too, which ended where a lock begins and so was kept for good.
func TestMaintainDeletesCountersThatNoLongerMatter(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := bundbtest.Outside(t.Context())
		user, stranger := w.signedIn(t, email).idOf(), w.browser(t)
		for range 2 * auth.LockedAt {
			assert.Error(t, w.Auth.CheckPassword(ctx, user, "not this one"))
			bundbtest.ClockOf(w.db).Advance(15 * time.Minute)
		}
		stranger.useCode(email, otherCode(w.mailedCode(t, stranger, email, "sign-in")))
		stranger.post("/sign-in/email", wrong("nobody@example.com"))
		w.lock(t, email)
		assert.Equal(t, w.count(t, "tenon_guesses"), 4)
		bundbtest.ClockOf(w.db).Advance(15 * 24 * time.Hour)
		assert.NoError(t, w.Maintain(ctx))
		assert.Equal(t, w.count(t, "tenon_guesses"), 1)
		assert.Equal(t, stranger.signIn(email).code(t), "SIGN_IN_LOCKED")
		assert.NoError(t, w.Auth.CheckPassword(ctx, user, password))
	})
}

// A lock outlives the rotation of the pepper.
func TestR9_RotationUnlocksNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.lock(t, email)
		for _, purpose := range []string{crypto.PurposeToken, crypto.PurposePassword, crypto.PurposeData} {
			_, err := w.Keys.RotateDEK(t.Context(), purpose, "")
			assert.NoError(t, err)
		}
		assert.Equal(t, w.browser(t).signIn(email).code(t), "SIGN_IN_LOCKED")
	})
}

func TestUnlockPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.lock(t, email)
		bundbtest.ClockOf(w.db).Advance(6 * time.Hour)
		w.browser(t).signIn(email)
		b, link := w.browser(t), "/unlock-account?token="+w.link(t, email)
		got := b.get(link)
		assert.Equal(t, got.StatusCode, http.StatusMethodNotAllowed)
		assert.Equal(t, got.code(t), "CONFIRM_WITH_POST")
		page := b.open(link)
		assert.Equal(t, page.StatusCode, http.StatusOK)
		assert.Contains(t, page.body, email)
		assert.Equal(t, w.browser(t).signIn(email).code(t), "SIGN_IN_LOCKED")
		found := nonce.FindStringSubmatch(page.body)
		assert.Equal(t, b.form("/unlock-account", url.Values{}).StatusCode, http.StatusForbidden)
		done := b.form("/unlock-account", url.Values{"_nonce": {found[1]}})
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		assert.Equal(t, b.page("/"+done.Header.Get("Location")).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
		dead := b.open(link)
		assert.Equal(t, dead.StatusCode, http.StatusBadRequest)
	})
}

func TestUnlockIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.lock(t, email)
		bundbtest.ClockOf(w.db).Advance(6 * time.Hour)
		w.browser(t).signIn(email)
		link := w.link(t, email)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.UnlockByMail(ctx, link)
			return err
		})
		user, _, err := w.signedInUser(t)
		assert.NoError(t, err)
		grant := auth.Grant{UserID: user.ID, SecurityVersion: user.SecurityVersion}
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.RememberDevice(ctx, grant, "")
			return err
		})
	})
}

func (w *world) signedInUser(t *testing.T) (auth.User, auth.Outcome, error) {
	t.Helper()
	return w.Auth.SignIn(bundbtest.Flow(t.Context()), auth.SignInParams{Email: email, Password: password})
}

// Rule R9: who proved the mailbox to set a new password is no stranger, although
// every known device died with the old one.
func TestR9_AResetUnlocks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		w.lock(t, email)
		bundbtest.ClockOf(w.db).Advance(24 * time.Hour)
		assert.Equal(t, owner.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, owner.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

// Row 25 of the advisories: the spelling of an address makes no new counter, nor
// does asking by another route of the same account.
func TestCVE202524806_OneCounterPerAccountOverHTTP(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		refused := 0
		for i := range 40 {
			spelling := []string{"ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.com", " ada@example.com"}[i%4]
			if w.browser(t).post("/sign-in/email", wrong(spelling)).StatusCode == http.StatusTooManyRequests {
				refused++
			}
		}
		assert.Equal(t, refused, 35)
	})
}
