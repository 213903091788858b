package tenon_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const newPassword = "another horse battery"

// requestReset asks for a link, after the time in which one mail of a kind goes.
func (w *world) requestReset(t testing.TB, to, redirectTo string) answer {
	t.Helper()
	bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
	body := map[string]any{"email": to}
	if redirectTo != "" {
		body["redirectTo"] = redirectTo
	}
	return w.browser(t).post("/request-password-reset", body)
}

// resetLink is the newest mailed link, and the secret in its path.
func (w *world) resetLink(t testing.TB, to string) (link *url.URL, secret string) {
	t.Helper()
	assert.NoError(t, w.Drain(context.WithoutCancel(t.Context())))
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", to)
	}
	link, err := url.Parse(message.Links[0])
	assert.NoError(t, err)
	_, secret, found := strings.Cut(link.Path, "/reset-password/")
	assert.True(t, found, "the link is one of a reset: "+link.Path)
	return link, secret
}

func (w *world) newResetLink(t testing.TB, to string) string {
	t.Helper()
	assert.Equal(t, w.requestReset(t, to, "").StatusCode, http.StatusOK)
	_, secret := w.resetLink(t, to)
	return secret
}

func (b *browser) reset(secret, to string) answer {
	b.t.Helper()
	return b.post("/reset-password", map[string]any{"token": secret, "newPassword": to})
}

func (b *browser) signInWith(to, secret string) answer {
	b.t.Helper()
	return b.post("/sign-in/email", credentials(to, secret))
}

func TestResetByTheHostsOwnPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		got := w.requestReset(t, email, "/new-password?x=1")
		assert.Equal(t, got.decode(t)["status"], any(true))
		link, secret := w.resetLink(t, email)
		for range 3 { // and whoever opens it first
			led := b.get(strings.TrimPrefix(link.Path, "/api/auth") + "?" + link.RawQuery)
			assert.Equal(t, led.StatusCode, http.StatusSeeOther)
			assert.Equal(t, led.Header.Get("Location"), "/new-password?token="+secret+"&x=1")
			assert.Equal(t, led.Header.Get("Referrer-Policy"), "no-referrer")
		}
		done := b.reset(secret, newPassword)
		assert.Equal(t, done.StatusCode, http.StatusOK)
		assert.Equal(t, done.decode(t)["status"], any(true))
		assert.Equal(t, b.cookie("session"), "") // it signs nobody in
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
		assert.NoError(t, w.Drain(t.Context()))
		notice, _ := w.mailbox.Last(email)
		assert.Equal(t, notice.Kind, auth.MailPasswordChanged)
		dead := b.get(strings.TrimPrefix(link.Path, "/api/auth") + "?" + link.RawQuery)
		assert.Equal(t, dead.Header.Get("Location"), "/new-password?error=INVALID_TOKEN&x=1")
		for _, target := range []string{"//evil.example", "https://evil.example", "/\\evil.example"} {
			assert.Equal(t, w.requestReset(t, email, target).code(t), "INVALID_CALLBACK_URL")
			assert.Equal(t, b.get("/reset-password/x?callbackURL="+url.QueryEscape(target)).code(t), "INVALID_CALLBACK_URL")
		}
	})
}

func TestR24_ResetByTheBuiltInPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.requestReset(t, email, "")
		link, secret := w.resetLink(t, email)
		b := w.browser(t)
		path := strings.TrimPrefix(link.Path, "/api/auth")
		assert.Equal(t, b.get(path).code(t), "CONFIRM_WITH_POST")
		parked := b.page(path)
		assert.Equal(t, parked.Header.Get("Location"), "../reset-password")
		page := b.page("/reset-password")
		assert.Contains(t, page.body, email)
		assert.NotContains(t, page.body, secret)
		short := b.submitReset(page, "short")
		assert.Equal(t, short.StatusCode, http.StatusBadRequest)
		assert.Contains(t, short.body, "too short")
		done := b.submitReset(short, newPassword)
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		assert.Contains(t, b.page("/"+done.Header.Get("Location")).body, "Your password is set")
		assert.Equal(t, b.cookie("session")+b.cookie("reset"), "")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
		b.page(path)
		assert.Contains(t, b.page("/reset-password").body, "not valid any more")
	})
}

