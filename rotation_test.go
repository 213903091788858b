package tenon_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// kid returns the id of the active key of a purpose.
func (w *world) kid(t *testing.T, purpose string) string {
	t.Helper()
	kid, _, err := w.Keys.ActiveSubkey(t.Context(), purpose, "test")
	assert.NoError(t, err)
	return kid
}

// Keys change under the feet of users, and nobody notices.
func TestR28_RotationOfEveryKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		waiting := w.browser(t)
		waiting.signUp("waiting@example.com")
		link := w.link(t, "waiting@example.com")
		old := map[string]string{}
		for _, purpose := range []string{crypto.PurposePassword, crypto.PurposeToken, crypto.PurposeData} {
			old[purpose] = w.kid(t, purpose)
			_, err := w.Keys.RotateDEK(t.Context(), purpose, "")
			assert.NoError(t, err)
			assert.NotEqual(t, w.kid(t, purpose), old[purpose])
		}
		assert.Contains(t, b.get("/get-session").body, email)
		for _, purpose := range []string{crypto.PurposePassword, crypto.PurposeToken} {
			_, err := w.Keys.DestroyKey(t.Context(), old[purpose], false)
			assert.ErrorIs(t, err, crypto.ErrKeyInUse)
		}
		report, err := w.Keys.Reencrypt(t.Context(), crypto.ReencryptOptions{})
		assert.NoError(t, err)
		t.Logf("%+v", report)
		bundbtest.ClockOf(w.db).Advance(2 * time.Hour)
		_, err = w.Keys.DestroyKey(t.Context(), old[crypto.PurposePassword], false)
		assert.NoError(t, err)

		// The password of the user, of the waiting sign-up, and the decoy moved on.
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signIn("nobody@example.com").StatusCode, http.StatusUnauthorized)
		assert.Equal(t, waiting.post("/verify-email?token="+link, map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, waiting.signIn("waiting@example.com").StatusCode, http.StatusOK)

		// The pepper goes when no session and no device names it any more.
		_, err = w.Keys.DestroyKey(t.Context(), old[crypto.PurposeToken], false)
		assert.ErrorIs(t, err, crypto.ErrKeyInUse)
		assert.Equal(t, b.post("/revoke-sessions", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK) // renews the known device
		_, err = w.Keys.DestroyKey(t.Context(), old[crypto.PurposeToken], false)
		assert.NoError(t, err)
		assert.Contains(t, waiting.get("/get-session").body, "waiting@example.com")
	})
}
