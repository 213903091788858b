package jwt_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

const secondReader = "../../conformance/jwt/verify.mjs"

// question is what the second reader is asked.
type question struct {
	JWKS     json.RawMessage `json:"jwks"`
	Token    string          `json:"token"`
	Issuer   string          `json:"issuer"`
	Audience string          `json:"audience"`
	Type     string          `json:"type"`
	Now      int64           `json:"now"`
}

// askNode returns the claims that the second reader finds, or its error.
func askNode(t *testing.T, q question) map[string]any {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("NO NODE: the second reader of access tokens must run in CI")
	}
	if err != nil {
		t.Skip("SKIPPED, NO NODE: the second reader of access tokens did not run")
	}
	cmd := exec.CommandContext(t.Context(), node, secondReader)
	cmd.Stdin = bytes.NewReader(assert.Must(json.Marshal(q))(t))
	var claims map[string]any
	assert.NoError(t, json.Unmarshal(assert.Must(cmd.Output())(t), &claims))
	return claims
}

func TestNodeReadsTheGoldenToken(t *testing.T) {
	t.Parallel()
	c := goldenClaims()
	q := question{JWKS: json.RawMessage(goldenJWKS), Token: goldenToken, Issuer: site, Audience: site, Type: "at+jwt", Now: c.IssuedAt.Unix()}
	assert.Equal(t, askNode(t, q), map[string]any{
		"iss": site, "aud": site, "sub": c.Subject, "sid": c.SessionID, "epoch": float64(c.Epoch),
		"iat": float64(c.IssuedAt.Unix()), "exp": float64(c.ExpiresAt.Unix()), "jti": c.ID,
	})
	// The reader can say no.
	q.Token = strings.Replace(goldenToken, ".Xi_", ".Xi-", 1)
	assert.Equal(t, askNode(t, q), map[string]any{"error": "signature"})
}

func TestNodeReadsTokensOfARotatedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(raw, audience, typ string) map[string]any {
		return askNode(t, question{
			JWKS: assert.Must(w.JWKS(t.Context()))(t), Token: raw, Issuer: site, Audience: audience, Type: typ, Now: w.clock.Now().Unix(),
		})
	}
	assert.NoError(t, w.Init(t.Context()))
	w.clock.Advance(29 * day)
	assert.NoError(t, w.Maintain(t.Context()))
	w.clock.Advance(day)
	old := mint(t, w.Service, jwt.Claims{Subject: "é<&>\u2028", SessionID: "s", Epoch: 1})
	assert.NoError(t, w.Maintain(t.Context()))
	assert.Equal(t, ask(old, site, "at+jwt")["sub"], any("é<&>\u2028"))
	assert.Equal(t, ask(mint(t, w.Service, w.claims()), site, "at+jwt")["sub"], any("user-1"))
	third := assert.Must(w.MintFor(t.Context(), thirdParty, "user-1"))(t).Reveal()
	assert.Equal(t, ask(third, thirdParty, "JWT")["sub"], any("user-1"))
	assert.NotEqual(t, kidOf(t, old), kidOf(t, third))
}
