package tenon_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
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
	events := new(roleEvents)
	each(t, func(t *testing.T, w *world) {
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
	}, events.hear)
}

// Two superusers who ban each other at the same moment: one wins, nobody waits for
// good, and somebody stays in charge.
func TestSuperusersWhoBanEachOtherDoNotDeadlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...), withRoot)
	root, ada := w.signedIn(t, rootEmail), w.signedIn(t, email)
	ids := []string{root.idOf(), ada.idOf()}
	assert.Equal(t, root.admin("set-role", map[string]any{"userId": ids[1], "role": "admin"}).StatusCode, http.StatusOK)
	barrier := bundbtest.FaultsOf(w.db).StallOn("FOR NO KEY UPDATE", 2)
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
