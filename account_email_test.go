package tenon_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// askToMove asks for another address, after the time in which one mail goes, and
// returns the secret that went to the present one.
func (b *browser) askToMove(t testing.TB, to string) string {
	t.Helper()
	bundbtest.ClockOf(b.w.db).Advance(2 * time.Minute)
	got := b.post("/change-email", map[string]any{"newEmail": to})
	assert.Equal(t, got.StatusCode, http.StatusOK)
	secret := b.w.link(t, email)
	assert.Equal(t, b.w.lastMail(t, email), account.MailLeaveEmail)
	return secret
}

func (b *browser) confirmMove(secret string) answer {
	b.t.Helper()
	return b.post("/change-email/confirm", map[string]any{"token": secret})
}

func (b *browser) verifyMove(secret string) answer {
	b.t.Helper()
	return b.post("/change-email/verify", map[string]any{"token": secret})
}

func TestAnAccountMovesByTwoMailboxes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other, squatter := b.second(), w.browser(t)
		assert.Equal(t, squatter.signUp(newEmail).StatusCode, http.StatusOK)
		squatted := w.link(t, newEmail)
		leave := b.askToMove(t, newEmail)
		for range 3 { // a scanner
			assert.Equal(t, w.browser(t).get("/change-email/confirm?token="+leave).code(t), "CONFIRM_WITH_POST")
		}
		assert.Equal(t, b.verifyMove(leave).code(t), "INVALID_TOKEN") // no link is another
		elsewhere := w.browser(t)                                     // where mail is read
		assert.Equal(t, elsewhere.confirmMove(leave).StatusCode, http.StatusOK)
		assert.Equal(t, elsewhere.confirmMove(leave).code(t), "INVALID_TOKEN")
		assert.Equal(t, w.lastMail(t, newEmail), account.MailEnterEmail)
		enter := w.link(t, newEmail)
		assert.Equal(t, elsewhere.confirmMove(enter).code(t), "INVALID_TOKEN")
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com'"), 1)
		got := b.verifyMove(enter)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		user, _ := got.decode(t)["user"].(map[string]any)
		assert.Equal(t, user["email"], any(newEmail))
		assert.True(t, b.isSignedIn(), "the session of who confirmed goes on")
		assert.False(t, other.isSignedIn(), "the other one is over")
		assert.Equal(t, w.lastMail(t, email), account.MailEmailChanged)
		assert.Equal(t, w.count(t, "tenon_sign_ups WHERE email = 'ada.new@example.com'"), 0)
		assert.Equal(t, squatter.post("/verify-email", map[string]any{"token": squatted}).code(t), "INVALID_TOKEN")
		assert.Equal(t, elsewhere.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, elsewhere.signIn(newEmail).StatusCode, http.StatusOK)
		assert.Equal(t, elsewhere.verifyMove(enter).code(t), "INVALID_TOKEN")
	})
}

// Opened where the user is not signed in, the second link ends every session.
func TestAMoveConfirmedElsewhereEndsEverySession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		assert.Equal(t, b.confirmMove(b.askToMove(t, newEmail)).StatusCode, http.StatusOK)
		assert.Equal(t, bob.verifyMove(w.link(t, newEmail)).StatusCode, http.StatusOK)
		assert.False(t, b.isSignedIn(), "the session is over")
		assert.True(t, bob.isSignedIn(), "somebody else's is not")
	})
}

func TestTheSameOrAnImpossibleAddressIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for to, code := range map[string]string{
			"ADA@example.com": "EMAIL_UNCHANGED", "nonsense": "INVALID_EMAIL", "a@localhost": "INVALID_EMAIL",
			"ada\uff20example.com": "INVALID_EMAIL",
		} {
			assert.Equal(t, b.post("/change-email", map[string]any{"newEmail": to}).code(t), code)
		}
		got := b.post("/change-email", map[string]any{"newEmail": newEmail, "callbackURL": "https://evil.example/"})
		assert.Equal(t, got.code(t), "INVALID_CALLBACK_URL")
		assert.Equal(t, w.count(t, "tenon_one_time_tokens WHERE consumed_at IS NULL"), 0)
	})
}

