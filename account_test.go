package tenon_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
)

const newEmail = "Ada.New@example.com"

func (b *browser) changePassword(current, to string) answer {
	b.t.Helper()
	return b.post("/change-password", map[string]any{"currentPassword": current, "newPassword": to})
}

// second signs the same user in elsewhere.
func (b *browser) second() *browser {
	b.t.Helper()
	other := b.w.browser(b.t)
	assert.Equal(b.t, other.signIn(email).StatusCode, http.StatusOK)
	return other
}

// with returns a browser that has only that session's cookie.
func (w *world) with(t testing.TB, session string) *browser {
	t.Helper()
	b := w.browser(t)
	u, err := url.Parse(base)
	assert.NoError(t, err)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "tenon_dev_session", Value: session}})
	return b
}

func (b *browser) isSignedIn() bool {
	b.t.Helper()
	return b.get("/get-session").body != "null\n"
}

// lastMail drains the queue and returns the kind of the newest mail to an address.
func (w *world) lastMail(t testing.TB, to string) string {
	t.Helper()
	assert.NoError(t, w.Drain(context.WithoutCancel(t.Context())))
	message, _ := w.mailbox.Last(to)
	return message.Kind
}

// CVE-2026-34828: sessions survived a change of the password.
func TestCVE_2026_34828_AChangeEndsTheOtherSessionsWhateverWasAsked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other, old := b.second(), b.cookie("session")
		got := b.post("/change-password", map[string]any{
			"currentPassword": password, "newPassword": newPassword, "revokeOtherSessions": false,
		})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Equal(t, got.decode(t)["token"], nil)
		user, _ := got.decode(t)["user"].(map[string]any)
		assert.Equal(t, user["email"], any(email))
		assert.False(t, other.isSignedIn(), "the other session is over")
		assert.True(t, b.isSignedIn(), "this one goes on")
		assert.NotEqual(t, b.cookie("session"), old)
		assert.False(t, w.with(t, old).isSignedIn(), "its earlier token opens nothing (ASVS 7.2.4)")
		assert.Equal(t, w.lastMail(t, email), account.MailPasswordChanged)
		assert.Equal(t, other.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, other.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

func TestASVS6_2_3_AChangeNeedsTheCurrentPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		before := b.cookie("session")
		for name, c := range map[string]struct {
			current, to, code string
			status            int
		}{
			"wrong":   {"not this one", newPassword, "INVALID_PASSWORD", http.StatusBadRequest},
			"missing": {"", newPassword, "VALIDATION_ERROR", http.StatusUnprocessableEntity},
			"short":   {password, "short", "PASSWORD_TOO_SHORT", http.StatusBadRequest},
		} {
			got := b.changePassword(c.current, c.to)
			if got.StatusCode != c.status || got.code(t) != c.code {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.browser(t).changePassword(password, newPassword).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, b.cookie("session"), before)
		assert.True(t, b.isSignedIn(), "nothing happened")
		assert.Equal(t, b.second().post("/verify-password", map[string]any{"password": password}).decode(t)["status"], any(true))
		assert.Equal(t, w.count(t, "tenon_users WHERE security_version <> 1"), 0)
	})
}

// Five wrong proofs end the session in which they were made, and no other; and
// what strangers guess at the door takes nothing away from the owner (rule R12).
func TestR12_FiveFailuresEndTheSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other := b.second()
		for i, path := range []string{"/step-up", "/verify-password", "/step-up", "/delete-user", "/step-up"} {
			got := b.post(path, map[string]any{"password": "not this one"})
			want := "INVALID_PASSWORD"
			if i == 4 {
				want = "SESSION_ENDED"
			}
			if got.code(t) != want {
				t.Errorf("failure %d at %s: %d %s", i+1, path, got.StatusCode, got.body)
			}
		}
		assert.False(t, b.isSignedIn(), "the session is over")
		assert.True(t, other.isSignedIn(), "the other one is not")
		assert.Equal(t, other.post("/step-up", map[string]any{"password": password}).code(t), "TOO_MANY_ATTEMPTS")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, other.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
	})
}

