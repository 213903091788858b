package tenon_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/internal/assert"
)

// R16: the token of a challenge in the hands of a page gets the page no tokens.
func TestR16_NoTokensForPagesInTheSecondStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		a := w.enrol(t, b)
		pk := passkeytest.New(base)
		assert.Equal(t, b.addPasskey(pk).StatusCode, http.StatusOK)
		p, sessions := &program{browser: w.browser(t)}, w.count(t, "tenon_sessions")
		for _, header := range []http.Header{
			{"Origin": {base}}, {"Sec-Fetch-Site": {"same-origin"}}, {"Sec-Fetch-Site": {"none"}},
		} {
			first := p.send(http.MethodPost, "/sign-in/email", credentials(email, password), http.Header{"X-Token-Mode": {"bearer"}})
			challenge := first.decode(t)["challengeToken"]
			for path, body := range map[string]map[string]any{
				"/two-factor/verify-totp":                {"code": a.code(t), "challengeToken": challenge},
				"/two-factor/verify-backup-code":         {"code": a.codes[0], "challengeToken": challenge},
				"/passkey/generate-authenticate-options": {"challengeToken": challenge},
			} {
				got := p.send(http.MethodPost, path, body, header)
				assert.Equal(t, got.code(t), "BEARER_ORIGIN_NOT_ALLOWED")
			}
			options := p.post("/passkey/generate-authenticate-options", map[string]any{"challengeToken": challenge})
			answer := map[string]any{
				"response": json.RawMessage(pk.Get(t, []byte(options.body))), "challengeToken": challenge,
				"ceremonyToken": options.decode(t)["ceremonyToken"],
			}
			assert.Equal(t, p.send(http.MethodPost, "/passkey/verify-authentication", answer, header).code(t), "BEARER_ORIGIN_NOT_ALLOWED")
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
	}, withPasskeys)
}
