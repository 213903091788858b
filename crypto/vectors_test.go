package crypto

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

// unhex reads bytes of the vectors.
type unhex []byte

func (u *unhex) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*u = raw
	return err
}

func (u unhex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(u)), nil }

// sealVector is one case of the sections seal and reject.
type sealVector struct {
	Op         string `json:"op,omitempty"`
	Name       string `json:"name,omitempty"`
	DEK        unhex  `json:"dek"`
	KeyID      unhex  `json:"key_id"`
	Salt       unhex  `json:"salt,omitempty"`
	Nonce      unhex  `json:"nonce,omitempty"`
	Purpose    string `json:"purpose"`
	Table      string `json:"table"`
	Column     string `json:"column"`
	Row        string `json:"row"`
	Tenant     string `json:"tenant"`
	Plaintext  unhex  `json:"plaintext"`
	MessageKey unhex  `json:"message_key,omitempty"`
	Commitment unhex  `json:"commitment,omitempty"`
	AAD        unhex  `json:"aad,omitempty"`
	Sealed     unhex  `json:"sealed"`
	Text       string `json:"text,omitempty"`
	Error      string `json:"error,omitempty"`
}

func (v sealVector) field() Field {
	return Column{Purpose: v.Purpose, Table: v.Table, Column: v.Column}.Field(v.Row, v.Tenant)
}

type vectors struct {
	Seal, Reject []sealVector
	Subkey       []struct {
		DEK            unhex
		Purpose, Label string
		Subkey         unhex
	}
	Index []struct {
		DEK                            unhex
		Purpose, Table, Column, Tenant string
		Normalizer, Value, Normalized  string
		MAC                            unhex
	}
	KeyRow []struct {
		DEK                    unhex
		KeyID                  string `json:"key_id"`
		Purpose, Tenant, State string
		CreatedUS              *int64 `json:"created_us"`
		RetiredUS              *int64 `json:"retired_us"`
		Check                  unhex
		StateMAC               unhex `json:"state_mac"`
	} `json:"key_row"`
	LocalWrap []struct {
		KEK, Nonce, DEK unhex
		Context         map[string]string
		Text, URI       string
		ContextBytes    unhex `json:"context_bytes"`
		Wrapped         unhex
	} `json:"local_wrap"`
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	raw := assert.Must(os.ReadFile("testdata/envelope_v1.json"))(t)
	var v vectors
	assert.NoError(t, json.Unmarshal(raw, &v))
	assert.True(t, len(v.Seal) >= 10 && len(v.Reject) >= 20, "the vectors are not all there")
	return v
}

func TestVectorsSeal(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).Seal {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			plaintext, err := openEnvelope(v.DEK, v.field(), v.Sealed)
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(plaintext, v.Plaintext), "the plaintext differs")
			assert.Equal(t, EncodeText(v.Sealed), v.Text)
			decoded, err := DecodeText(v.Text)
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(decoded, v.Sealed), "the text form differs")
			id, err := KeyIDOf(v.Sealed)
			assert.NoError(t, err)
			assert.Equal(t, id, hex.EncodeToString(v.KeyID))
			requireSameSeal(t, v)
		})
	}
}

// requireSameSeal seals with the salt of a vector. Everything but nonce and ciphertext must come out the same, and with
// the vector's nonce those too, where GCM takes a nonce.
func requireSameSeal(t *testing.T, v sealVector) {
	t.Helper()
	sealed, err := sealEnvelope(bytes.NewReader(v.Salt), keyID(v.KeyID), v.DEK, v.field(), v.Plaintext)
	assert.NoError(t, err)
	assert.Equal(t, sealed[:headerSize], []byte(v.Sealed[:headerSize]))
	assert.Equal(t, len(sealed), len(v.Sealed))
	assert.Equal(t, envelopeAAD(sealed[:headerSize], v.field()), []byte(v.AAD))
	keys, err := expand(v.DEK, labelMessage+string(v.Salt), expandTwice)
	assert.NoError(t, err)
	assert.Equal(t, keys, append(bytes.Clone(v.MessageKey), v.Commitment...))
	if fips140.Enforced() {
		return
	}
	gcm := assert.Must(cipher.NewGCM(assert.Must(aes.NewCipher(keys[:keySize]))(t)))(t)
	want := gcm.Seal(bytes.Clone(v.Sealed[:headerSize+nonceSize]), v.Nonce, v.Plaintext, v.AAD)
	assert.Equal(t, want, []byte(v.Sealed))
}

func TestVectorsReject(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).Reject {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, verdict(v), v.Error)
		})
	}
}

// verdict opens like a keyring that has one key.
func verdict(v sealVector) string {
	id, err := parseEnvelope(v.Sealed)
	if err == nil && !bytes.Equal(id[:], v.KeyID) {
		return "unknown key"
	}
	_, err = openEnvelope(v.DEK, v.field(), v.Sealed)
	for kind, name := range map[error]string{
		ErrMalformed: "malformed", ErrCommitment: "commitment", ErrAuthentication: "authentication",
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return "none of the kinds"
}

func TestVectorsDerived(t *testing.T) {
	t.Parallel()
	all := loadVectors(t)
	for _, v := range all.Subkey {
		got, err := deriveSubkey(v.DEK, v.Purpose, v.Label)
		assert.NoError(t, err)
		assert.Equal(t, got, []byte(v.Subkey))
	}
	normalizers := map[string]Normalizer{"exact/v1": NormalizeExact(), "ascii-lower/v1": NormalizeASCIILower()}
	for _, v := range all.Index {
		index := Index{
			Column:     Column{Purpose: v.Purpose, Table: v.Table, Column: v.Column},
			Normalizer: normalizers[v.Normalizer], PerTenant: v.Tenant != "",
		}
		message, err := index.message(v.Tenant, v.Value)
		assert.NoError(t, err)
		key, err := deriveSubkey(v.DEK, v.Purpose, index.label())
		assert.NoError(t, err)
		assert.Equal(t, mac(key, message), []byte(v.MAC))
	}
	for _, v := range all.KeyRow {
		row := Key{
			ID: v.KeyID, Purpose: v.Purpose, Tenant: v.Tenant, State: State(v.State),
			CreatedAt: microTime(v.CreatedUS), RetiredAt: microTime(v.RetiredUS), Check: v.Check, StateMAC: v.StateMAC,
		}
		assert.NoError(t, row.verify(v.DEK))
	}
}

func microTime(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

func TestVectorsLocalKey(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).LocalWrap {
		kms, err := parseKeyFile([]byte("# comment\n\n" + v.Text + "\n"))
		assert.NoError(t, err)
		assert.Equal(t, kms.URI(), v.URI)
		assert.Equal(t, EncodeContext(v.Context), []byte(v.ContextBytes))
		got, err := kms.Unwrap(context.Background(), Wrapped{KEK: v.URI, Bytes: v.Wrapped}, v.Context)
		assert.NoError(t, err)
		assert.Equal(t, got, []byte(v.DEK))
		text, err := GenerateKey(bytes.NewReader(v.KEK))
		assert.NoError(t, err)
		assert.Equal(t, text, v.Text)
		assert.True(t, strings.HasPrefix(text, localPrefix), "another form of key")
	}
}