// Asking for an address says nothing about whether anybody has it: not the answer
// to the request, nor that to the first link, nor what they cost. Only mail differs
// (rule R7).
func TestR7_ATakenAddressAnswersLikeAFreeOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, "bb@example.com")
		w.imported(t, "cc@example.com")
		w.browser(t).signUp("dd@example.com")
		b := w.signedIn(t, email)
		b.askToMove(t, "warm@example.com")
		for _, step := range []string{"ask", "confirm", "confirm again", "page"} {
			shapes, counts := map[string]string{}, map[string]int{}
			for _, to := range []string{"aa@example.com", "bb@example.com", "cc@example.com", "dd@example.com"} {
				bundbtest.ClockOf(w.db).Advance(time.Hour)
				assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
				do := func() answer { return b.post("/change-email", map[string]any{"newEmail": to}) }
				if step != "ask" {
					secret := b.askToMove(t, to)
					do = func() answer { return w.browser(t).confirmMove(secret) }
					if step == "page" {
						do = func() answer { return w.browser(t).page("/change-email/confirm?token=" + secret) }
					}
				}
				if step == "confirm again" {
					do()
				}
				counts[to] = bundbtest.FaultsOf(w.DB).Count(func() { shapes[to] = shape(do(), to) })
			}
			for to := range shapes {
				if shapes[to] != shapes["aa@example.com"] || counts[to] != counts["aa@example.com"] {
					t.Errorf("%s: %s: %d statements, %s; aa: %d, %s", step, to, counts[to], shapes[to], counts["aa@example.com"], shapes["aa@example.com"])
				}
			}
		}
		assert.Equal(t, w.lastMail(t, "aa@example.com"), account.MailEnterEmail)
		assert.Equal(t, w.lastMail(t, "bb@example.com"), auth.MailEmailTaken)
		told, _ := w.mailbox.Last("bb@example.com")
		assert.Len(t, told.Links, 0)
		assert.NotContains(t, told.Text+told.HTML, email)
		assert.True(t, owner.isSignedIn(), "the owner notices nothing")
	})
}

// The address went to somebody else between the two links.
func TestAnAddressBelongsToOneUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.confirmMove(b.askToMove(t, newEmail)).StatusCode, http.StatusOK)
		enter := w.link(t, newEmail)
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		w.user(t, newEmail)
		assert.True(t, b.isSignedIn(), "and seen now, not when the link is opened")
		before := bundbtest.Dump(t, w.db)
		assert.Equal(t, b.verifyMove(enter).code(t), "INVALID_TOKEN")
		assert.True(t, bytes.Equal(bundbtest.Dump(t, w.db), before), "nothing was written")
		assert.True(t, b.isSignedIn(), "nothing changed")
	})
}

// allauth 65.12.1: the address that was verified was not the one that was set. A
// link moves the account of its user to the address that it was mailed to, and a
// page's button to the address that the page named.
func TestAllauth_65_12_1_TheProvenAddressIsTheOneThatIsSet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.confirmMove(b.askToMove(t, "first@example.com")).StatusCode, http.StatusOK)
		first := w.link(t, "first@example.com")
		assert.Equal(t, b.confirmMove(b.askToMove(t, "second@example.com")).StatusCode, http.StatusOK)
		second := w.link(t, "second@example.com")
		page := b.openAt("/change-email/", "verify?token="+first)
		assert.Contains(t, page.body, "first@example.com")
		b.openAt("/change-email/", "verify?token="+second)
		values := url.Values{"_nonce": nonce.FindStringSubmatch(page.body)[1:2], "shown": {"first@example.com"}}
		got := b.form("/change-email/verify", values)
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Contains(t, got.body, "second@example.com")
		assert.Equal(t, b.verifyMove(first).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'first@example.com' AND email_display = 'first@example.com'"), 1)
		assert.Equal(t, b.verifyMove(second).code(t), "INVALID_TOKEN") // it was for the account as it was before
	})
}