// What is sensitive wants a fresh proof, which a step-up gives, with a new token.
func TestR12_SensitiveRoutesNeedAFreshProof(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		clock := bundbtest.ClockOf(w.db)
		clock.Advance(account.DefaultFreshFor + time.Second)
		sensitive := map[string]map[string]any{
			"/change-email": {"newEmail": newEmail}, "/set-password": {"newPassword": newPassword},
			"/delete-user": {"callbackURL": "/"},
		}
		for path, body := range sensitive {
			got := b.post(path, body)
			if got.StatusCode != http.StatusForbidden || got.code(t) != "SESSION_NOT_FRESH" {
				t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, b.post("/delete-user", map[string]any{"password": password}).code(t), "SESSION_NOT_FRESH")
		old := b.cookie("session")
		up := b.post("/step-up", map[string]any{"password": password})
		assert.Equal(t, up.StatusCode, http.StatusOK)
		until, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(up.decode(t)["freshUntil"]))
		assert.NoError(t, err)
		assert.True(t, until.Sub(clock.Now().Add(account.DefaultFreshFor)).Abs() < time.Second, up.body)
		assert.False(t, w.with(t, old).isSignedIn(), "the earlier token opens nothing")
		assert.Equal(t, b.post("/change-email", sensitive["/change-email"]).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/set-password", sensitive["/set-password"]).code(t), "PASSWORD_ALREADY_SET")
		for _, body := range []map[string]any{{}, {"password": password, "code": "123456"}} {
			assert.Equal(t, b.post("/step-up", body).code(t), "PROOF_REQUIRED")
		}
		assert.Equal(t, b.post("/step-up", map[string]any{"code": "123456"}).code(t), "CODE_NOT_AVAILABLE")
	})
}

func TestSetPasswordIsForAccountsWithoutOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other := b.second()
		_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, b.get("/list-accounts").body, "[]\n")
		assert.Equal(t, b.changePassword(password, newPassword).code(t), "INVALID_PASSWORD")
		assert.Equal(t, b.post("/set-password", map[string]any{"newPassword": newPassword}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/set-password", map[string]any{"newPassword": password}).code(t), "PASSWORD_ALREADY_SET")
		assert.False(t, other.isSignedIn(), "the other session is over")
		assert.True(t, b.isSignedIn(), "this one goes on")
		assert.Equal(t, w.lastMail(t, email), account.MailPasswordSet)
		assert.Equal(t, w.browser(t).signInWith(email, newPassword).StatusCode, http.StatusOK)
		assert.Contains(t, b.get("/list-accounts").body, `"providerId":"credential"`)
	})
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		profile := func() string {
			user, _ := b.get("/get-session").decode(t)["user"].(map[string]any)
			return fmt.Sprint(user["name"], " ", user["image"])
		}
		for _, c := range []struct{ body, code, profile string }{
			{`{"name":" Ada L. ","image":"https://example.com/a.png"}`, "", "Ada L. https://example.com/a.png"},
			{`{"name":"Ada"}`, "", "Ada https://example.com/a.png"},
			{`{"image":null}`, "", "Ada <nil>"},
			{`{"image":"https://example.com/b.png"}`, "", "Ada https://example.com/b.png"},
			{`{"image":""}`, "", "Ada <nil>"},
			{`{}`, "NO_FIELDS_TO_UPDATE", "Ada <nil>"},
			{`{"name":"\u202e"}`, "INVALID_NAME", "Ada <nil>"},
			{`{"name":null}`, "NO_FIELDS_TO_UPDATE", "Ada <nil>"},
			{`{"image":"javascript:alert(1)"}`, "INVALID_IMAGE", "Ada <nil>"},
			{`{"image":5}`, "VALIDATION_ERROR", "Ada <nil>"},
			{`{"email":"eve@example.com"}`, "EMAIL_CAN_NOT_BE_UPDATED", "Ada <nil>"},
			{`{"name":"Eve","superuser":true}`, "VALIDATION_ERROR", "Ada <nil>"},
			{`{"name":"Eve","emailVerified":true}`, "VALIDATION_ERROR", "Ada <nil>"},
		} {
			got := b.do(b.request(http.MethodPost, "/update-user", "application/json", strings.NewReader(c.body)))
			if got.StatusCode == http.StatusOK != (c.code == "") || c.code != "" && got.code(t) != c.code {
				t.Errorf("%s: %d %s", c.body, got.StatusCode, got.body)
			}
			assert.Equal(t, profile(), c.profile)
		}
		assert.True(t, b.isSignedIn(), "a profile is no credential")
	})
}

