package tenon_test

import (
	"net/http"
	"testing"
	"time"

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
