package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
)

// notifications returns those of who is signed in, oldest first.
func (b *browser) notifications() (types []string) {
	b.t.Helper()
	got := b.get("/notification/list?limit=100")
	assert.Equal(b.t, got.StatusCode, http.StatusOK)
	for _, item := range got.decode(b.t)["items"].([]any) {
		types = append([]string{item.(map[string]any)["type"].(string)}, types...)
	}
	return types
}

// mails returns the kinds that went to an address.
func (w *world) mails(t testing.TB, to string) (kinds []string) {
	t.Helper()
	assert.NoError(t, w.Drain(context.WithoutCancel(t.Context())))
	for _, m := range w.mailbox.Messages() {
		if strings.EqualFold(m.To, to) {
			kinds = append(kinds, m.Kind)
		}
	}
	return kinds
}

// Whatever the owner of an account is mailed about its safety is behind the bell, too,
// and is mailed once.
func TestTheOwnerReadsOfChangesToTheAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.changePassword(newPassword, password).StatusCode, http.StatusOK)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		passkeyID := b.passkeys()[0]["id"].(string)
		assert.Equal(t, b.post("/passkey/delete-passkey", map[string]any{"id": passkeyID}).StatusCode, http.StatusOK)
		w.enrol(t, b)
		assert.Equal(t, b.post("/two-factor/generate-backup-codes", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/two-factor/disable", map[string]any{"password": password}).StatusCode, http.StatusOK)
		want := []string{"password-changed", "password-changed", "passkey-added", "passkey-removed", "two-factor-enabled", "recovery-codes-replaced", "two-factor-disabled"}
		assert.Equal(t, w.mails(t, email), append([]string{"verify-email"}, want...))
		for i := range want {
			want[i] = "account." + want[i]
		}
		assert.Equal(t, b.notifications(), want)
		assert.Equal(t, b.get("/notification/unread-count").body, `{"count":7}`+"\n")
		assert.NotContains(t, b.get("/notification/list").body, "There is news about your account") // each has words of its own
		assert.Equal(t, w.count(t, "tenon_notifications WHERE category <> 'security'"), 0)
	}, withPasskeys)
}

// A change that is undone was never told.
func TestNewsOfAChangeCommitWithIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		bundbtest.FaultsOf(w.DB).FailOn("tenon_notifications")
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusInternalServerError)
		assert.Len(t, b.notifications(), 0)
		assert.Equal(t, w.mails(t, email), []string{"verify-email"})
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK) // with the old one
	})
}

// What superusers and copied cookies do to an account its owner reads of, too.
func TestTheOwnerReadsOfWhatOthersDid(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		id := b.idOf()
		app := w.enrol(t, b)
		trust := w.trusting(t, app, email).cookie("trust_device")
		browser := w.having(t, trust)
		assert.False(t, browser.asked(email), "it is trusted")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.True(t, w.having(t, trust).asked(email), "a copy is not")
		root := w.signedIn(t, rootEmail)
		assert.Equal(t, root.admin("reset-second-factor", map[string]any{"userId": id}).StatusCode, http.StatusOK)
		assert.Equal(t, root.admin("set-user-password", map[string]any{"userId": id, "newPassword": newPassword}).StatusCode, http.StatusOK)
		owner := w.browser(t)
		assert.Equal(t, owner.signInWith(email, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, owner.notifications(), []string{
			"account.two-factor-enabled", "account.trusted-device-copied", "account.two-factor-reset", "account.password-set-by-admin",
		})
		assert.Len(t, root.notifications(), 0)
	}, withRoot, func(c *tenon.Config) { c.TypedPasswords = true })
}

func comments(c *tenon.Config) {
	c.Notifications.Categories = []notify.Category{{Name: "comments", Channels: notify.Channels()}}
}

func comment(recipients ...string) notify.Notification {
	return notify.Notification{
		Category: "comments", Type: "comment.created", Title: "Somebody answered you", Body: "Look:\nthere", Link: "/posts/42?a=1&b=2", Recipients: recipients,
	}
}

func TestNotificationsAreMailedToProvenAddresses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		unproven := w.imported(t, "bob@example.com")
		assert.NoError(t, w.Notifications.Send(t.Context(), comment(b.idOf(), unproven.ID)))
		assert.Len(t, w.mails(t, "bob@example.com"), 0)
		assert.Equal(t, w.mails(t, email), []string{"verify-email", tenon.MailNotification})
		message, _ := w.mailbox.Last(email)
		assert.Equal(t, message.Subject, "Somebody answered you")
		assert.Equal(t, message.Links, []string{base + "/posts/42?a=1&b=2"})
		assert.Contains(t, message.Text, "Look:\nthere\n")
		assert.Contains(t, message.Text, "You can choose in your settings")
		assert.Equal(t, b.post("/notification/set-preference", map[string]any{"category": "comments", "channel": "mail", "enabled": false}).StatusCode, http.StatusOK)
		n := comment(b.idOf())
		n.Title = strings.Repeat("\u00fc\r\nBcc: x", 100) // names end up in titles
		assert.NoError(t, w.Notifications.Send(t.Context(), n))
		n.Category, n.Link = notify.CategoryBilling, "https://pay.example/1"
		assert.NoError(t, w.Notifications.Send(t.Context(), n))
		assert.Equal(t, w.mails(t, email), []string{"verify-email", tenon.MailNotification, tenon.MailNotification})
		message, _ = w.mailbox.Last(email)
		assert.NotContains(t, message.Subject, "\n")
		assert.NotContains(t, message.Text, "You can choose")
		assert.Equal(t, message.Links, []string{"https://pay.example/1"})
	}, comments)
}

