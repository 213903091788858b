package jwt_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

// fixedKey makes the service's first key that of RFC 8037, so that tests can sign
// what the service never would.
func fixedKey(t testing.TB) func(*jwt.Config) {
	return func(cfg *jwt.Config) { cfg.Rand = fixed(unb64(t, rfcSeed)) }
}

// goldenToken says goldenClaims under the key of RFC 8037. Another implementation
// verified it: see conformance/jwt.
const goldenToken = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsiLCJ0eXAiOiJhdCtqd3QifQ" +
	".eyJpc3MiOiJodHRwczovL2V4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9leGFtcGxlLmNvbSIsInN1YiI6IjAxOTVhMGIxLTAwMDAtNzAwMC" +
	"04MDAwLTAwMDAwMDAwMDAwMSIsInNpZCI6IjAxOTVhMGIxLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMiIsImVwb2NoIjo3LCJpYXQiOjE3" +
	"NzI2MDA3NjcsImV4cCI6MTc3MjYwMTM2NywianRpIjoiMDE5NWEwYjEtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAzIn0" +
	".Xi_27utYR0WMKBcUsT1XL92gtGbG_CadS8JRe08hOO6sGPyHdH4HBAi9LOVZHcm4BWI2zZYTdTJ5gjHNPzr3CA"

const goldenJWKS = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + rfcX + `","kid":"` + rfcKID + `","alg":"EdDSA","use":"sig"}]}`

func goldenClaims() jwt.Claims {
	return jwt.Claims{
		Subject: "0195a0b1-0000-7000-8000-000000000001", SessionID: "0195a0b1-0000-7000-8000-000000000002", Epoch: 7,
		IssuedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 5, 16, 7, 0, time.UTC),
		ID: "0195a0b1-0000-7000-8000-000000000003",
	}
}

func TestGoldenTokenAndKeySet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedKey(t))
	assert.Equal(t, mint(t, w.Service, goldenClaims()), goldenToken)
	got, err := w.Verify(t.Context(), goldenToken)
	assert.NoError(t, err)
	assert.Equal(t, got, goldenClaims())
	assert.Equal(t, string(assert.Must(w.JWKS(t.Context()))(t)), goldenJWKS)
}

// RFC 8037, appendix A.1 to A.5, by the library that signs for us.
func TestRFC8037Vectors(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(unb64(t, rfcSeed))
	public := private.Public()
	assert.Equal(t, public, crypto.PublicKey(ed25519.PublicKey(unb64(t, rfcX))))
	jwk := jose.JSONWebKey{Key: public}
	thumbprint := assert.Must(jwk.Thumbprint(crypto.SHA256))(t)
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(thumbprint), rfcKID)

	signer := assert.Must(jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, nil))(t)
	signed := assert.Must(signer.Sign([]byte("Example of Ed25519 signing")))(t)
	const a4 = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	assert.Equal(t, assert.Must(signed.CompactSerialize())(t), a4)
	parsed := assert.Must(jose.ParseSignedCompact(a4, []jose.SignatureAlgorithm{jose.EdDSA}))(t)
	assert.Equal(t, string(assert.Must(parsed.Verify(public))(t)), "Example of Ed25519 signing")

	// The service holds that key, and the signature is right: it is still not a token of ours.
	w := newWorld(t, fixedKey(t))
	assert.NoError(t, w.Init(t.Context()))
	assert.Equal(t, w.signing(t), rfcKID)
	refused(t, w.Service, "RFC 8037 A.4", a4)
}

// What others do with the key set: find the key by its id, and verify.
func TestTheKeySetVerifiesTokensElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	var set jose.JSONWebKeySet
	assert.NoError(t, json.Unmarshal(assert.Must(w.JWKS(t.Context()))(t), &set))
	parsed := assert.Must(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA}))(t)
	keys := set.Key(parsed.Signatures[0].Header.KeyID)
	assert.Len(t, keys, 1)
	assert.True(t, keys[0].IsPublic() && keys[0].Valid(), "a public key")
	_, err := parsed.Verify(keys[0])
	assert.NoError(t, err)
}
