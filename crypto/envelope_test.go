package crypto

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

var things = Column{Purpose: PurposeData, Table: "things", Column: "secret"}

func sealOne(t testing.TB, f Field, plaintext string) (dek, sealed []byte) {
	t.Helper()
	dek = bytes.Repeat([]byte{7}, keySize)
	sealed, err := sealEnvelope(rand.Reader, keyID{1, 2, 3}, dek, f, []byte(plaintext))
	assert.NoError(t, err)
	return dek, sealed
}

func typed(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrCommitment) || errors.Is(err, ErrAuthentication)
}

func TestEveryFlippedBitIsATypedError(t *testing.T) {
	t.Parallel()
	f := things.Field("row", "tenant")
	dek, sealed := sealOne(t, f, "the plaintext")
	for bit := range 8 * len(sealed) {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		plaintext, err := openEnvelope(dek, f, changed)
		if bit/8 >= 2 && bit/8 < 2+idSize {
			// The keyring finds no key of this id, see TestFlippedKeyID. With the key, the header is authenticated.
			assert.ErrorIs(t, err, ErrAuthentication)
		}
		assert.True(t, typed(err), "a flipped bit is no typed error")
		assert.True(t, plaintext == nil, "a plaintext together with an error")
		assert.NotContains(t, err.Error(), "the plaintext")
	}
}

func TestEveryLengthIsATypedError(t *testing.T) {
	t.Parallel()
	f := things.Field("row", "")
	dek, sealed := sealOne(t, f, "the plaintext")
	for n := range sealed {
		_, err := openEnvelope(dek, f, sealed[:n])
		assert.True(t, typed(err), "a cut envelope is no typed error")
	}
	_, err := openEnvelope(dek, f, append(bytes.Clone(sealed), 0))
	assert.ErrorIs(t, err, ErrAuthentication)
	_, err = openEnvelope(dek, f, append(bytes.Clone(sealed), make([]byte, MaxPlaintext)...))
	assert.ErrorIs(t, err, ErrMalformed)
}

func TestPlaintextLengths(t *testing.T) {
	t.Parallel()
	f := things.Field("row", "")
	for _, n := range []int{0, 1, 15, 16, 17, 4096, MaxPlaintext} {
		dek, sealed := sealOne(t, f, strings.Repeat("x", n))
		assert.Equal(t, len(sealed), n+Overhead)
		got, err := openEnvelope(dek, f, sealed)
		assert.NoError(t, err)
		assert.Equal(t, len(got), n)
	}
	_, err := sealEnvelope(rand.Reader, keyID{}, make([]byte, keySize), f, make([]byte, MaxPlaintext+1))
	assert.ErrorIs(t, err, ErrTooLarge)
}

// TestPlacesAreNotAmbiguous moves a byte across every boundary between two parts of a place.
func TestPlacesAreNotAmbiguous(t *testing.T) {
	t.Parallel()
	same := []Field{
		{Column{"data", "a", "bc"}, "r", "t"},
		{Column{"data", "ab", "c"}, "r", "t"},
		{Column{"data", "a", "b"}, "cr", "t"},
		{Column{"data", "a", "bcr"}, "t", ""},
		{Column{"data", "a", "bc"}, "rt", ""},
		{Column{"dataa", "b", "c"}, "r", "t"},
		{Column{"data", "a", "bc"}, "\x00\x00\x00\x01t", ""},
		{Column{"data", "a", "bc"}, "r", "\x00t"},
	}
	for i, from := range same {
		dek, sealed := sealOne(t, from, "secret")
		for j, to := range same {
			_, err := openEnvelope(dek, to, sealed)
			if i == j {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, ErrAuthentication)
			}
		}
	}
}

func TestSealsDiffer(t *testing.T) {
	t.Parallel()
	f := things.Field("row", "")
	_, a := sealOne(t, f, "same")
	_, b := sealOne(t, f, "same")
	assert.False(t, bytes.Equal(a[10:26], b[10:26]), "one salt twice")
	assert.False(t, bytes.Equal(a[58:70], b[58:70]), "one nonce twice")
	assert.False(t, bytes.Equal(a[70:], b[70:]), "one ciphertext twice")
}

func TestNoSaltNoSeal(t *testing.T) {
	t.Parallel()
	sealed, err := sealEnvelope(bytes.NewReader(make([]byte, saltSize-1)), keyID{}, make([]byte, keySize), things.Field("r", ""), nil)
	assert.Error(t, err)
	assert.True(t, sealed == nil, "an envelope without a random salt")
}

func TestTextFormIsUnique(t *testing.T) {
	t.Parallel()
	_, sealed := sealOne(t, things.Field("row", ""), "xy")
	text := EncodeText(sealed)
	for _, bad := range []string{
		"", text[1:], text + "=", text + "\n", text[:20] + "\r\n" + text[20:], strings.ToUpper(text[:5]) + text[5:],
		strings.ReplaceAll(text, "-", "+") + " ", textPrefix, text[:40], lastSymbolUp(text),
	} {
		_, err := DecodeText(bad)
		assert.ErrorIs(t, err, ErrMalformed)
	}
}

// lastSymbolUp sets a bit of the last symbol that no byte of the value holds: 88 bytes leave four of them.
func lastSymbolUp(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + alphabet[last|1:][:1]
}

func TestFIPS140Only(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		return // this is the child
	}
	const tests = "^(TestVectors|TestEvery|TestPla|TestSeals|TestText|TestRoundTrip|TestSwap|TestInit|TestRotate|TestKeyFile|TestSubkey)"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", tests, "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under GODEBUG=fips140=only: %v\n%s", err, out)
	}
	for _, ran := range []string{"TestVectorsSeal", "TestRoundTrip", "TestInit", "TestRotate", "TestKeyFile"} {
		assert.True(t, strings.Contains(string(out), "--- PASS: "+ran), ran+" ran under GODEBUG=fips140=only")
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	v := loadVectors(f).Seal[0] // the same in every process that takes part
	f.Add([]byte(v.Sealed))
	f.Add([]byte{})
	f.Add([]byte(v.Sealed[:Overhead-1]))
	f.Add(append(bytes.Clone(v.Sealed), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		plaintext, err := openEnvelope(v.DEK, v.field(), data)
		if err != nil {
			assert.True(t, typed(err), "not a typed error")
			assert.True(t, plaintext == nil, "a plaintext together with an error")
			return
		}
		assert.True(t, bytes.Equal(data, v.Sealed), "an envelope that was never sealed opens")
	})
}

func FuzzDecodeText(f *testing.F) {
	_, sealed := sealOne(f, things.Field("row", ""), "plaintext")
	f.Add(EncodeText(sealed))
	f.Add(textPrefix)
	f.Add(EncodeText(sealed) + "=")
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := DecodeText(text)
		if err != nil {
			assert.ErrorIs(t, err, ErrMalformed)
			return
		}
		assert.Equal(t, EncodeText(raw), text)
	})
}
