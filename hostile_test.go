package tenon_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A link that unlocks an account is gone with its user, like every other one.
func TestR3_TheUnlockLinkGoesWithItsUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		w.lock(t, email)
		bundbtest.ClockOf(w.db).Advance(6 * time.Hour)
		w.browser(t).signIn(email)
		link := w.link(t, email)
		assert.Equal(t, w.count(t, "tenon_one_time_tokens WHERE purpose = 'one:unlock-account' AND consumed_at IS NULL") > 0, true)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK) // from a known device
		assert.Equal(t, b.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		w.noOrphans(t)
		assert.Equal(t, b.post("/unlock-account", map[string]any{"token": link}).code(t), "INVALID_TOKEN")
	})
}

// roleEvents records who became a superuser, and who ceased to be one.
type roleEvents struct {
	mu   sync.Mutex
	gone []string
}

func (e *roleEvents) hear(c *tenon.Config) {
	c.Superuser = rootEmail
	c.AuthHooks.SuperuserChanged = func(_ context.Context, event auth.SuperuserChanged) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !event.Superuser {
			e.gone = append(e.gone, event.UserID)
		}
		return nil
	}
}

// The last superuser does not leave by the door of the own account either.
func TestTheLastSuperuserDoesNotDeleteTheirAccount(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		events := new(roleEvents)
		w := newWorld(t, db, events.hear)
		root, ada := w.signedIn(t, rootEmail), w.signedIn(t, email)
		assert.Equal(t, root.post("/delete-user", map[string]any{"callbackURL": "/"}).StatusCode, http.StatusOK)
		link := w.link(t, rootEmail)
		for _, refused := range []answer{
			root.post("/delete-user", map[string]any{"password": password}),
			root.post("/delete-user/callback", map[string]any{"token": link}),
		} {
			assert.Equal(t, refused.StatusCode, http.StatusConflict)
			assert.Equal(t, refused.code(t), "LAST_SUPERUSER")
		}
		assert.Equal(t, root.get("/admin/list-users").StatusCode, http.StatusOK)
		assert.Equal(t, root.admin("set-role", map[string]any{"userId": ada.idOf(), "role": "admin"}).StatusCode, http.StatusOK)
		id := root.idOf()
		assert.Equal(t, root.post("/delete-user/callback", map[string]any{"token": link}).StatusCode, http.StatusOK)
		assert.Equal(t, ada.post("/delete-user", map[string]any{"password": password}).code(t), "LAST_SUPERUSER")
		events.mu.Lock()
		defer events.mu.Unlock()
		assert.True(t, slices.Contains(events.gone, id), "hooks heard of it")
	})
}

// Two superusers who ban each other at the same moment: one wins, nobody waits for
// good, and somebody stays in charge.
func TestSuperusersWhoBanEachOtherDoNotDeadlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...), withRoot)
	root, ada := w.signedIn(t, rootEmail), w.signedIn(t, email)
	ids := []string{root.idOf(), ada.idOf()}
	assert.Equal(t, root.admin("set-role", map[string]any{"userId": ids[1], "role": "admin"}).StatusCode, http.StatusOK)
	barrier := bundbtest.FaultsOf(w.DB).StallOn("FOR NO KEY UPDATE", 2)
	results := make(chan error, 2)
	for i := range 2 {
		go func() {
			ctx := bundbtest.Flow(context.WithoutCancel(t.Context()))
			results <- w.Admin.Ban(ctx, admin.Ban{UserID: ids[i], ActorID: ids[1-i]})
		}()
	}
	barrier.Wait(t)
	barrier.Release()
	banned := 0
	for range 2 {
		if err := <-results; err == nil {
			banned++
		} else if !errors.Is(err, admin.ErrLastSuperuser) {
			t.Errorf("the loser got %v", err)
		}
	}
	assert.Equal(t, banned, 1)
	assert.Equal(t, w.count(t, "tenon_users WHERE superuser AND banned_at IS NULL"), 1)
}

