package family_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/internal/family"
	"github.com/tenon-go/tenon/token"
)

// keysOf are the subkeys of one key id, which tests derive from nothing.
func keysOf(kid string, fill byte) family.Keys {
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	return family.Keys{KID: kid, Next: key(fill), Tag: key(fill + 1), Verifier: key(fill + 2)}
}

const (
	familyID = "019546a3-0f20-7abc-8def-0123456789ab"
	kidA     = "00112233445566ff"
	kidB     = "fedcba9876543210"
)

func salt(b byte) []byte { return bytes.Repeat([]byte{b}, family.SaltSize) }

func first(t testing.TB) family.Token {
	t.Helper()
	return assert.Must(family.First(bytes.NewReader(bytes.Repeat([]byte{0x5a}, 32)), familyID, keysOf(kidA, 1)))(t)
}

func next(t testing.TB, parent family.Token, salt []byte, keys family.Keys) family.Token {
	t.Helper()
	return assert.Must(parent.Next(salt, keys))(t)
}

// The vectors are frozen: docs/refresh.md says how to reproduce them.
func TestR14_PublishedVector(t *testing.T) {
	t.Parallel()
	var v struct {
		Tokens []struct {
			Family, KID, Secret, Salt, Text, Verifier, Tag string
			KeyNext                                        string `json:"key_next"`
			KeyTag                                         string `json:"key_tag"`
			KeyVerifier                                    string `json:"key_verifier"`
			Generation                                     int64
		} `json:"tokens"`
	}
	assert.NoError(t, json.Unmarshal(assert.Must(os.ReadFile("testdata/refresh_v1.json"))(t), &v))
	if len(v.Tokens) < 3 {
		t.Fatal("the vectors are missing")
	}
	var parent family.Token
	for i, want := range v.Tokens {
		keys := family.Keys{KID: want.KID, Next: unhex(t, want.KeyNext), Tag: unhex(t, want.KeyTag), Verifier: unhex(t, want.KeyVerifier)}
		got := parent
		var err error
		if i == 0 {
			got, err = family.First(bytes.NewReader(unhex(t, want.Secret)), want.Family, keys)
		} else {
			got, err = parent.Next(unhex(t, want.Salt), keys)
		}
		assert.NoError(t, err)
		assert.Equal(t, got.Generation, want.Generation)
		assert.Equal(t, got.Text().Reveal(), want.Text)
		assert.Equal(t, hex.EncodeToString(got.Verifier(keys).MAC), want.Verifier)
		parsed := assert.Must(family.Parse(want.Text))(t)
		assert.True(t, parsed == got, "a text reads as what wrote it")
		assert.True(t, parsed.Authentic(keys), "the tag is right")
		parent = got
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return assert.Must(hex.DecodeString(s))(t)
}

func TestR14_ATagIsOfOneFamilyGenerationAndSecret(t *testing.T) {
	t.Parallel()
	keys := keysOf(kidA, 1)
	a := first(t)
	assert.True(t, a.Authentic(keys), "what was made is authentic")
	b := assert.Must(family.First(bytes.NewReader(bytes.Repeat([]byte{0x5b}, 32)), familyID, keys))(t)
	c := assert.Must(family.First(bytes.NewReader(bytes.Repeat([]byte{0x5a}, 32)), "019546a3-0f20-7abc-8def-0123456789ac", keys))(t)
	d := next(t, a, salt(1), keys)
	// A token with one part of another one has a checksum that fits, and no tag that does.
	for name, parts := range map[string][2]family.Token{"secret": {a, b}, "family": {a, c}, "generation": {a, d}} {
		for _, pair := range [][2]family.Token{parts, {parts[1], parts[0]}} {
			mixed := transplantTag(t, pair[0], pair[1])
			assert.False(t, mixed.Authentic(keys), name)
		}
	}
	assert.False(t, a.Authentic(keysOf(kidA, 9)), "another key of the same name")
	assert.False(t, a.Authentic(keysOf(kidB, 1)), "the same key of another name")
}

// transplantTag gives a the tag of b and the checksum that belongs to it.
func transplantTag(t testing.TB, a, b family.Token) family.Token {
	t.Helper()
	const tagAt = 8 + 22 + 6 + 11 + 43
	text := a.Text().Reveal()[:tagAt] + b.Text().Reveal()[tagAt:tagAt+22]
	return assert.Must(family.Parse(text + family.Checksum(text)))(t)
}

// What a dump of the database and all keys give away of a rotation: family,
// generation, kid, salt, the child's verifier, and every subkey. Two parents that
// agree in all of it have different children, so none of it makes the child: the
// parent's secret does.
func TestR14_DumpAndAllKeysDoNotMakeTheChild(t *testing.T) {
	t.Parallel()
	keys := keysOf(kidA, 1)
	parents := map[string]bool{}
	children := map[string]bool{}
	for i := range 64 {
		random := bytes.Repeat([]byte{byte(i)}, 32)
		parent := assert.Must(family.First(bytes.NewReader(random), familyID, keys))(t)
		child := next(t, parent, salt(7), keys)
		parents[parent.Text().Reveal()], children[child.Text().Reveal()] = true, true
		// The dump, as an attacker has it: everything but a secret.
		dump := fmt.Sprintf("%s %d %s %x %x", child.Family, child.Generation, child.KID, salt(7), child.Verifier(keys).MAC)
		assert.NotContains(t, dump, secretOf(parent))
		assert.NotContains(t, dump, secretOf(child))
		// The best that can be done without the secret is to guess it.
		guessed := assert.Must(family.First(bytes.NewReader(make([]byte, 32)), familyID, keys))(t)
		if i > 0 {
			assert.NotEqual(t, next(t, guessed, salt(7), keys).Text().Reveal(), child.Text().Reveal())
		}
	}
	assert.Equal(t, len(parents), 64)
	assert.Equal(t, len(children), 64)
}

func secretOf(t family.Token) string { return t.Text().Reveal()[8+22+6+11 : 8+22+6+11+43] }

func TestR14_TheSameSaltAndKeyMakeTheSameChild(t *testing.T) {
	t.Parallel()
	a := first(t)
	keys := keysOf(kidA, 1)
	child := next(t, a, salt(1), keys)
	assert.True(t, child == next(t, assert.Must(family.Parse(a.Text().Reveal()))(t), salt(1), keys), "byte-equal")
	assert.False(t, child == next(t, a, salt(2), keys), "another salt")
	assert.False(t, child == next(t, a, salt(1), keysOf(kidB, 7)), "another key")
	grandchild := next(t, child, salt(1), keys)
	assert.Equal(t, grandchild.Generation, int64(3))
	assert.NotEqual(t, secretOf(grandchild), secretOf(child))
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	for _, kid := range []string{"", "k1", strings.ToUpper(kidA), kidA + "00", "zz112233445566ff"} {
		_, err := family.First(bytes.NewReader(make([]byte, 32)), familyID, keysOf(kid, 1))
		assert.Error(t, err)
	}
	for _, id := range []string{"", "x", strings.ToUpper(familyID), "{" + familyID + "}", strings.ReplaceAll(familyID, "-", "")} {
		_, err := family.First(bytes.NewReader(make([]byte, 32)), id, keysOf(kidA, 1))
		assert.Error(t, err)
	}
	_, err := family.First(bytes.NewReader(make([]byte, 31)), familyID, keysOf(kidA, 1))
	assert.Error(t, err)
	_, err = first(t).Next(salt(1)[1:], keysOf(kidA, 1))
	assert.Error(t, err)
}

func TestATokenIsOneWordAndPrintsNoSecret(t *testing.T) {
	t.Parallel()
	a := first(t)
	text := a.Text().Reveal()
	assert.Equal(t, len(text), family.Length)
	assert.True(t, strings.HasPrefix(text, "tnn_ref_"), text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		got := fmt.Sprintf(verb, a)
		assert.NotContains(t, got, secretOf(a))
		assert.NotContains(t, got, "5a5a")
		assert.NotContains(t, got, "90, 90")
	}
	_, err := token.Parse(token.KindRefresh, text)
	assert.ErrorIs(t, err, token.ErrMalformed)
}

func TestParseIsStrict(t *testing.T) {
	t.Parallel()
	text := first(t).Text().Reveal()
	bad := []string{"", "tnn_ref_", text + "0", "0" + text, " " + text, text[1:], strings.ToUpper(text), strings.Replace(text, "ref", "ses", 1)}
	for i := range text {
		bad = append(bad, text[:i])
		for bit := range 8 {
			flipped := []byte(text)
			flipped[i] ^= 1 << bit
			bad = append(bad, string(flipped))
		}
	}
	for _, raw := range bad {
		if _, err := family.Parse(raw); err == nil {
			t.Errorf("%q was read", raw)
		}
	}
	// A number that is too large for its field, and generation 0, with a good checksum.
	for _, body := range []string{
		text[:8] + strings.Repeat("z", 22) + text[30:112],
		text[:30] + "000000" + text[36:112],
		text[:30] + "zzzzzz" + text[36:112],
		text[:36] + strings.Repeat("z", 11) + text[47:112],
		text[:47] + strings.Repeat("z", 43) + text[90:112],
		text[:90] + strings.Repeat("z", 22),
	} {
		if _, err := family.Parse(body + family.Checksum(body)); err == nil {
			t.Errorf("%q was read", body)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(first(f).Text().Reveal())
	f.Add(strings.Repeat("z", family.Length))
	f.Add("tnn_ref_" + strings.Repeat("0", family.Length-8))
	f.Add("")
	keys := keysOf(kidA, 1)
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := family.Parse(raw)
		if err != nil {
			return
		}
		// One token has one text, and nobody without the keys writes an authentic one.
		assert.Equal(t, got.Text().Reveal(), raw)
		if got.Authentic(keys) && raw != first(t).Text().Reveal() {
			t.Errorf("%q has the right tag", raw)
		}
	})
}