// What strangers cause is counted against the recipient's budget; what the program
// causes is not, and goes when the budget is used up.
func TestR6_StrangersMailsAreWithinTheBudget(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		n := comment(b.idOf())
		n.FromStranger = true
		for range 3 { // one a minute
			assert.NoError(t, w.Notifications.Send(t.Context(), n))
		}
		assert.Len(t, w.mails(t, email), 2)
		for range 8 { // five an hour, the link of the sign-up among them
			bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
			assert.NoError(t, w.Notifications.Send(t.Context(), n))
		}
		assert.Len(t, w.mails(t, email), 5)
		n.FromStranger = false
		for range 3 {
			assert.NoError(t, w.Notifications.Send(t.Context(), n))
		}
		assert.Len(t, w.mails(t, email), 8)
		assert.Len(t, b.notifications(), 14) // the list has all of them
	}, comments)
}

// Bodies, ids and times of a user with notifications tell a neighbour nothing, and
// what the neighbour sends changes nothing.
func TestR7_ANeighbourFindsNoNotifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, eve := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
		for range 25 {
			assert.NoError(t, w.Notifications.Send(t.Context(), comment(ada.idOf())))
		}
		first := ada.get("/notification/list").decode(t)
		id := first["items"].([]any)[0].(map[string]any)["id"].(string)
		before := string(bundbtest.Dump(t, w.db))
		unknown := "0197a1b2-c3d4-7000-8000-000000000000"
		for _, ids := range [][]string{{id}, {unknown}} {
			got := eve.post("/notification/mark-read", map[string]any{"ids": ids})
			assert.Equal(t, got.body, `{"marked":0}`+"\n")
		}
		assert.Equal(t, eve.post("/notification/mark-all-read", map[string]any{"before": "2030-01-01T00:00:00.000Z"}).body, `{"marked":0}`+"\n")
		stolen, madeUp := eve.get("/notification/list?cursor="+first["nextCursor"].(string)), eve.get("/notification/list?cursor=AQIDBA")
		assert.Equal(t, stolen.StatusCode, http.StatusBadRequest)
		assert.Equal(t, stolen.code(t), madeUp.code(t))
		assert.Equal(t, eve.get("/notification/list").body, `{"items":[],"nextCursor":null}`+"\n")
		assert.Equal(t, string(bundbtest.Dump(t, w.db)), before)
	}, comments)
}

// A superuser who acts as a user may look, and must not read the news away.
func TestR22_ActingAsSomebodyLeavesTheirNews(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, root := w.signedIn(t, email), w.signedIn(t, rootEmail)
		assert.NoError(t, w.Notifications.Send(t.Context(), comment(ada.idOf())))
		id := ada.get("/notification/list").decode(t)["items"].([]any)[0].(map[string]any)["id"]
		assert.Equal(t, root.admin("impersonate-user", map[string]any{"userId": ada.idOf()}).StatusCode, http.StatusOK)
		assert.Len(t, root.notifications(), 1)
		for path, body := range map[string]map[string]any{
			"mark-read": {"ids": []any{id}}, "mark-all-read": {"before": "2030-01-01T00:00:00.000Z"},
			"set-preference": {"category": "comments", "channel": "in-app", "enabled": false},
		} {
			got := root.post("/notification/"+path, body)
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.Equal(t, got.code(t), "IMPERSONATION_NOT_ALLOWED")
		}
		assert.Equal(t, ada.get("/notification/unread-count").body, `{"count":1}`+"\n")
	}, comments, withRoot)
}

func TestADeletedUserLeavesNoNotifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		assert.NoError(t, w.Notifications.Send(t.Context(), comment(ada.idOf(), bob.idOf())))
		for _, b := range []*browser{ada, bob} {
			assert.Equal(t, b.post("/notification/set-preference", map[string]any{"category": "comments", "channel": "mail", "enabled": false}).StatusCode, http.StatusOK)
		}
		assert.Equal(t, ada.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		w.noOrphans(t)
		assert.Equal(t, w.count(t, "tenon_notifications"), 1)
		assert.Equal(t, w.count(t, "tenon_notification_preferences"), 1)
	}, comments)
}

// Whoever was in an account before its mailbox was proven does not choose what its
// owner hears of.
func TestR4_PreferencesOfAnUnprovenUserGo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		user := w.imported(t, email)
		_, err := w.Notifications.SetPreference(t.Context(), user.ID, "comments", notify.InApp, false)
		assert.NoError(t, err)
		b := w.browser(t)
		assert.Equal(t, b.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_notification_preferences"), 0)
	}, comments)
}

// A reset reads the same in the list: the user did it by mail, and nobody is signed in.
func TestAResetIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		assert.Equal(t, b.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.notifications(), []string{"account.password-changed"})
	})
}

func TestNotificationsAreDeletedWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.NoError(t, w.Notifications.Send(t.Context(), comment(b.idOf())))
		bundbtest.ClockOf(w.db).Advance(49 * time.Hour)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, w.count(t, "tenon_notifications"), 0)
	}, comments, func(c *tenon.Config) { c.Notifications.Keep = 48 * time.Hour })
}

// The host's own hooks and Tenon's are called for one cause.
func TestOwnerToldReachesTheHost(t *testing.T) {
	t.Parallel()
	var heard []string
	w := newWorld(t, bundbtest.SQLite(t, tenon.Schemas()...), func(c *tenon.Config) {
		c.AuthHooks.OwnerTold = func(_ context.Context, e auth.OwnerTold) error {
			heard = append(heard, fmt.Sprint(e.User.Email, " ", e.Kind))
			return nil
		}
	})
	b := w.signedIn(t, email)
	assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
	assert.Equal(t, heard, []string{"ada@example.com password-changed"})
	assert.Equal(t, b.notifications(), []string{"account.password-changed"})
}