// What superusers may not do to themselves is refused however it is asked for, and an
// ordinary user is refused all of it.
func TestR22_NobodyRisesOrFallsByThemselves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root, ada := w.signedIn(t, rootEmail), w.signedIn(t, email)
		id := root.idOf()
		for path, bodies := range map[string][]map[string]any{
			"set-role": {
				{"userId": id, "role": "user"},
				{"userId": id, "role": []string{"user"}},
				{"userId": id, "role": []string{}},
				{"userId": id, "role": nil},
				{"userId": id, "role": ""},
				{"userId": id, "role": map[string]any{"admin": false}},
				{"userId": id, "role": "owner"},
			},
			"update-user": {
				{"userId": id, "data": map[string]any{"role": "user"}},
				{"userId": id, "data": map[string]any{"name": "Root", "role": []string{"user"}}},
				{"userId": id, "data": map[string]any{"superuser": false}},
				{"userId": id, "data": map[string]any{"securityVersion": 1}},
			},
			"ban-user": {{"userId": id}, {"userId": id, "banExpiresIn": 1}}, "remove-user": {{"userId": id}},
		} {
			for _, body := range bodies {
				if got := root.admin(path, body); got.StatusCode < 400 || got.StatusCode >= 500 {
					t.Errorf("%s %v: %d %s", path, body, got.StatusCode, got.body)
				}
				body["userId"] = ada.idOf()
				if got := ada.admin(path, body); got.StatusCode != http.StatusForbidden {
					t.Errorf("an ordinary user, %s %v: %d %s", path, body, got.StatusCode, got.body)
				}
			}
		}
		assert.Equal(t, root.get("/admin/list-users").StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE superuser AND name = 'Ada' AND security_version = 1"), 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE NOT superuser"), 1)
	}, withRoot)
}

// ASVS 16.3.2: who was refused what they may not do is in the log, with the route and
// with who it was.
func TestASVS16_3_2_RefusedAuthorizationIsLogged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.get("/admin/list-users").StatusCode, http.StatusForbidden)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		assert.Equal(t, b.post("/change-email", map[string]any{"newEmail": newEmail}).StatusCode, http.StatusForbidden)
		foreign := b.request(http.MethodPost, "/sign-out", "application/json", nil)
		foreign.Header.Set("Origin", "https://evil.example")
		assert.Equal(t, b.do(foreign).StatusCode, http.StatusForbidden)
		for route, code := range map[string]string{"/admin/list-users": "FORBIDDEN", "/change-email": "SESSION_NOT_FRESH", "/sign-out": "INVALID_ORIGIN"} {
			line := regexp.MustCompile(`\{[^\n]*"level":"INFO"[^\n]*` + route + `[^\n]*"code":"` + code + `"[^\n]*`).FindString(w.logs.String())
			assert.Contains(t, line, b.idOf())
		}
	})
}

// The button of a page pressed twice, and a link opened in two tabs: the second is
// told so, on a page, and the first holds.
func TestAButtonPressedTwice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		b := w.browser(t)
		page := b.followLink("token=" + w.magicLink(t, b, email))
		assert.Equal(t, b.submitLink(page).StatusCode, http.StatusSeeOther)
		again := b.submitLink(page)
		assert.Equal(t, again.StatusCode, http.StatusBadRequest)
		assert.Contains(t, again.body, "not valid any more")
		assert.True(t, b.isSignedIn(), "the first one holds")
		b.page("/reset-password/" + w.newResetLink(t, email))
		form := b.page("/reset-password")
		assert.Equal(t, b.submitReset(form, newPassword).StatusCode, http.StatusSeeOther)
		assert.Contains(t, b.submitReset(form, "a third password").body, "not valid any more")
		assert.Equal(t, b.signInWith(email, newPassword).StatusCode, http.StatusOK)
	})
}

// A ban that comes while a page is open keeps out whoever presses its button.
func TestABanWhileThePageIsOpen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		b := w.browser(t)
		page := b.followLink("token=" + w.magicLink(t, b, email))
		code := w.mailedCode(t, b, email, "sign-in")
		w.ban(t, "ada@example.com")
		assert.Contains(t, b.submitLink(page).body, "not valid any more")
		assert.Equal(t, b.useCode(email, code).code(t), "INVALID_OTP")
		assert.Equal(t, b.cookie("session"), "")
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
	})
}