// submitReset fills in the page's form as a browser does.
func (b *browser) submitReset(page answer, to string) answer {
	b.t.Helper()
	values := url.Values{"_nonce": nonce.FindStringSubmatch(page.body)[1:2], "newPassword": {to}}
	values.Set("user", userField.FindStringSubmatch(page.body)[1])
	return b.form("/reset-password", values)
}

var userField = regexp.MustCompile(`name="user" value="([^"]+)"`)

// The page showed one account, and another link was opened meanwhile.
func TestR24_TheButtonSetsThePasswordThatItNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.user(t, "eve@example.com")
		b := w.browser(t)
		b.page("/reset-password/" + w.newResetLink(t, email))
		page := b.page("/reset-password")
		b.page("/reset-password/" + w.newResetLink(t, "eve@example.com"))
		got := b.submitReset(page, newPassword)
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Contains(t, got.body, "eve@example.com")
		assert.Equal(t, b.signIn("eve@example.com").StatusCode, http.StatusOK)
	})
}

// imported makes a user whose address was never proven.
func (w *world) imported(t testing.TB, to string) auth.User {
	t.Helper()
	hash, err := w.cfg.Passwords.Hash(t.Context(), password)
	assert.NoError(t, err)
	user, err := w.Auth.CreateUser(t.Context(), auth.NewUser{Email: to, Name: "Ada", PasswordHash: hash})
	assert.NoError(t, err)
	return user
}

func (w *world) ban(t testing.TB, to string) {
	t.Helper()
	_, err := w.db.Statement("UPDATE tenon_users SET banned_at = ? WHERE email = ?").Exec(t.Context(), w.db.Now(), to)
	assert.NoError(t, err)
}

// everybody are addresses of the same length in every state that one can have.
func (w *world) everybody(t testing.TB) []string {
	t.Helper()
	w.user(t, "aa@example.com")
	w.user(t, "cc@example.com")
	w.ban(t, "cc@example.com")
	w.browser(t).signUp("dd@example.com")
	w.imported(t, "ee@example.com")
	bundbtest.ClockOf(w.db).Advance(2 * time.Hour)
	w.browser(t).signIn("warm@example.com")
	return []string{"aa@example.com", "bb@example.com", "cc@example.com", "dd@example.com", "ee@example.com"}
}

// alike fails the test unless do answers the same for every address, with as many
// statements.
func (w *world) alike(t *testing.T, name string, addresses []string, do func(b *browser, to string) answer) {
	t.Helper()
	shapes, counts := map[string]string{}, map[string]int{}
	for _, to := range addresses {
		b := w.browser(t)
		// What the address before left is not this one's work.
		assert.NoError(t, w.Drain(t.Context()))
		counts[to] = bundbtest.FaultsOf(w.DB).Count(func() { shapes[to] = shape(do(b, to), to) })
	}
	for _, to := range addresses[1:] {
		if first := addresses[0]; shapes[to] != shapes[first] || counts[to] != counts[first] {
			t.Errorf("%s: %s answers after %d statements\n%s\nand %s after %d\n%s", name, first, counts[first], shapes[first], to, counts[to], shapes[to])
		}
	}
}

func TestR7_ResetRequestsAreAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		all := w.everybody(t)
		ask := func(b *browser, to string) answer {
			return b.post("/request-password-reset", map[string]any{"email": to, "redirectTo": "/x"})
		}
		ask(w.browser(t), "warm@example.com")
		w.alike(t, "first", all, ask)
		w.alike(t, "over the budget", all, ask)
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		w.alike(t, "later", all, ask)
		assert.NoError(t, w.Drain(t.Context()))
		for to, want := range map[string]string{
			"aa@example.com": recovery.MailResetPassword, "cc@example.com": recovery.MailResetPassword,
			"dd@example.com": auth.MailVerifyEmail, "ee@example.com": recovery.MailResetPassword,
		} {
			message, _ := w.mailbox.Last(to)
			assert.Equal(t, message.Kind, want)
		}
		_, mailed := w.mailbox.Last("bb@example.com")
		assert.False(t, mailed, "nobody gets no mail")
	})
}

func TestR4_AResetOfAWaitingAddressMailsAFreshLinkOfSignUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		first := w.link(t, email)
		assert.Equal(t, w.requestReset(t, email, "/x").StatusCode, http.StatusOK)
		second := w.link(t, email)
		assert.NotEqual(t, first, second)
		assert.Equal(t, b.post("/verify-email?token="+second, map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
	})
}

