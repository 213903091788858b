//go:build !race

package tenon_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// pairs is how many sign-ins of each kind are compared (rule R7).
const pairs = 2000

// slowHasher takes a millisecond longer when it is told to: the difference that
// the test must be able to see.
type slowHasher struct {
	*passwordtest.Hasher
	slow bool
}

func (h *slowHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	match, rehash, err = h.Hasher.Verify(ctx, hash, prepared)
	if h.slow {
		// Busy, because sleeping is not exact enough.
		for start := time.Now(); time.Since(start) < time.Millisecond; {
		}
	}
	return match, rehash, err
}

// The time of a failed sign-in does not tell whether the address is known. The
// measure is the same run's own: an injected millisecond must be seen, and what
// is there without it must be far less. Interleaved, so that whatever else the
// machine does meets all three kinds alike.
func TestR7_TimeDoesNotTellKnownFromUnknown(t *testing.T) {
	db := bundbtest.SQLite(t, tenon.Schemas()...)
	w := newWorld(t, db)
	hasher := &slowHasher{Hasher: passwordtest.New(t)}
	w.cfg.Passwords = hasher
	app, err := tenon.New(w.cfg)
	assert.NoError(t, err)
	w.App = app
	w.manyUsers(t, 2*pairs)
	var known, unknown, injected []time.Duration
	for i := range pairs {
		known = append(known, w.failedSignIn(t, fmt.Sprintf("known%d@example.com", i)))
		unknown = append(unknown, w.failedSignIn(t, fmt.Sprintf("nobody%d@example.com", i)))
		hasher.slow = true
		injected = append(injected, w.failedSignIn(t, fmt.Sprintf("known%d@example.com", pairs+i)))
		hasher.slow = false
	}
	real, control := medianDifference(known, unknown), medianDifference(injected, unknown)
	t.Logf("known - unknown: %v; with a millisecond injected: %v", real, control)
	if control < time.Millisecond/2 {
		t.Fatalf("an injected millisecond shows as %v: the test sees nothing", control)
	}
	if real.Abs() > control/4 {
		t.Errorf("known addresses take %v longer than unknown ones; an injected millisecond shows as %v", real, control)
	}
}

// manyUsers makes users known0@example.com and on, with a password.
func (w *world) manyUsers(t *testing.T, n int) {
	t.Helper()
	hash, err := w.cfg.Passwords.Hash(t.Context(), password)
	assert.NoError(t, err)
	err = w.DB.InTx(t.Context(), func(ctx context.Context) error {
		for i := range n {
			user := auth.User{
				ID: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("known%d@example.com", i), EmailVerified: true,
				SecurityVersion: 1, CreatedAt: w.db.Now(), UpdatedAt: w.db.Now(),
			}
			sealed, err := w.Keys.Seal(ctx, auth.PasswordField("tenon_credentials", user.ID), []byte(hash))
			if err != nil {
				return err
			}
			if err := authbun.New(w.DB).CreateUser(ctx, user, sealed); err != nil {
				return err
			}
		}
		return nil
	})
	assert.NoError(t, err)
}

func (w *world) failedSignIn(t *testing.T, to string) time.Duration {
	t.Helper()
	start := time.Now()
	_, _, err := w.Auth.SignIn(t.Context(), auth.SignInParams{Email: to, Password: "not this one"})
	took := time.Since(start)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
	return took
}

// medianDifference returns the median of a[i] - b[i].
func medianDifference(a, b []time.Duration) time.Duration {
	differences := make([]time.Duration, len(a))
	for i := range a {
		differences[i] = a[i] - b[i]
	}
	slices.Sort(differences)
	return differences[len(differences)/2]
}
