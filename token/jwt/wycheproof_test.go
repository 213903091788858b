package jwt_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// The verification that every access token goes through takes what Wycheproof calls
// valid, and nothing else: no signature that is cut, stretched or malleable. NOTICE
// says whence the vectors are.
func TestWycheproof_TheSignaturesOfAccessTokens(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		ID                   int
		PK, Msg, Sig, Result string
	}
	assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile("testdata/wycheproof_ed25519.json"))(t), &vectors))
	assert.Len(t, vectors, 151)
	unhex := func(text string) []byte { return assert.Must(hex.DecodeString(text))(t) }
	for _, v := range vectors {
		if got := ed25519.Verify(unhex(v.PK), unhex(v.Msg), unhex(v.Sig)); got != (v.Result == "valid") {
			t.Errorf("%d: %t, which is %s", v.ID, got, v.Result)
		}
	}
}