// Who exists unproven has proven the mailbox by the link, and loses what somebody
// else may have put there.
func TestR4_AResetProvesAnImportedUser(t *testing.T) {
	t.Parallel()
	var verified []string
	var databases int
	var mu sync.Mutex
	each(t, func(t *testing.T, w *world) {
		mu.Lock()
		databases++
		mu.Unlock()
		user := w.imported(t, email)
		b := w.browser(t)
		squatter := w.browser(t)
		squatter.signUp(email)
		assert.Equal(t, b.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusUnauthorized)
		in := b.signInWith(email, newPassword)
		assert.Equal(t, in.StatusCode, http.StatusOK)
		me, _ := in.decode(t)["user"].(map[string]any)
		assert.Equal(t, me["id"], any(user.ID))
		assert.Equal(t, me["emailVerified"], any(true))
		assert.Equal(t, w.count(t, "tenon_sign_ups"), 0)
	}, func(c *tenon.Config) {
		c.AuthHooks.UserVerified = func(_ context.Context, e auth.UserVerified) error {
			mu.Lock()
			defer mu.Unlock()
			verified = append(verified, e.User.ID)
			return nil
		}
	})
	t.Cleanup(func() { assert.Len(t, verified, databases) })
}

func TestAResetGivesAPasswordToAUserWithoutOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.Auth.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true})
		assert.NoError(t, err)
		b := w.browser(t)
		assert.Equal(t, b.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

func TestCVE_2026_26060_AUsedResetLinkEndsTheOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		first, second := w.newResetLink(t, email), w.newResetLink(t, email)
		assert.Equal(t, b.reset(first, newPassword).StatusCode, http.StatusOK)
		for _, dead := range []string{first, second} {
			assert.Equal(t, b.reset(dead, "a third password").code(t), "INVALID_TOKEN")
		}
		assert.Equal(t, w.count(t, "tenon_one_time_tokens WHERE purpose = 'rst:reset-password' AND consumed_at IS NULL"), 0)
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

func TestCVE_2026_34828_SessionsDieOnReset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		first := w.signedIn(t, email)
		second := w.browser(t)
		second.signIn(email)
		assert.Equal(t, first.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		for _, b := range []*browser{first, second} {
			assert.Equal(t, b.get("/get-session").body, "null\n")
			assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusUnauthorized)
		}
		assert.Equal(t, w.count(t, "tenon_sessions WHERE revoked_at IS NULL"), 0)
	})
}

// Whatever changes the account ends the links that were mailed before (rule R1).
func TestR1_AChangeOfTheAccountEndsResetLinks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		link := w.newResetLink(t, email)
		assert.NoError(t, w.reset(t.Context(), newPassword))
		led := b.get("/reset-password/" + link + "?callbackURL=%2Fx")
		assert.Equal(t, led.Header.Get("Location"), "/x?error=INVALID_TOKEN")
		assert.Equal(t, b.reset(link, "a third password").code(t), "INVALID_TOKEN")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

// meanwhileHasher lets something happen while a password is hashed.
type meanwhileHasher struct {
	*passwordtest.Hasher
	meanwhile func()
}

func (h meanwhileHasher) Hash(ctx context.Context, prepared string) (string, error) {
	h.meanwhile()
	return h.Hasher.Hash(ctx, prepared)
}

// A change that commits while the new password is hashed wins (rule R1).
func TestR1_AResetStalledAcrossAnotherOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		link, usual := w.newResetLink(t, email), w.cfg.Passwords
		w.cfg.Passwords = meanwhileHasher{passwordtest.New(t), func() {
			w.cfg.Passwords = usual
			assert.NoError(t, w.reset(bundbtest.Outside(t.Context()), newPassword))
		}}
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		assert.Equal(t, b.reset(link, "the slower one's").code(t), "INVALID_TOKEN")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

func TestPromise4_SixtyFourConsumersOfOneResetLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		link := w.newResetLink(t, email)
		assert.Equal(t, w.race(t, token.ErrInvalid, func(ctx context.Context) error {
			return w.Recovery.Reset(ctx, recovery.ResetParams{Token: link, NewPassword: newPassword})
		}), 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE security_version = 2"), 1)
	})
}

