package totp_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/totp"
)

// program finds what a test compares with. CI has it.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: .ci/run installs it", name)
	}
	if err != nil {
		t.Skipf("%s IS MISSING, nothing was compared: apt-get install %s", name, debian)
	}
	return path
}

// TestOathtoolAgrees compares with another implementation over random secrets,
// times, algorithms, lengths and periods: eleven steps each.
func TestOathtoolAgrees(t *testing.T) {
	t.Parallel()
	oathtool := program(t, "oathtool", "oathtool")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		cfg := totp.Config{
			Algorithm: totp.Algorithm(random.IntN(3)), Digits: 6 + 2*random.IntN(2),
			Period: time.Duration(15+random.IntN(106)) * time.Second,
		}
		scheme := schemeOf(t, cfg)
		secret, at := assert.Must(scheme.NewSecret())(t), time.Unix(random.Int64N(1<<33), 0)
		cmd := exec.CommandContext(t.Context(), oathtool, "--totp="+strings.ToLower(cfg.Algorithm.String()), "--base32", "-w10",
			"--digits="+strconv.Itoa(cfg.Digits), "--time-step-size="+cfg.Period.String(), "--now=@"+strconv.FormatInt(at.Unix(), 10), "-")
		cmd.Stdin = strings.NewReader(secret.Reveal() + "\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("oathtool: %v\n%s", err, out)
		}
		codes := strings.Fields(string(out))
		assert.Len(t, codes, 11)
		for i, code := range codes {
			step, ok := scheme.Match(secret, code, at.Add(time.Duration(i)*cfg.Period))
			assert.True(t, ok && step >= scheme.Step(at)+int64(i), "oathtool's code "+code+" of step "+strconv.Itoa(i))
			own, _ := scheme.Code(secret, scheme.Step(at)+int64(i))
			assert.Equal(t, own, code)
		}
	}
}

// TestZbarReadsTheQR has the picture read as a camera's software does.
func TestZbarReadsTheQR(t *testing.T) {
	t.Parallel()
	zbarimg := program(t, "zbarimg", "zbar-tools")
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t)
	for _, account := range []string{"ann@example.com", "änn+ü@exämple.com", strings.Repeat("é", 127)} {
		uri := assert.Must(scheme.URI(assert.Must(scheme.NewSecret())(t), "Big & Co", account))(t)
		file := filepath.Join(t.TempDir(), "qr.png")
		assert.NoError(t, os.WriteFile(file, assert.Must(totp.QR(uri))(t), 0o600))
		out, err := exec.CommandContext(t.Context(), zbarimg, "--quiet", "--raw", "--nodbus", file).Output()
		assert.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(string(out)), uri.Reveal())
	}
}
