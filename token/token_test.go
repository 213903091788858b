package token_test

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func generate(t testing.TB, kind token.Kind) (token.Token, string) {
	t.Helper()
	tok, err := token.Generate(nil, kind)
	assert.NoError(t, err)
	return tok, tok.Secret().Reveal()
}

func TestATokenParsesBackToItself(t *testing.T) {
	t.Parallel()
	for _, kind := range []token.Kind{token.KindSession, token.KindVerify, "zzz"} {
		tok, raw := generate(t, kind)
		assert.Equal(t, len(raw), token.Length)
		assert.Equal(t, len(raw), 62)
		back, err := token.Parse(kind, raw)
		assert.NoError(t, err)
		assert.Equal(t, back, tok)
		assert.Equal(t, back.Kind(), kind)
		assert.Equal(t, back.Selector(), raw[8:24])
	}
}

func TestTheFormatIsFrozen(t *testing.T) {
	t.Parallel()
	// Made from the bytes 0, 1, 2 …; the checksum by Python's zlib.crc32.
	var source bytes.Buffer
	for i := range 64 {
		source.WriteByte(byte(i))
	}
	tok, err := token.Generate(&source, token.KindSession)
	assert.NoError(t, err)
	assert.Equal(t, tok.Secret().Reveal(), "tnn_ses_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl08wvFY")
}

// checksum is the text's last part, computed another way than the package does.
func checksum(body string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum, out := uint64(crc32.ChecksumIEEE([]byte(body))), ""
	for range 6 {
		out = string(digits[sum%62]) + out
		sum /= 62
	}
	return out
}

func TestEveryPrefixExtensionAndFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	_, raw := generate(t, token.KindReset)
	refused := func(s string) {
		t.Helper()
		_, err := token.Parse(token.KindReset, s)
		if !errors.Is(err, token.ErrMalformed) || !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for n := range len(raw) {
		refused(raw[:n])
		refused(raw[n+1:])
		for bit := range 8 {
			flipped := []byte(raw)
			flipped[n] ^= 1 << bit
			refused(string(flipped))
		}
		for b := range 256 {
			if byte(b) != raw[n] {
				changed := []byte(raw)
				changed[n] = byte(b)
				refused(string(changed))
			}
		}
	}
	for _, s := range []string{raw + "0", raw + "\n", " " + raw, raw + "\x00", raw + raw, strings.ToUpper(raw), strings.Repeat("x", 1<<20)} {
		refused(s)
	}
	refused(raw[:8] + raw[9:10] + raw[8:9] + raw[10:]) // two neighbours swapped
}

func TestATokenOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	_, raw := generate(t, token.KindReset)
	for _, kind := range []token.Kind{token.KindVerify, "RST", "rs", "rsta", ""} {
		_, err := token.Parse(kind, raw)
		assert.ErrorIs(t, err, token.ErrMalformed)
	}
	// Even with a checksum that fits.
	body := "tnn_vrf_" + raw[8:56]
	_, err := token.Parse(token.KindReset, body+checksum(body))
	assert.ErrorIs(t, err, token.ErrMalformed)
	_, err = token.Parse(token.KindVerify, body+checksum(body))
	assert.NoError(t, err)
}

func TestGenerateRefusesBadKindsAndBrokenSources(t *testing.T) {
	t.Parallel()
	for _, kind := range []token.Kind{"", "se", "sess", "SES", "s_s", "1ab", "äb"} {
		tok, err := token.Generate(nil, kind)
		assert.Error(t, err)
		assert.True(t, tok.IsZero(), "a token came with the error")
	}
	down := errors.New("down")
	_, err := token.Generate(iotest.ErrReader(down), token.KindSession)
	assert.ErrorIs(t, err, down)
	_, err = token.Generate(strings.NewReader("too short"), token.KindSession)
	assert.Error(t, err)
	// A source of nothing but rejected bytes ends, too.
	_, err = token.Generate(bytes.NewReader(bytes.Repeat([]byte{0xff}, 1<<20)), token.KindSession)
	assert.Error(t, err)
}

func TestEveryCharacterIsEquallyLikely(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{1})
	const tokens = 4000
	counts := map[byte]int{}
	for range tokens {
		tok, err := token.Generate(source, token.KindSession)
		assert.NoError(t, err)
		for _, b := range []byte(tok.Secret().Reveal()[8:56]) {
			counts[b]++
		}
	}
	assert.Equal(t, len(counts), 62)
	// Chi squared over 61 degrees of freedom: mean 61, deviation 11. Taking bytes
	// modulo 62 without rejection yields some 480 here. The seed is fixed.
	want, chi := float64(tokens*48)/62, 0.0
	for _, n := range counts {
		chi += math.Pow(float64(n)-want, 2) / want
	}
	assert.True(t, chi < 120, "the characters are not uniform")
}

func TestALeakScannerFindsTokensAndNothingElse(t *testing.T) {
	t.Parallel()
	_, raw := generate(t, token.KindAPIKey)
	any, one := regexp.MustCompile(token.Pattern), regexp.MustCompile(token.KindAPIKey.Pattern())
	other := regexp.MustCompile(token.KindSession.Pattern())
	for _, text := range []string{raw, `key="` + raw + `"`, "https://x.example/?token=" + raw + "&x=1", "a " + raw + ".\n"} {
		assert.Equal(t, any.FindString(text), raw)
		assert.Equal(t, one.FindString(text), raw)
		assert.Equal(t, other.FindString(text), "")
	}
	for _, text := range []string{raw[:61], raw + "0", "x" + raw, "tnn_key_"} {
		assert.Equal(t, any.FindString(text), "")
	}
}

func FuzzParse(f *testing.F) {
	_, raw := generate(f, token.KindVerify)
	f.Add(raw)
	f.Add("")
	f.Add(raw[:61])
	f.Add("tnn_vrf_" + strings.Repeat("0", 54))
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := token.Parse(token.KindVerify, s)
		if err != nil {
			if !errors.Is(err, token.ErrMalformed) || !tok.IsZero() {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if tok.Secret().Reveal() != s || checksum(s[:56]) != s[56:] || !regexp.MustCompile(token.Pattern).MatchString(s) {
			t.Fatalf("%q was accepted", s)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := token.Generate(nil, token.KindSession); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	_, raw := generate(b, token.KindSession)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := token.Parse(token.KindSession, raw); err != nil {
			b.Fatal(err)
		}
	}
}
