package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	adaEmail    = "Ada@Example.com"
	adaKey      = "ada@example.com"
	adaPassword = "correct horse battery"
)

// world is a Service with fakes around it.
type world struct {
	*auth.Service
	store     *authtest.Fake
	tokens    *tokentest.Fake
	mailbox   *mailtest.Mailbox
	passwords *countingHasher
	sessions  *sessions
	clock     *clock
	cfg       auth.Config
}

func newWorld(t *testing.T, change ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{
		store: authtest.NewFake(), tokens: tokentest.NewFake(), mailbox: new(mailtest.Mailbox),
		passwords: &countingHasher{Hasher: passwordtest.New(t)}, sessions: new(sessions),
		clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
	}
	keys := cryptotest.NewKeyring(t)
	tokens, err := token.New(w.tokens, token.Config{Peppers: keys, Now: w.clock.Now})
	assert.NoError(t, err)
	w.cfg = auth.Config{
		Keys: keys, Sessions: w.sessions, Tokens: tokens, Outbox: w.mailbox, Passwords: w.passwords,
		LinkBase: "https://example.com/api/auth", Now: w.clock.Now,
	}
	w.cfg = w.config(change...)
	w.Service, err = auth.New(oneDatabase{w.store, w.tokens}, w.cfg)
	assert.NoError(t, err)
	return w
}

// config returns the world's configuration with changes.
func (w *world) config(change ...func(*auth.Config)) auth.Config {
	cfg := w.cfg
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// oneDatabase makes transactions of users hold for tokens, too.
type oneDatabase struct {
	*authtest.Fake
	tokens *tokentest.Fake
}

func (d oneDatabase) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error { return d.tokens.InTx(ctx, fn) })
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

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

// countingHasher counts verifications, and can be made to wait before one
// returns.
type countingHasher struct {
	*passwordtest.Hasher
	mu       sync.Mutex
	verified int
	after    func()
}

func (h *countingHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	match, rehash, err = h.Hasher.Verify(ctx, hash, prepared)
	h.mu.Lock()
	h.verified++
	after := h.after
	h.mu.Unlock()
	if after != nil {
		after()
	}
	return match, rehash, err
}

func (h *countingHasher) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verified
}

// sessions records the passes it gets.
type sessions struct {
	mu     sync.Mutex
	passes []door.Facts
	ended  []string
	err    error
}

func (s *sessions) Start(_ context.Context, pass door.Pass) (auth.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	facts, ok := pass.Facts()
	if !ok || s.err != nil {
		return auth.Grant{}, s.err
	}
	s.passes = append(s.passes, facts)
	return auth.Grant{SessionID: "session"}, nil
}

func (s *sessions) EndOthers(_ context.Context, userID, keepID string, newVersion int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, fmt.Sprintf("%s but %q at %d", userID, keepID, newVersion))
	return s.err
}

func client() auth.Client {
	return auth.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}
}

func (w *world) signUp(t *testing.T) auth.SignUpResult {
	t.Helper()
	result, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail, Password: adaPassword, Client: client()})
	assert.NoError(t, err)
	return result
}

// link returns the secret of the newest mailed link.
func (w *world) link(t *testing.T) string {
	t.Helper()
	messages := w.mailbox.Messages()
	if len(messages) == 0 || len(messages[len(messages)-1].Links) == 0 {
		t.Fatal("no link was mailed")
	}
	u, err := url.Parse(messages[len(messages)-1].Links[0])
	assert.NoError(t, err)
	return u.Query().Get("token")
}

// ada signs up and proves her address.
func (w *world) ada(t *testing.T) auth.User {
	t.Helper()
	result := w.signUp(t)
	user, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: w.link(t), Browser: result.Browser.Reveal(), Client: client()})
	assert.NoError(t, err)
	return user
}

func (w *world) signIn(t *testing.T, password string) (auth.User, error) {
	t.Helper()
	user, _, err := w.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: password, Client: client()})
	return user, err
}
