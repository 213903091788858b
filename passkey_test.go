package tenon_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/internal/assert"
)

func withPasskeys(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{}) }

// addPasskey registers a passkey for who is signed in.
func (b *browser) addPasskey(a *passkeytest.Authenticator) answer {
	b.t.Helper()
	options := b.get("/passkey/generate-register-options")
	assert.Equal(b.t, options.StatusCode, http.StatusOK)
	return b.post("/passkey/verify-registration", map[string]any{
		"response": json.RawMessage(a.Create(b.t, []byte(options.body))),
	})
}

// signInByPasskey signs in with the newest passkey of an authenticator.
func (b *browser) signInByPasskey(a *passkeytest.Authenticator) answer {
	b.t.Helper()
	options := b.get("/passkey/generate-authenticate-options")
	assert.Equal(b.t, options.StatusCode, http.StatusOK)
	return b.post("/passkey/verify-authentication", map[string]any{
		"response": json.RawMessage(a.Get(b.t, []byte(options.body))),
	})
}

func TestPasskeySignsIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		added := b.addPasskey(a)
		assert.Equal(t, added.StatusCode, http.StatusOK)
		other := w.browser(t)
		got := other.signInByPasskey(a)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		user, _ := got.decode(t)["user"].(map[string]any)
		assert.Equal(t, user["email"], any(email))
		assert.NotEqual(t, other.cookie("session"), "")
		assert.Contains(t, other.get("/passkey/list-user-passkeys").body, added.decode(t)["id"].(string))
	}, withPasskeys)
}
