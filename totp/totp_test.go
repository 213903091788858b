package totp_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/totp"
)

const digits20 = "12345678901234567890"

func secretOf(t testing.TB, raw string) totp.Secret {
	t.Helper()
	return assert.Must(totp.ParseSecret(base32.StdEncoding.EncodeToString([]byte(raw))))(t)
}

// schemeOf skips SHA-1 where it does not exist: TestFIPS says what happens there.
func schemeOf(t testing.TB, cfg totp.Config) totp.Scheme {
	t.Helper()
	scheme, err := totp.New(cfg)
	if fips140.Enforced() && errors.Is(err, totp.ErrFIPS) {
		t.Skip("SHA-1 where FIPS 140 is enforced")
	}
	assert.NoError(t, err)
	return scheme
}

// TestRFC6238 runs the table of appendix B.
func TestRFC6238(t *testing.T) {
	t.Parallel()
	times := []int64{59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000}
	for algorithm, codes := range map[totp.Algorithm][]string{
		totp.SHA1:   {"94287082", "07081804", "14050471", "89005924", "69279037", "65353130"},
		totp.SHA256: {"46119246", "68084774", "67062674", "91819424", "90698825", "77737706"},
		totp.SHA512: {"90693936", "25091201", "99943326", "93441116", "38618901", "47863826"},
	} {
		t.Run(algorithm.String(), func(t *testing.T) {
			t.Parallel()
			scheme := schemeOf(t, totp.Config{Algorithm: algorithm, Digits: 8, Strict: true})
			size := map[totp.Algorithm]int{totp.SHA1: 20, totp.SHA256: 32, totp.SHA512: 64}[algorithm]
			secret := secretOf(t, strings.Repeat("1234567890", 7)[:size])
			for i, at := range times {
				step, ok := scheme.Match(secret, codes[i], time.Unix(at, 0))
				assert.True(t, ok && step == at/30, fmt.Sprintf("%s at %d", codes[i], at))
			}
		})
	}
}

// TestRFC4226 runs the table of appendix D.
func TestRFC4226(t *testing.T) {
	t.Parallel()
	scheme := schemeOf(t, totp.Config{})
	for counter, want := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		code, ok := scheme.Code(secretOf(t, digits20), int64(counter))
		assert.True(t, ok && code == want, want)
	}
}

func TestWindowIsOneStepEachSideOrNone(t *testing.T) {
	t.Parallel()
	secret, at := secretOf(t, strings.Repeat("a", 32)), time.Unix(1_800_000_015, 0)
	for _, strict := range []bool{false, true} {
		scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256, Strict: strict}))(t)
		now := scheme.Step(at)
		for off := int64(-3); off <= 3; off++ {
			code, _ := scheme.Code(secret, now+off)
			step, ok := scheme.Match(secret, code, at)
			want := off == 0 || !strict && (off == 1 || off == -1)
			assert.Equal(t, ok, want)
			assert.True(t, !ok || step == now+off, "the step of the code")
		}
	}
}

// TestCVE20256014_SpellingsAreOneCode has every accepted spelling end at the same
// step, which is what replay is keyed by, and refuses the others.
func TestCVE20256014_SpellingsAreOneCode(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t)
	secret, at := secretOf(t, strings.Repeat("b", 32)), time.Unix(1_800_000_000, 0)
	code, _ := scheme.Code(secret, scheme.Step(at))
	for _, same := range []string{code, " " + code, code + "\n", code[:3] + " " + code[3:], "\t" + code + "\r\n", "  " + code + "  "} {
		step, ok := scheme.Match(secret, same, at)
		assert.True(t, ok && step == scheme.Step(at), fmt.Sprintf("%q", same))
	}
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, code)
	for _, other := range []string{
		"", " ", code[:5], code + "0", "0" + code, "+" + code, "-" + code, code[:3] + "-" + code[3:], wide, arabic, code + "\x00",
		"\u00a0" + code, "\ufeff" + code, code + "\v", code + ".0", "0x" + code, strings.Repeat(" ", 60) + code, code + "\xff",
	} {
		_, ok := scheme.Match(secret, other, at)
		assert.False(t, ok, fmt.Sprintf("%q", other))
	}
}

