package password

import (
	"bufio"
	"crypto/fips140"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

const (
	salt16 = "MDEyMzQ1Njc4OWFiY2RlZg"
	tag32  = "bEpkaq0Q0Get1ft52QeKFtqD1Q+BZwqOdZOySebZSTY"
	goodA  = "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + tag32
	goodP  = "$pbkdf2-sha256$i=600000$" + salt16 + "$" + tag32
)

// vectors returns the frozen pairs of password and PHC string that other
// implementations made.
func vectors(t testing.TB) map[string]string {
	t.Helper()
	f, err := os.Open("testdata/vectors.txt")
	assert.NoError(t, err)
	defer f.Close()
	out := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if pw, phc, ok := strings.Cut(lines.Text(), " "); ok && pw != "#" {
			plain, err := hex.DecodeString(pw)
			assert.NoError(t, err)
			out[phc] = string(plain)
		}
	}
	assert.Equal(t, len(out), 9)
	return out
}

func TestStringsOfOtherImplementationsVerify(t *testing.T) {
	t.Parallel()
	h, err := New(Config{})
	assert.NoError(t, err)
	for phc, plain := range vectors(t) {
		match, _, err := h.Verify(t.Context(), phc, plain)
		assert.NoError(t, err)
		assert.True(t, match, phc)
		match, _, err = h.Verify(t.Context(), phc, plain+"x")
		assert.NoError(t, err)
		assert.False(t, match, phc)
	}
}

func TestPBKDF2IsThatOfRFC7914(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("FIPS 140 refuses the short salts of RFC 7914 §11, as parse does")
	}
	for _, v := range []struct {
		password, salt string
		iterations     int
		want           string
	}{
		{"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
		{"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"},
	} {
		want, err := hex.DecodeString(v.want)
		assert.NoError(t, err)
		got, err := params{algorithm: PBKDF2SHA256, iterations: v.iterations}.derive(v.password, []byte(v.salt), 32)
		assert.NoError(t, err)
		assert.Equal(t, hex.EncodeToString(got), hex.EncodeToString(want))
	}
}

func TestParseTakesTheCanonicalFormOnly(t *testing.T) {
	t.Parallel()
	for _, good := range []string{goodA, goodP} {
		h, err := parse(good)
		assert.NoError(t, err)
		assert.Equal(t, h.encode(), good)
	}
	bad := map[string]string{
		"empty":             "",
		"dollars":           "$$$$$",
		"plain text":        "password",
		"text before":       "x" + goodA,
		"space before":      " " + goodA,
		"newline after":     goodA + "\n",
		"newline inside":    "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "\n$" + tag32,
		"NUL":               goodA + "\x00",
		"field after":       goodA + "$x",
		"missing tag":       strings.TrimSuffix(goodA, "$"+tag32),
		"empty tag":         strings.TrimSuffix(goodA, tag32),
		"empty salt":        "$argon2id$v=19$m=19456,t=2,p=1$$" + tag32,
		"argon2":            strings.Replace(goodA, "argon2id", "argon2", 1),
		"argon2d":           strings.Replace(goodA, "argon2id", "argon2d", 1),
		"upper case":        strings.Replace(goodA, "argon2id", "ARGON2ID", 1),
		"version 16":        strings.Replace(goodA, "v=19", "v=16", 1),
		"no version":        strings.Replace(goodA, "v=19$", "", 1),
		"reordered":         strings.Replace(goodA, "m=19456,t=2", "t=2,m=19456", 1),
		"duplicate":         strings.Replace(goodA, "t=2,", "t=2,t=2,", 1),
		"missing field":     strings.Replace(goodA, "t=2,", "", 1),
		"unknown field":     strings.Replace(goodA, "p=1", "p=1,data=AA", 1),
		"leading zero":      strings.Replace(goodA, "t=2", "t=02", 1),
		"plus":              strings.Replace(goodA, "t=2", "t=+2", 1),
		"minus":             strings.Replace(goodA, "t=2", "t=-2", 1),
		"hex":               strings.Replace(goodA, "t=2", "t=0x2", 1),
		"underscore":        strings.Replace(goodA, "m=19456", "m=19_456", 1),
		"space":             strings.Replace(goodA, "t=2", "t= 2", 1),
		"padding":           goodA + "=",
		"URL alphabet":      strings.Replace(goodA, "+", "-", 1),
		"trailing bits":     strings.Replace(goodA, "ZSTY", "ZSTZ", 1),
		"double dollar":     strings.Replace(goodA, "$v", "$$v", 1),
		"pbkdf2 md5":        strings.Replace(goodP, "sha256", "md5", 1),
		"pbkdf2 leading 0":  strings.Replace(goodP, "i=6", "i=06", 1),
		"pbkdf2 two fields": strings.Replace(goodP, "i=600000", "i=600000,l=32", 1),
		"1 MB of dollars":   strings.Repeat("$", 1<<20),
		"1 MB of digits":    "$argon2id$v=19$m=" + strings.Repeat("9", 1<<20),
	}
	for name, s := range bad {
		_, err := parse(s)
		assert.True(t, err != nil, name+" was accepted")
	}
}