// Of two changes in flight, the first that is confirmed ends the other.
func TestTwoLinksInFlight(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		one, two := b.askToMove(t, "first@example.com"), b.askToMove(t, "second@example.com")
		assert.Equal(t, b.confirmMove(one).StatusCode, http.StatusOK)
		assert.Equal(t, b.confirmMove(two).code(t), "INVALID_TOKEN")
		assert.Equal(t, b.verifyMove(w.link(t, "first@example.com")).StatusCode, http.StatusOK)
	})
}

func TestALinkWorksForAnHour(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		leave := b.askToMove(t, newEmail)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, b.confirmMove(leave).code(t), "INVALID_TOKEN")
		assert.NoError(t, w.Maintain(bundbtest.Outside(t.Context())))
		assert.Equal(t, w.count(t, "tenon_one_time_tokens WHERE purpose = 'chg:leave-email'"), 0)
	})
}

// Over the mail budget the answers stay, no mail goes, and earlier links work.
func TestR6_AChangeOfAddressKeepsToTheBudget(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		leave := b.askToMove(t, newEmail)
		sent := len(w.mailbox.Messages())
		for range 3 {
			assert.Equal(t, b.post("/change-email", map[string]any{"newEmail": newEmail}).StatusCode, http.StatusOK)
		}
		assert.NoError(t, w.Drain(t.Context()))
		assert.Len(t, w.mailbox.Messages(), sent)
		assert.Equal(t, b.confirmMove(leave).StatusCode, http.StatusOK)
	})
}

// The pages work without scripts, keep the secret out of addresses, and lead to the
// host's own pages.
func TestR24_ThePagesOfAMove(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		assert.Equal(t, b.post("/change-email", map[string]any{"newEmail": newEmail, "callbackURL": "/done"}).StatusCode, http.StatusOK)
		leave := w.link(t, email)
		page := b.openAt("/change-email/", "confirm?callbackURL=%2Fdone&token="+leave)
		for _, text := range []string{email, newEmail} {
			assert.Contains(t, page.body, text)
		}
		assert.NotContains(t, page.body, "tnn_")
		assert.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
		done := b.submitAt("/change-email/confirm", page)
		assert.Equal(t, done.Header.Get("Location"), "/done")
		dead := b.openAt("/change-email/", "confirm?callbackURL=%2Fdone&token="+leave)
		assert.Equal(t, dead.Header.Get("Location"), "/done?error=INVALID_TOKEN")

		page = b.openAt("/change-email/", "verify?token="+w.link(t, newEmail))
		done = b.submitAt("/change-email/verify", page)
		assert.Equal(t, done.Header.Get("Location"), "verify?done=1")
		assert.Contains(t, b.page("/change-email/verify?done=1").body, "Your address is changed")
		assert.Contains(t, b.page("/change-email/verify").body, "not valid any more")
		assert.Equal(t, b.page("/change-email/verify?callbackURL=https%3A%2F%2Fevil.example").StatusCode, http.StatusForbidden)
	})
}

// openAt follows a mailed link to a page whose own links are relative to dir.
func (b *browser) openAt(dir, link string) answer {
	b.t.Helper()
	first := b.page(dir + link)
	assert.Equal(b.t, first.StatusCode, http.StatusSeeOther)
	assert.NotContains(b.t, first.Header.Get("Location"), "tnn_")
	return b.page(dir + first.Header.Get("Location"))
}

// submitAt presses the button of a page.
func (b *browser) submitAt(path string, page answer) answer {
	b.t.Helper()
	found := nonce.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("the page has no form:\n%s", page.body)
	}
	_, query, _ := strings.Cut(page.Request.URL.RequestURI(), "?")
	return b.form(path+"?"+query, url.Values{"_nonce": {found[1]}})
}

