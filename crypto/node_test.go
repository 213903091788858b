package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

const secondImplementation = "../conformance/envelope/envelope.mjs"

// askNode gives requests to the second implementation of docs/envelope.md and reads its answers into out.
func askNode(t *testing.T, requests, out any) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("NO NODE: the second implementation of the envelope must run in CI")
	}
	if err != nil {
		t.Skip("SKIPPED, NO NODE: the second implementation of the envelope did not run")
	}
	cmd := exec.CommandContext(t.Context(), node, secondImplementation)
	cmd.Stdin = bytes.NewReader(assert.Must(json.Marshal(requests))(t))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, stderr.String())
	}
	assert.NoError(t, json.Unmarshal(answer, out))
}

func withOp(op string, cases []sealVector) []sealVector {
	for i := range cases {
		cases[i].Op = op
	}
	return cases
}

func TestNodeReproducesTheSealVectors(t *testing.T) {
	t.Parallel()
	want := loadVectors(t).Seal
	var got []sealVector
	askNode(t, withOp("seal", loadVectors(t).Seal), &got)
	assert.Len(t, got, len(want))
	for i, v := range want {
		assert.Equal(t, got[i].Sealed, v.Sealed)
		assert.Equal(t, got[i].AAD, v.AAD)
		assert.Equal(t, got[i].MessageKey, v.MessageKey)
		assert.Equal(t, got[i].Text, v.Text)
	}
}

func TestNodeReproducesTheRejectVectors(t *testing.T) {
	t.Parallel()
	cases := withOp("open", loadVectors(t).Reject)
	var got []sealVector
	askNode(t, cases, &got)
	assert.Len(t, got, len(cases))
	for i, v := range cases {
		assert.Equal(t, got[i].Error, v.Error)
	}
}

// TestNodeReproducesTheDerivedVectors compares every answer with every member the vector has beyond the question.
func TestNodeReproducesTheDerivedVectors(t *testing.T) {
	t.Parallel()
	var sections map[string]json.RawMessage
	assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile("testdata/envelope_v1.json"))(t), &sections))
	for _, section := range []string{"subkey", "index", "key_row", "local_wrap"} {
		var cases, got []map[string]any
		assert.NoError(t, json.Unmarshal(sections[section], &cases))
		for _, c := range cases {
			c["op"] = section
		}
		askNode(t, cases, &got)
		assert.Len(t, got, len(cases))
		for i, answer := range got {
			assert.True(t, len(answer) > 0, "an empty answer")
			for name, value := range answer {
				assert.Equal(t, value, cases[i][name])
			}
		}
	}
}

// places are values whose concatenations collide, and ordinary ones.
func places() []sealVector {
	var out []sealVector
	for i := range 40 {
		v := sealVector{
			DEK: make([]byte, keySize), KeyID: make([]byte, idSize), Plaintext: make([]byte, i*i),
			Purpose: PurposeData, Table: "things", Column: "c", Row: fmt.Sprintf("row %d ü", i), Tenant: "x"[:i%2],
		}
		_, _ = rand.Read(v.DEK)
		_, _ = rand.Read(v.KeyID)
		_, _ = rand.Read(v.Plaintext)
		out = append(out, v)
	}
	return out
}

func TestGoOpensWhatNodeSeals(t *testing.T) {
	t.Parallel()
	cases := withOp("seal", places())
	var got []sealVector
	askNode(t, cases, &got)
	assert.Len(t, got, len(cases))
	for i, v := range cases {
		plaintext, err := openEnvelope(v.DEK, v.field(), got[i].Sealed)
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(plaintext, v.Plaintext), "the plaintext differs")
	}
}

func TestNodeOpensWhatGoSeals(t *testing.T) {
	t.Parallel()
	cases := withOp("open", places())
	for i, v := range cases {
		sealed, err := sealEnvelope(rand.Reader, keyID(v.KeyID), v.DEK, v.field(), v.Plaintext)
		assert.NoError(t, err)
		cases[i].Sealed = sealed
	}
	var got []sealVector
	askNode(t, cases, &got)
	assert.Len(t, got, len(cases))
	for i, v := range cases {
		assert.Equal(t, got[i].Error, "")
		assert.True(t, bytes.Equal(got[i].Plaintext, v.Plaintext), "the plaintext differs")
	}
}
