package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// bcryptHash is that of adaPassword, made by libxcrypt with the cost 4.
const (
	bcryptHash = "$2y$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS"
	bcryptKind = "$2b$04$16$23"
)

// noting is a hasher that notes the kinds of what it verifies.
type noting struct {
	*passwordtest.Hasher
	mu    sync.Mutex
	kinds []string
}

func (h *noting) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	parsed, err := password.ParseImported(hash)
	if err != nil {
		return false, false, err
	}
	h.mu.Lock()
	h.kinds = append(h.kinds, parsed.Kind())
	h.mu.Unlock()
	return h.Hasher.Verify(ctx, hash, prepared)
}

// last returns the kind that was verified last, empty for the cheap one.
func (h *noting) last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if kind := h.kinds[len(h.kinds)-1]; kind == bcryptKind {
		return kind
	}
	return ""
}

// importing is a world with a hasher that notes what it verifies, and n imported
// users u0@example.com and on.
func importing(t *testing.T, n int) (*world, *noting) {
	t.Helper()
	h := &noting{Hasher: passwordtest.New(t)}
	w := newWorld(t, func(c *auth.Config) { c.Passwords, c.Logger = h, slog.New(slog.DiscardHandler) })
	for i := range n {
		w.importUser(t, fmt.Sprintf("u%d@example.com", i), bcryptHash)
	}
	return w, h
}

func (w *world) importUser(t *testing.T, email, hash string) {
	t.Helper()
	_, err := w.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true, PasswordHash: hash})
	assert.NoError(t, err)
}

func (w *world) tryAs(t *testing.T, email, typed string) error {
	t.Helper()
	_, _, err := w.SignIn(t.Context(), auth.SignInParams{Email: email, Password: typed, Client: client()})
	return err
}

func TestAnImportedHashIsReplacedAtTheFirstSignIn(t *testing.T) {
	t.Parallel()
	w, h := importing(t, 1)
	assert.ErrorIs(t, w.tryAs(t, "u0@example.com", "not this one"), auth.ErrInvalidCredentials)
	assert.Equal(t, h.last(), bcryptKind)
	mix, err := w.store.PasswordKinds(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, mix, password.Mix{"": 0, bcryptKind: 1})
	assert.NoError(t, w.tryAs(t, "u0@example.com", adaPassword))
	assert.Equal(t, h.last(), bcryptKind)
	assert.NoError(t, w.tryAs(t, "u0@example.com", adaPassword))
	assert.Equal(t, h.last(), "")
	mix, err = w.store.PasswordKinds(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, mix[bcryptKind], 0)
}

func TestR7_DecoysFollowTheProportionsOfWhatIsStored(t *testing.T) {
	t.Parallel()
	w, h := importing(t, 30)
	own, err := w.cfg.Passwords.Hash(t.Context(), adaPassword)
	assert.NoError(t, err)
	for i := range 10 {
		w.importUser(t, fmt.Sprintf("own%d@example.com", i), own)
	}
	const strangers = 120
	kinds, bcrypts := map[string]string{}, 0
	for i := range strangers {
		email := fmt.Sprintf("nobody%d@example.org", i)
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), auth.ErrInvalidCredentials)
		if kinds[email] = h.last(); kinds[email] != "" {
			bcrypts++
		}
	}
	// Three quarters, give or take five standard deviations.
	assert.True(t, bcrypts > 66 && bcrypts < 114, fmt.Sprint(bcrypts, " of 120"))
	for email, kind := range kinds {
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), auth.ErrInvalidCredentials)
		assert.Equal(t, h.last(), kind)
	}
	// Everybody has signed in: nothing but our own is left, a few minutes later.
	for i := range 30 {
		assert.NoError(t, w.tryAs(t, fmt.Sprintf("u%d@example.com", i), adaPassword))
	}
	w.clock.Advance(5 * time.Minute)
	for email := range kinds {
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), auth.ErrInvalidCredentials)
		assert.Equal(t, h.last(), "")
	}
}

func TestR7_WhoHasNoPasswordIsAnsweredLikeNobody(t *testing.T) {
	t.Parallel()
	w, h := importing(t, 3)
	seen := map[string]bool{}
	for i := range 40 {
		email := fmt.Sprintf("bare%d@example.com", i)
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), auth.ErrInvalidCredentials)
		before := h.last()
		_, err := w.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true})
		assert.NoError(t, err)
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), auth.ErrInvalidCredentials)
		assert.Equal(t, h.last(), before)
		seen[before] = true
	}
	assert.Equal(t, seen, map[string]bool{bcryptKind: true})
}

func TestAnImportThatCannotBeVerifiedWritesNothing(t *testing.T) {
	t.Parallel()
	w, _ := importing(t, 0)
	for hash, want := range map[string]error{
		"$2y$31$abcdefghijklmnopqrstuuE.PqSAUFhgHvZEpMJPsPjJcCFTGjBQa":             password.ErrNotImportable,
		"5f4dcc3b5aa765d61d8327deb882cf99":                                         password.ErrNotImportable,
		"$firebase-scrypt$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY": password.ErrFirebase,
	} {
		_, err := w.CreateUser(t.Context(), auth.NewUser{Email: adaEmail, Name: "Ada", EmailVerified: true, PasswordHash: hash})
		assert.ErrorIs(t, err, want)
		assert.NotContains(t, err.Error(), hash[len(hash)-8:])
		_, _, err = w.store.UserByEmail(t.Context(), adaKey)
		assert.ErrorIs(t, err, auth.ErrUserNotFound)
	}
}

// counting fails to count while down is set.
type counting struct {
	oneDatabase
	mu    sync.Mutex
	down  error
	calls int
}

func (c *counting) PasswordKinds(ctx context.Context) (password.Mix, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls++; c.down != nil {
		return nil, c.down
	}
	return c.oneDatabase.PasswordKinds(ctx)
}

func TestR7_AnOutageOfTheCountIsAnOutageForAllOrForNobody(t *testing.T) {
	t.Parallel()
	w, h := importing(t, 1)
	store := &counting{oneDatabase: oneDatabase{w.store, w.tokens}, down: errors.New("no connection")}
	service, err := auth.New(store, w.cfg)
	assert.NoError(t, err)
	w.Service = service
	// Nothing is known yet: nobody signs in.
	for _, email := range []string{"u0@example.com", "nobody@example.com"} {
		assert.ErrorIs(t, w.tryAs(t, email, adaPassword), store.down)
	}
	store.down = nil
	for range 3 {
		assert.ErrorIs(t, w.tryAs(t, "nobody@example.com", adaPassword), auth.ErrInvalidCredentials)
		assert.Equal(t, h.last(), bcryptKind)
	}
	assert.Equal(t, store.calls, 3)
	// What is known goes on for as long as the count fails.
	store.down = errors.New("no connection")
	w.clock.Advance(5 * time.Minute)
	assert.ErrorIs(t, w.tryAs(t, "nobody@example.com", adaPassword), auth.ErrInvalidCredentials)
	assert.Equal(t, h.last(), bcryptKind)
	assert.NoError(t, w.tryAs(t, "u0@example.com", adaPassword))
	assert.Equal(t, store.calls, 4)
}