// The link that deletes works in a session of its user alone.
func TestDeletionByLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob, nobody := w.signedIn(t, email), w.signedIn(t, "bob@example.com"), w.browser(t)
		asked := b.post("/delete-user", map[string]any{"callbackURL": "/bye"})
		assert.Equal(t, asked.decode(t)["message"], any("Verification email sent"))
		secret := w.link(t, email)
		for name, other := range map[string]*browser{"somebody else": bob, "nobody": nobody} {
			got := other.post("/delete-user/callback", map[string]any{"token": secret})
			if got.StatusCode != http.StatusUnauthorized || got.code(t) != "SIGN_IN_FIRST" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			page := other.openAt("/delete-user/", "callback?token="+secret)
			assert.Contains(t, page.body, "Sign in first")
			assert.NotContains(t, page.body, "<form")
		}
		assert.Equal(t, b.get("/delete-user/callback?token="+secret).code(t), "CONFIRM_WITH_POST")
		page := b.openAt("/delete-user/", "callback?callbackURL=%2Fbye&token="+secret)
		assert.Contains(t, page.body, "Delete the account of "+email)
		done := b.submitAt("/delete-user/callback", page)
		assert.Equal(t, done.Header.Get("Location"), "/bye")
		assert.Equal(t, b.cookie("session"), "")
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com'"), 0)
		w.noOrphans(t)
		assert.Contains(t, b.page("/delete-user/callback?done=1").body, "Your account is deleted")
	})
}

func TestPromise1_EveryChangeOfAnAccountIsAtomic(t *testing.T) {
	t.Parallel()
	name := "Other"
	for what, prepare := range map[string]func(t *testing.T, w *world, c account.Caller) func(ctx context.Context) error{
		"request email": func(_ *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				return w.Account.RequestEmail(ctx, c, account.EmailParams{New: newEmail})
			}
		},
		"confirm email": func(t *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			secret := w.movingLink(t, c)
			return func(ctx context.Context) error {
				_, err := w.Account.ConfirmEmail(ctx, secret, "", auth.Client{})
				return err
			}
		},
		"verify email": func(t *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			_, err := w.Account.ConfirmEmail(t.Context(), w.movingLink(t, c), "", auth.Client{})
			assert.NoError(t, err)
			secret := w.link(t, newEmail)
			return func(ctx context.Context) error {
				_, err := w.Account.VerifyEmail(ctx, account.VerifyEmailParams{Token: secret, Caller: c})
				return err
			}
		},
		"set password": func(t *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
			assert.NoError(t, err)
			return func(ctx context.Context) error { return w.Account.SetPassword(ctx, c, newPassword) }
		},
		"update profile": func(_ *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := w.Account.UpdateProfile(ctx, c, auth.Profile{Name: &name})
				return err
			}
		},
		"request deletion": func(_ *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			return func(ctx context.Context) error { return w.Account.RequestDeletion(ctx, c, "") }
		},
		"delete": func(t *testing.T, w *world, c account.Caller) func(ctx context.Context) error {
			assert.NoError(t, w.Account.RequestDeletion(t.Context(), c, ""))
			secret := w.link(t, email)
			return func(ctx context.Context) error { return w.Account.DeleteByLink(ctx, c, secret) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b := w.signedIn(t, email)
				bundbtest.RequireAtomic(t, w.DB, prepare(t, w, w.caller(t, b)))
			})
		})
	}
}

func (w *world) movingLink(t *testing.T, c account.Caller) string {
	t.Helper()
	bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
	assert.NoError(t, w.Account.RequestEmail(t.Context(), c, account.EmailParams{New: newEmail}))
	return w.link(t, email)
}

// caller is what a request of the browser would find.
func (w *world) caller(t *testing.T, b *browser) (c account.Caller) {
	t.Helper()
	r := b.request(http.MethodGet, "/", "", nil)
	r.Header.Set("Cookie", "tenon_dev_session="+b.cookie("session"))
	w.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		c, err = w.Caller(r)
		assert.NoError(t, err)
	})).ServeHTTP(httptest.NewRecorder(), r)
	assert.True(t, c.Fresh, "who just signed in is fresh")
	return c
}
