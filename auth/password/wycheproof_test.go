package password

import (
	"crypto/fips140"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// PBKDF2, which stands in where FIPS 140 is enforced, agrees with Wycheproof. NOTICE
// says whence the vectors are.
func TestWycheproof_PBKDF2(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		ID, IterationCount, DKLen  int
		Password, Salt, DK, Result string
	}
	assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile("testdata/wycheproof_pbkdf2_sha256.json"))(t), &vectors))
	assert.Len(t, vectors, 60)
	unhex := func(text string) []byte { return assert.Must(hex.DecodeString(text))(t) }
	for _, v := range vectors {
		p := params{algorithm: PBKDF2SHA256, iterations: v.IterationCount}
		if fips140.Enforced() && (len(v.Salt) < 32 || v.DKLen < 14) {
			continue
		}
		got, err := p.derive(string(unhex(v.Password)), unhex(v.Salt), v.DKLen)
		if err != nil || hex.EncodeToString(got) != v.DK || v.Result != "valid" {
			t.Errorf("%d: %v, %x", v.ID, err, got)
		}
	}
}