func TestR28ATamperedRowCannotAskForMoreThanTheCaps(t *testing.T) {
	t.Parallel()
	argon := func(p string) string { return "$argon2id$v=19$" + p + "$" + salt16 + "$" + tag32 }
	for s, want := range map[string]bool{
		argon("m=262144,t=4,p=8"):                          true,
		argon("m=262145,t=1,p=1"):                          false,
		argon("m=4194304,t=1,p=1"):                         false, // 4 GiB
		argon("m=4294967295,t=1,p=1"):                      false,
		argon("m=4294967304,t=1,p=1"):                      false, // 2³²+8
		argon("m=65536,t=16,p=1"):                          true,
		argon("m=65536,t=17,p=1"):                          false,
		argon("m=262144,t=5,p=1"):                          false, // 1.25 GiB written in all
		argon("m=19456,t=4294967295,p=1"):                  false,
		argon("m=19456,t=2,p=16"):                          true,
		argon("m=19456,t=2,p=17"):                          false,
		argon("m=19456,t=2,p=257"):                         false,
		argon("m=64,t=1,p=8"):                              true,
		argon("m=63,t=1,p=8"):                              false,
		argon("m=0,t=1,p=1"):                               false,
		argon("m=19456,t=0,p=1"):                           false,
		argon("m=19456,t=2,p=0"):                           false,
		"$pbkdf2-sha256$i=2000000$" + salt16 + "$" + tag32: true,
		"$pbkdf2-sha256$i=2000001$" + salt16 + "$" + tag32: false,
		"$pbkdf2-sha256$i=0$" + salt16 + "$" + tag32:       false,
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 10) + "$" + tag32:  false, // 7-byte salt
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 87) + "$" + tag32:  false, // 65-byte salt
		"$argon2id$v=19$m=64,t=1,p=1$" + salt16 + "$" + strings.Repeat("A", 20): false, // 15-byte tag
		"$argon2id$v=19$m=64,t=1,p=1$" + salt16 + "$" + strings.Repeat("A", 87): false, // 65-byte tag
		"$argon2id$v=19$m=64,t=1,p=1$" + salt16 + "$" + strings.Repeat("A", 86): true,  // 64-byte tag
	} {
		_, err := parse(s)
		assert.True(t, (err == nil) == want, s)
		if err != nil {
			assert.ErrorIs(t, err, ErrBadHash)
			assert.NotContains(t, err.Error(), salt16)
		}
	}
}

func FuzzParse(f *testing.F) {
	for phc := range vectors(f) {
		f.Add(phc)
	}
	f.Add(goodA + "$")
	f.Add("$argon2id$v=19$m=4294967304,t=1,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parse(s)
		if err != nil {
			return
		}
		if h.encode() != s {
			t.Fatalf("%q was accepted and is written as %q", s, h.encode())
		}
		if h.memory > maxMemory || h.time > maxTime || h.threads > maxThreads || h.iterations > maxIterations ||
			len(h.salt) > maxSalt || len(h.tag) > maxTag || uint64(h.memory)*uint64(h.time) > maxWork {
			t.Fatalf("%q is beyond the caps", s)
		}
	})
}