// race calls fn from 64 goroutines at once and returns how many succeeded; the
// others must fail with lost.
func (w *world) race(t *testing.T, lost error, fn func(ctx context.Context) error) (won int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 64 {
		group.Go(func() {
			<-start
			err := fn(bundbtest.Flow(t.Context()))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, lost):
				t.Errorf("a loser got %v", err)
			}
		})
	}
	close(start)
	group.Wait()
	return won
}

func TestASVS_6_5_5_AResetLinkWorksForAnHour(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		clock := bundbtest.ClockOf(w.db)
		late := w.newResetLink(t, email)
		clock.Advance(time.Hour)
		assert.Equal(t, b.reset(late, newPassword).code(t), "INVALID_TOKEN")
		inTime := w.newResetLink(t, email)
		clock.Advance(time.Hour - time.Second)
		assert.Equal(t, b.reset(inTime, newPassword).StatusCode, http.StatusOK)
	})
}

func TestGHSA_3529_5m8x_rpv3_TheHostHeaderDecidesNoLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		for path, body := range map[string]string{
			"/request-password-reset": `{"email":"ada@example.com"}`,
			"/sign-in/magic-link":     `{"email":"ada@example.com"}`,
		} {
			r := b.request(http.MethodPost, path, "application/json", strings.NewReader(body))
			for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host", "X-Host"} {
				r.Header.Set(header, "evil.example")
			}
			r.Host = "evil.example"
			assert.Equal(t, b.do(r).StatusCode, http.StatusOK)
			assert.NoError(t, w.Drain(t.Context()))
			message, _ := w.mailbox.Last(email)
			assert.NotContains(t, message.Text+message.HTML, "evil.example")
			assert.True(t, strings.HasPrefix(message.Links[0], mount+"/"), "the link leads home")
		}
	})
}

// Secrets of other kinds set no password.
func TestPromise4_NoOtherSecretIsAResetLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.signUp(email)
		verify := w.link(t, email)
		for _, raw := range []string{verify, strings.Replace(verify, "vrf", "rst", 1), "", "tnn_rst_"} {
			assert.Equal(t, b.reset(raw, newPassword).code(t), "INVALID_TOKEN")
		}
		assert.Equal(t, b.post("/verify-email", map[string]any{"token": verify}).StatusCode, http.StatusOK)
	})
}

func TestABadPasswordLeavesTheLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		link := w.newResetLink(t, email)
		assert.Equal(t, b.reset(link, "short").code(t), "PASSWORD_TOO_SHORT")
		assert.Equal(t, b.reset(link, newPassword).StatusCode, http.StatusOK)
	})
}

func TestPromise1_ResetIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.signedIn(t, email)
		w.imported(t, "eve@example.com")
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
			return w.Recovery.Request(ctx, recovery.RequestParams{Email: email})
		})
		for _, to := range []string{email, "eve@example.com"} {
			link := w.newResetLink(t, to)
			bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
				return w.Recovery.Reset(ctx, recovery.ResetParams{Token: link, NewPassword: newPassword})
			})
		}
	})
}

func TestResetJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		link := w.newResetLink(t, email)
		stop := errors.New("stop")
		assert.ErrorIs(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, w.Recovery.Reset(ctx, recovery.ResetParams{Token: link, NewPassword: newPassword}))
			return stop
		}), stop)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.reset(link, newPassword).StatusCode, http.StatusOK)
	})
}

// Links of sign-up, resets and sign-ups of one address at once, of somebody who
// exists unproven: nothing deadlocks.
func TestProofsOfOneUnprovenUserDoNotDeadlock(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, tenon.Schemas()...)
	w := newWorld(t, db)
	for round := range 8 {
		to := string(rune('a'+round)) + "@example.com"
		w.imported(t, to)
		reset := w.newResetLink(t, to)
		w.browser(t).signUp(to)
		verify := w.link(t, to)
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				ctx := bundbtest.Flow(t.Context())
				if i%2 == 0 {
					w.harmless(t, w.Recovery.Reset(ctx, recovery.ResetParams{Token: reset, NewPassword: newPassword}))
					return
				}
				_, err := w.Auth.VerifyEmail(ctx, auth.VerifyEmailParams{Token: verify, NewPassword: newPassword})
				w.harmless(t, err)
			})
		}
		group.Wait()
		assert.Equal(t, w.count(t, "tenon_users WHERE email = ? AND email_verified AND security_version = 2", to), 1)
	}
}