// user/get answers for oneself, for neighbours and to superusers; everybody else
// is the same 404 as nobody, after as many statements.
func TestPromise7_UserGet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, bob, boss := w.signedIn(t, email), w.signedIn(t, "bob@example.com"), w.signedIn(t, "boss@example.com")
		id := func(b *browser) string {
			user, _ := b.get("/get-session").decode(t)["user"].(map[string]any)
			return fmt.Sprint(user["id"])
		}
		_, err := w.db.Statement("UPDATE tenon_users SET superuser = ? WHERE email = 'boss@example.com'").Exec(t.Context(), true)
		assert.NoError(t, err)
		const nobody = "01a20000-0000-7000-8000-000000000000"
		get := func(b *browser, userID string) (a answer, statements int) {
			statements = bundbtest.FaultsOf(w.DB).Count(func() { a = b.get("/user/get?userId=" + userID) })
			return a, statements
		}
		assert.Contains(t, ada.get("/user/get?userId="+id(ada)).body, email)
		stranger, n := get(ada, id(bob))
		unknown, m := get(ada, nobody)
		assert.Equal(t, shape(stranger), shape(unknown))
		assert.Equal(t, stranger.StatusCode, http.StatusNotFound)
		assert.Equal(t, n, m)
		for _, odd := range []string{"", "x", "%00", strings.Repeat("a", 65)} {
			got := ada.get("/user/get?userId=" + odd)
			assert.True(t, got.StatusCode == http.StatusNotFound || got.StatusCode == http.StatusUnprocessableEntity, got.body)
		}
		assert.Equal(t, w.browser(t).get("/user/get?userId="+id(bob)).StatusCode, http.StatusUnauthorized)
		assert.Contains(t, boss.get("/user/get?userId="+id(bob)).body, "bob@example.com")
		assert.Equal(t, boss.get("/user/get?userId="+nobody).StatusCode, http.StatusNotFound)
		w.join(t, id(bob), id(ada), "member")
		assert.Contains(t, ada.get("/user/get?userId="+id(bob)).body, "bob@example.com")
		assert.Contains(t, bob.get("/user/get?userId="+id(ada)).body, email)
	})
}

// join makes a user a member of the organization that another one owns.
func (w *world) join(t testing.TB, ownerID, userID, role string) {
	t.Helper()
	_, err := w.db.Statement(`INSERT INTO tenon_members (id, organization_id, user_id, role, created_at)
		SELECT 'join-' || CAST(? AS TEXT), o.id, ?, ?, o.created_at FROM tenon_organizations AS o WHERE o.owner_id = ?`).
		Exec(t.Context(), userID, userID, role, ownerID)
	assert.NoError(t, err)
}

// CVE-2026-26060: links survived a change of the password. All links of an account
// are dead after one.
func TestCVE_2026_26060_NoMailedLinkSurvivesAChangeOfThePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		reset := w.newResetLink(t, email)
		leave := b.askToMove(t, newEmail)
		assert.Equal(t, b.post("/delete-user", map[string]any{"callbackURL": "/"}).StatusCode, http.StatusOK)
		remove := w.link(t, email)
		again := b.askToMove(t, "third@example.com")
		assert.Equal(t, b.post("/change-email/confirm", map[string]any{"token": again}).StatusCode, http.StatusOK)
		enter := w.link(t, "third@example.com")
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		for name, got := range map[string]answer{
			"reset": b.reset(reset, password), "leave": b.post("/change-email/confirm", map[string]any{"token": leave}),
			"enter":  b.post("/change-email/verify", map[string]any{"token": enter}),
			"delete": b.post("/delete-user/callback", map[string]any{"token": remove}),
			"by id":  b.post("/delete-user", map[string]any{"token": remove}),
		} {
			if got.StatusCode != http.StatusBadRequest || got.code(t) != "INVALID_TOKEN" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com'"), 1)
	})
}

// Promise 3 for what the flows of an account issue.
func TestPromise3_TheLinksOfAnAccountAreNotReadable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/step-up", map[string]any{"password": newPassword}).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/delete-user", map[string]any{"callbackURL": "/"}).StatusCode, http.StatusOK)
		leave := b.askToMove(t, newEmail)
		assert.Equal(t, b.post("/change-email/confirm", map[string]any{"token": leave}).StatusCode, http.StatusOK)
		w.link(t, newEmail)
		secrets := w.secrets(t, b)
		secrets["new password"] = newPassword
		assert.True(t, len(secrets) >= 8, "every kind of link was mailed")
		dump := bundbtest.Dump(t, w.db)
		assert.True(t, bytes.Contains(dump, []byte("Ada.New@example.com")), "the dump shows what is stored")
		for name, secret := range secrets {
			secret, _, _ = strings.Cut(secret, "&")
			for form, text := range forms(secret) {
				if bytes.Contains(dump, text) || strings.Contains(w.logs.String(), string(text)) {
					t.Errorf("the %s is in the database or the log %s", name, form)
				}
			}
		}
	})
}

