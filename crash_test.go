package tenon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// What the child of the crash test needs to know.
const (
	crashDialect = "TENON_CRASH_DIALECT"
	crashAt      = "TENON_CRASH_LOCATION"
	crashKeys    = "TENON_CRASH_KEYS"
	crashEmail   = "TENON_CRASH_EMAIL"
	crashK       = "TENON_CRASH_STATEMENT" // 0 means before the commit
)

// TestCrashChild is the process that dies. It does nothing unless it is told to.
func TestCrashChild(t *testing.T) {
	if os.Getenv(crashAt) == "" {
		return
	}
	db := bundbtest.At(t, bundb.Dialect(os.Getenv(crashDialect)), os.Getenv(crashAt))
	w := newWorld(t, db, func(c *tenon.Config) {
		kms, err := crypto.OpenKeyFile(os.Getenv(crashKeys), crypto.FileConfig{})
		assert.NoError(t, err)
		c.KMS = kms
	})
	k, err := strconv.Atoi(os.Getenv(crashK))
	assert.NoError(t, err)
	barrier := bundbtest.FaultsOf(db).StallAt(k)
	if k == 0 {
		barrier = bundbtest.FaultsOf(db).StallOn("COMMIT", 1)
	}
	go func() {
		barrier.Wait(t)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
	result, err := w.Auth.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: os.Getenv(crashEmail), Password: password})
	assert.NoError(t, err)
	_, err = w.Auth.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t, os.Getenv(crashEmail)), Browser: result.Browser.Reveal()})
	assert.NoError(t, err)
	bundbtest.FaultsOf(db).Disarm()
	os.Exit(0) // before the barrier tells the test that nobody came
}

func TestKillAtAnyStatementLeavesAllOrNothing(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "test.keys")
	kms, err := crypto.CreateKeyFile(keys)
	assert.NoError(t, err)
	each(t, func(t *testing.T, w *world) {
		killed := 0
		for k := range 60 {
			to := fmt.Sprintf("crash%d@example.com", k)
			finished := w.crash(t, keys, to, k)
			w.consistent(t, k)
			if finished {
				assert.True(t, killed > 12, "sign-up and proof take more statements than were killed")
				assert.Equal(t, w.count(t, "tenon_users WHERE email = ?", to), 1)
				return
			}
			killed++
		}
		t.Error("the child never got to its end")
	}, func(c *tenon.Config) { c.KMS = kms })
}

// crash lets a child sign up and prove to, and reports whether it survived.
func (w *world) crash(t *testing.T, keys, to string, k int) (finished bool) {
	t.Helper()
	child := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run=^TestCrashChild$", "-test.timeout=60s")
	child.Env = append(os.Environ(), "TENON_TEST_ROW_SECURITY=", // nobody would take its roles away
		crashDialect+"="+string(w.db.Dialect()), crashAt+"="+bundbtest.Location(w.db),
		crashKeys+"="+keys, crashEmail+"="+to, crashK+"="+strconv.Itoa(k))
	output, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err == nil {
		return true
	}
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("statement %d: the child ended with %v:\n%s", k, err, output)
	}
	return false
}

// consistent checks that no part of a sign-up or of a proof is there alone.
func (w *world) consistent(t *testing.T, k int) {
	t.Helper()
	users := w.count(t, "tenon_users")
	for _, table := range []string{"tenon_credentials", "tenon_organizations", "tenon_members"} {
		if n := w.count(t, table); n != users {
			t.Errorf("killed at statement %d: %d users, %d rows in %s", k, users, n, table)
		}
	}
	waiting := w.count(t, "tenon_sign_ups")
	tokens := w.count(t, "tenon_one_time_tokens WHERE consumed_at IS NULL")
	if waiting != tokens {
		t.Errorf("killed at statement %d: %d sign-ups, %d links", k, waiting, tokens)
	}
	both := w.count(t, "tenon_sign_ups AS p JOIN tenon_users AS u ON u.email = p.email")
	assert.Equal(t, both, 0)
}
