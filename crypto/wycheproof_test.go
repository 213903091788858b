package crypto

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"os"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// wycheproof reads vectors of Project Wycheproof; NOTICE says whence they are.
func wycheproof[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile("testdata/wycheproof_"+name+".json"))(t), &all))
	assert.True(t, len(all) > 50, "the vectors were read")
	return all
}

// ASVS 11.3.3: the cipher of the envelopes opens what Wycheproof calls valid, and
// nothing else: no tag that is altered, cut or of another message.
func TestWycheproof_TheCipherOfEnvelopes(t *testing.T) {
	t.Parallel()
	opened := 0
	for _, v := range wycheproof[struct {
		ID                         int
		Key, IV, AAD, Msg, CT, Tag unhex
		Result                     string
	}](t, "aes_256_gcm") {
		aead := assert.Must(newAEAD(v.Key))(t)
		plaintext, err := aead.Open(nil, nil, bytes.Join([][]byte{v.IV, v.CT, v.Tag}, nil), v.AAD)
		switch {
		case (err == nil) != (v.Result == "valid"):
			t.Errorf("%d: %v, which is %s", v.ID, err, v.Result)
		case err == nil && !bytes.Equal(plaintext, v.Msg):
			t.Errorf("%d: another plaintext", v.ID)
		case err == nil:
			opened++
		}
	}
	assert.True(t, opened > 30, "most of them open")
}

// The keys of the envelopes come from HKDF, of which expand is the second half.
func TestWycheproof_TheDerivationOfKeys(t *testing.T) {
	t.Parallel()
	for _, v := range wycheproof[struct {
		ID                   int
		IKM, Salt, Info, OKM unhex
		Size                 int
		Result               string
	}](t, "hkdf_sha256") {
		key := assert.Must(hkdf.Extract(sha256.New, v.IKM, v.Salt))(t)
		got, err := expand(key, string(v.Info), v.Size)
		if (err == nil) != (v.Result == "valid") || err == nil && !bytes.Equal(got, v.OKM) {
			t.Errorf("%d: %v, which is %s", v.ID, err, v.Result)
		}
	}
}