// A bearer's session is renewed in the body, with no cookie (rule R16), and its
// earlier tokens are dead.
func TestR16_ABearerGetsNewTokensForAChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		p := w.signedInProgram(t, email)
		for path, body := range map[string]map[string]any{
			"/step-up":         {"password": password},
			"/change-password": {"currentPassword": password, "newPassword": password},
		} {
			old := *p
			got := p.call(http.MethodPost, path, body)
			assert.Equal(t, got.StatusCode, http.StatusOK)
			p.keep(t, got)
			assert.Equal(t, old.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
			assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusOK)
		}
		assert.False(t, b.isSignedIn(), "the browser's session is over")
		gone := p.call(http.MethodPost, "/delete-user", map[string]any{"password": password})
		assert.Equal(t, gone.StatusCode, http.StatusOK)
		assert.Equal(t, len(gone.Header.Values("Set-Cookie")), 0)
		w.noOrphans(t)
	})
}

// What becomes of an owner's organization is the host's choice (better-auth#1348).
func TestDeletionOfAnOwnerByPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy        tenancy.OwnerPolicy
		status        int
		organizations int
	}{
		{tenancy.BlockDeletion, http.StatusConflict, 2},
		{tenancy.TransferToAdmin, http.StatusOK, 2},
		{tenancy.DeleteOrganizations, http.StatusOK, 1},
	} {
		each(t, func(t *testing.T, w *world) {
			b := w.signedIn(t, email)
			w.user(t, "bob@example.com")
			_, err := w.db.Statement(`INSERT INTO tenon_members (id, organization_id, user_id, role, created_at)
				SELECT 'bob', o.id, b.id, 'admin', o.created_at FROM tenon_organizations AS o, tenon_users AS a, tenon_users AS b
				WHERE a.email = 'ada@example.com' AND b.email = 'bob@example.com' AND o.owner_id = a.id`).Exec(t.Context())
			assert.NoError(t, err)
			got := b.post("/delete-user", map[string]any{"password": password})
			assert.Equal(t, got.StatusCode, c.status)
			if c.status != http.StatusOK {
				assert.Equal(t, got.code(t), "OWNS_ORGANIZATION")
				assert.True(t, b.isSignedIn(), "nothing was undone")
			}
			assert.Equal(t, w.count(t, "tenon_organizations"), c.organizations)
			w.noOrphans(t)
		}, func(cfg *tenon.Config) { cfg.OwnerPolicy = c.policy })
	}
}

// noOrphans fails the test if a row of another package refers to a user who is
// gone, or to an organization.
func (w *world) noOrphans(t testing.TB) {
	t.Helper()
	for _, from := range []string{
		"tenon_sessions AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_members AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_invitations AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.inviter_id)",
		"tenon_invitations AS x WHERE x.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_team_members AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_organizations AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.owner_id)",
		"tenon_credentials AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_notifications AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_notification_preferences AS x WHERE NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)",
		"tenon_sessions AS x WHERE x.organization_id IS NOT NULL AND x.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM tenon_organizations AS o WHERE o.id = x.organization_id)",
		"tenon_one_time_tokens AS x WHERE x.consumed_at IS NULL AND x.purpose IN ('chg:leave-email', 'chg:enter-email', 'del:delete-user', 'rst:reset-password', 'one:unlock-account') AND NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.subject)",
	} {
		if n := w.count(t, from); n != 0 {
			t.Errorf("%d orphans: %s", n, from)
		}
	}
}

// GHSA-2vg6-77g8-24mp: sessions survived the deletion of their user.
func TestGHSA_2vg6_77g8_24mp_NothingSurvivesADeletion(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		other, program := b.second(), w.signedInProgram(t, email)
		b.askToMove(t, newEmail)
		var heard []string
		w.cfg.AuthHooks.UserDeleted = func(_ context.Context, e auth.UserDeleted) error {
			heard = append(heard, e.User.Email+" by "+e.ActorID)
			return nil
		}
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		got := b.post("/delete-user", map[string]any{"password": password})
		assert.Equal(t, got.body, `{"success":true,"message":"User deleted"}`+"\n")
		assert.Equal(t, b.cookie("session"), "")
		assert.Len(t, heard, 1)
		assert.False(t, other.isSignedIn(), "the other session is gone")
		assert.Equal(t, program.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, program.exchange().StatusCode, http.StatusUnauthorized)
		assert.Equal(t, other.signIn(email).code(t), "INVALID_EMAIL_OR_PASSWORD")
		w.noOrphans(t)
		for table, want := range map[string]int{"tenon_users": 1, "tenon_sessions": 1, "tenon_organizations": 1, "tenon_members": 1, "tenon_credentials": 1} {
			assert.Equal(t, w.count(t, table), want)
		}
		assert.True(t, bob.isSignedIn(), "nobody else was touched")
		assert.Equal(t, w.lastMail(t, email), account.MailUserDeleted)
		w.user(t, email) // the address is free
	})
}
