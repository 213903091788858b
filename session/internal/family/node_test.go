package family_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/internal/family"
)

const secondImplementation = "../../../conformance/refresh/refresh.mjs"

// nodeKeys are the keys and the salt of one rotation, as both sides read them.
type nodeKeys struct {
	KID      string `json:"kid"`
	Next     string `json:"key_next"`
	Tag      string `json:"key_tag"`
	Verifier string `json:"key_verifier"`
	Salt     string `json:"salt"`
}

type nodeFamily struct {
	Family    string     `json:"family"`
	Secret    string     `json:"secret"`
	Rotations []nodeKeys `json:"rotations"`
}

func TestNodeMakesTheSameTokens(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("NO NODE: the second implementation of refresh tokens must run in CI")
	}
	if err != nil {
		t.Skip("SKIPPED, NO NODE: the second implementation of refresh tokens did not run")
	}
	families := make([]nodeFamily, 50)
	for i := range families {
		families[i] = randomFamily(5)
	}
	cmd := exec.CommandContext(t.Context(), node, secondImplementation)
	cmd.Stdin = bytes.NewReader(assert.Must(json.Marshal(families))(t))
	cmd.Stderr = os.Stderr
	var answers [][]struct{ Text, Verifier string }
	assert.NoError(t, json.Unmarshal(assert.Must(cmd.Output())(t), &answers))
	assert.Len(t, answers, len(families))
	for i, f := range families {
		var current family.Token
		for j, r := range f.Rotations {
			keys := family.Keys{KID: r.KID, Next: unhex(t, r.Next), Tag: unhex(t, r.Tag), Verifier: unhex(t, r.Verifier)}
			if j == 0 {
				current = assert.Must(family.First(bytes.NewReader(unhex(t, f.Secret)), f.Family, keys))(t)
			} else {
				current = next(t, current, unhex(t, r.Salt), keys)
			}
			assert.Equal(t, answers[i][j].Text, current.Text().Reveal())
			assert.Equal(t, answers[i][j].Verifier, hex.EncodeToString(current.Verifier(keys).MAC))
		}
	}
}

func randomFamily(rotations int) nodeFamily {
	f := nodeFamily{Family: uuid.NewString(), Secret: randomHex(32)}
	for range rotations {
		f.Rotations = append(f.Rotations, nodeKeys{randomHex(8), randomHex(32), randomHex(32), randomHex(32), randomHex(16)})
	}
	return f
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