func TestNothingMatchesNothing(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t)
	secret := secretOf(t, strings.Repeat("c", 32))
	first, _ := scheme.Code(secret, 0)
	step, ok := scheme.Match(secret, first, time.Unix(1, 0))
	assert.True(t, ok && step == 0, "the first step of all")
	for name, match := range map[string]func() (int64, bool){
		"no secret":   func() (int64, bool) { return scheme.Match(totp.Secret{}, first, time.Unix(1, 0)) },
		"before 1970": func() (int64, bool) { return scheme.Match(secret, first, time.Unix(-1, 0)) },
		"zero time":   func() (int64, bool) { return scheme.Match(secret, first, time.Time{}) },
		"zero scheme": func() (int64, bool) { return totp.Scheme{}.Match(secret, first, time.Unix(1, 0)) },
		"zero, empty": func() (int64, bool) { return totp.Scheme{}.Match(secret, "", time.Unix(1, 0)) },
	} {
		_, ok := match()
		assert.False(t, ok, name)
	}
	_, ok = scheme.Code(secret, -1)
	assert.False(t, ok, "there is no step before the first")
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	scheme := schemeOf(t, totp.Config{})
	got := scheme.Config()
	assert.True(t, got.Algorithm == totp.SHA1 && got.Digits == 6 && got.Period == 30*time.Second && !got.Strict, "the defaults")
	for _, cfg := range []totp.Config{
		{Algorithm: 3},
		{Algorithm: -1},
		{Digits: 7},
		{Digits: -6},
		{Period: time.Second},
		{Period: time.Hour},
		{Period: 30*time.Second + time.Millisecond},
		{Period: -30 * time.Second},
	} {
		_, err := totp.New(cfg)
		assert.Error(t, err)
	}
}

func TestNewSecretsAreAsLongAsTheHash(t *testing.T) {
	t.Parallel()
	for algorithm, size := range map[totp.Algorithm]int{totp.SHA256: 32, totp.SHA512: 64} {
		scheme := assert.Must(totp.New(totp.Config{Algorithm: algorithm}))(t)
		one, other := assert.Must(scheme.NewSecret())(t), assert.Must(scheme.NewSecret())(t)
		assert.False(t, one.Equal(other.Secret), "random")
		raw := assert.Must(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(one.Reveal()))(t)
		assert.Len(t, raw, size)
	}
	scheme := schemeOf(t, totp.Config{})
	assert.Equal(t, len(assert.Must(scheme.NewSecret())(t).Reveal()), 32) // 20 bytes
	broken := schemeOf(t, totp.Config{Rand: iotest.ErrReader(errors.New("no entropy"))})
	_, err := broken.NewSecret()
	assert.Error(t, err)
	_, err = totp.Scheme{}.NewSecret()
	assert.Error(t, err)
}

func TestSecretsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	want := secretOf(t, digits20)
	for _, same := range []string{want.Reveal(), strings.ToLower(want.Reveal()), want.Reveal()[:4] + " " + want.Reveal()[4:], want.Reveal() + "===="} {
		assert.True(t, assert.Must(totp.ParseSecret(same))(t).Equal(want.Secret), same)
	}
	for _, bad := range []string{"", "GEZDGNBVGY3TQOJQ", "!" + want.Reveal(), want.Reveal() + "\n", "0189" + want.Reveal()[4:], strings.Repeat("A", 104)} {
		_, err := totp.ParseSecret(bad)
		assert.ErrorIs(t, err, totp.ErrSecret)
	}
}

// TestPromise3_SecretsNeverPrint looks at every way in which values reach logs.
func TestPromise3_SecretsNeverPrint(t *testing.T) {
	t.Parallel()
	secret := secretOf(t, digits20)
	uri := assert.Must(assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t).URI(secret, "Acme", "ann@example.com"))(t)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x %d", secret, secret, struct{ S totp.Secret }{secret}, secret, secret, secret, secret)
	fmt.Fprint(&out, uri, &secret)
	slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "x", "secret", secret, "in", struct{ S totp.Secret }{secret})
	assert.NoError(t, json.NewEncoder(&out).Encode(secret))
	assert.NotContains(t, out.String(), secret.Reveal())
	assert.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", secret.Reveal()))
	_, err := secret.Value()
	assert.Error(t, err)
}

// TestFIPS runs the package in a process where FIPS 140 is enforced.
func TestFIPS(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		_, err := totp.New(totp.Config{})
		assert.ErrorIs(t, err, totp.ErrFIPS)
		_, err = totp.New(totp.Config{Algorithm: totp.SHA256})
		assert.NoError(t, err)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^Test", "-test.skip", "Oathtool|Zbar", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under GODEBUG=fips140=only: %v\n%s", err, out)
	}
	for _, ran := range []string{"TestFIPS", "TestRFC6238/SHA256", "TestRFC6238/SHA512", "TestCVE20256014"} {
		assert.Contains(t, string(out), "--- PASS: "+ran)
	}
	assert.Contains(t, string(out), "--- SKIP: TestRFC6238/SHA1")
}
