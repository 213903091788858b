package jwt_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
	"github.com/tenon-go/tenon/token/jwt/jwttest"
)

const site = "https://example.com"

// The key of RFC 8037, appendix A.1, and its thumbprint of A.3.
const (
	rfcSeed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
	rfcX    = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	rfcKID  = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

// clock stands still until the test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a service over a store in memory.
type world struct {
	*jwt.Service
	clock   *clock
	store   *counting
	keyring *crypto.Keyring
	cfg     jwt.Config
}

// counting counts the reads of a Fake.
type counting struct {
	*jwttest.Fake
	mu    sync.Mutex
	lists int
}

func (c *counting) ListKeys(ctx context.Context) ([]jwt.Key, error) {
	c.mu.Lock()
	c.lists++
	c.mu.Unlock()
	return c.Fake.ListKeys(ctx)
}

func (c *counting) reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists
}

func newWorld(t testing.TB, change ...func(*jwt.Config)) *world {
	t.Helper()
	w := &world{clock: newClock(), store: &counting{Fake: jwttest.NewFake()}}
	w.keyring, _, _ = cryptotest.NewKeyringWith(t, crypto.Config{})
	w.cfg = jwt.Config{
		Sealer: w.keyring, Issuer: site, Audience: site, Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&w.cfg)
	}
	w.Service = w.process(t)
	return w
}

// process is another process on the same keys.
func (w *world) process(t testing.TB) *jwt.Service {
	t.Helper()
	return assert.Must(jwt.New(w.store, w.cfg))(t)
}

func (w *world) claims() jwt.Claims {
	return jwt.Claims{Subject: "user-1", SessionID: "session-1", Epoch: 3}
}

func mint(t testing.TB, s *jwt.Service, c jwt.Claims) string {
	t.Helper()
	return assert.Must(s.Mint(t.Context(), c))(t).Reveal()
}

// refused wants Verify to give the one error and no claims.
func refused(t testing.TB, s *jwt.Service, name, raw string) {
	t.Helper()
	claims, err := s.Verify(t.Context(), raw)
	if claims != (jwt.Claims{}) {
		t.Errorf("%s: claims beside an error: %+v", name, claims)
	}
	if err == nil {
		t.Errorf("%s: accepted", name)
		return
	}
	assert.ErrorIs(t, err, jwt.ErrInvalid)
	if len(raw) > 16 && strings.Contains(err.Error(), raw[:16]) {
		t.Errorf("%s: the error tells the token: %v", name, err)
	}
}

// keys returns the rows in a state.
func (w *world) keys(t testing.TB, state jwt.State) []jwt.Key {
	t.Helper()
	var found []jwt.Key
	for _, k := range assert.Must(w.store.Fake.ListKeys(t.Context()))(t) {
		if k.State == state {
			found = append(found, k)
		}
	}
	return found
}

func (w *world) signing(t testing.TB) string {
	t.Helper()
	keys := w.keys(t, jwt.StateSigning)
	assert.Len(t, keys, 1)
	return keys[0].ID
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	return assert.Must(base64.RawURLEncoding.DecodeString(s))(t)
}

// fixed reads the same bytes over and over.
type fixed []byte

func (f fixed) Read(p []byte) (int, error) {
	for n := 0; n < len(p); n += copy(p[n:], f) {
	}
	return len(p), nil
}

var _ io.Reader = fixed(nil)
