package session_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// clock stands still until the test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// peppers are keys in memory that can go away.
type peppers struct{ down atomic.Bool }

func (p *peppers) ActiveSubkey(ctx context.Context, purpose, label string) (string, []byte, error) {
	key, err := p.Subkey(ctx, purpose, label, "00000000000000a1")
	return "00000000000000a1", key, err
}

func (p *peppers) Subkey(_ context.Context, purpose, label, kid string) ([]byte, error) {
	if p.down.Load() {
		return nil, io.ErrUnexpectedEOF
	}
	return []byte(purpose + "/" + label + "/" + kid), nil
}

// counted counts what reaches the store, and may fail touches.
type counted struct {
	session.Store
	finds, touches atomic.Int64
	touchErr       error
}

func (c *counted) FindSession(ctx context.Context, selector string) (session.Found, error) {
	c.finds.Add(1)
	return c.Store.FindSession(ctx, selector)
}

func (c *counted) TouchSession(ctx context.Context, t session.Touch) error {
	c.touches.Add(1)
	if c.touchErr != nil {
		return c.touchErr
	}
	return c.Store.TouchSession(ctx, t)
}

// world is a service on a Fake with one user, u1, under version 1.
type world struct {
	t      *testing.T
	clock  *clock
	fake   *sessiontest.Fake
	store  *counted
	keys   *peppers
	svc    *session.Service
	access *sessiontest.AccessTokens
	log    *strings.Builder
}

func newWorld(t *testing.T, change func(*session.Config)) *world {
	t.Helper()
	w := &world{
		t: t, keys: &peppers{}, log: &strings.Builder{},
		clock: &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)},
	}
	w.fake = sessiontest.NewFake(w.clock.Now)
	w.store = &counted{Store: w.fake}
	w.access = sessiontest.NewAccessTokens(w.clock.Now)
	cfg := session.Config{Peppers: w.keys, AccessTokens: w.access, Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	if change != nil {
		change(&cfg)
	}
	w.svc = assert.Must(session.New(w.store, cfg))(t)
	w.user("u1", nil)
	return w
}

// user puts a user and returns the state for later changes.
func (w *world) user(id string, change func(*sessiontest.UserState)) {
	w.t.Helper()
	u := sessiontest.UserState{
		User: session.User{
			ID: id, Email: id + "@example.com", Name: "Ada", EmailVerified: true,
			CreatedAt: w.clock.Now().Add(-time.Hour), UpdatedAt: w.clock.Now().Add(-time.Hour),
		},
		SecurityVersion: 1,
	}
	if change != nil {
		change(&u)
	}
	assert.NoError(w.t, w.fake.PutUser(w.t.Context(), u))
}

func (w *world) facts(user string) door.Facts {
	return door.Facts{
		UserID: user, SecurityVersion: 1, Channels: []string{"password"}, ProvenAt: w.clock.Now(),
		IP: netip.MustParseAddr("192.0.2.7"), UserAgent: firefoxOnWindows,
	}
}

// start starts a session as the door does.
func (w *world) start(facts door.Facts) session.Grant {
	w.t.Helper()
	grant, err := w.tryStart(door.NewPass(facts))
	assert.NoError(w.t, err)
	return grant
}

func (w *world) tryStart(pass door.Pass) (grant session.Grant, err error) {
	err = w.store.InTx(w.t.Context(), func(ctx context.Context) error {
		var err error
		grant, err = w.svc.Start(ctx, pass)
		return err
	})
	return grant, err
}

func (w *world) lookup(g session.Grant) (*session.Identity, error) {
	return w.svc.Lookup(w.t.Context(), g.Token.Reveal())
}

func (w *world) live(g session.Grant) *session.Identity {
	w.t.Helper()
	identity, err := w.lookup(g)
	assert.NoError(w.t, err)
	return identity
}

func (w *world) dead(g session.Grant) {
	w.t.Helper()
	_, err := w.lookup(g)
	assert.ErrorIs(w.t, err, session.ErrNoSession)
}

const firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*session.Config){
		"no peppers":                    func(c *session.Config) { c.Peppers = nil },
		"negative idle":                 func(c *session.Config) { c.Idle = -time.Second },
		"idle shorter than its record":  func(c *session.Config) { c.Idle = time.Minute },
		"idle longer than absolute":     func(c *session.Config) { c.Idle, c.Absolute = 2*time.Hour, time.Hour },
		"negative absolute":             func(c *session.Config) { c.Absolute = -time.Second },
		"absolute longer than a cookie": func(c *session.Config) { c.Absolute = 401 * 24 * time.Hour },
		"negative browser-only":         func(c *session.Config) { c.BrowserOnly = -time.Second },
		"browser-only over absolute":    func(c *session.Config) { c.BrowserOnly, c.Absolute = 2*time.Hour, time.Hour },
	} {
		cfg := session.Config{Peppers: &peppers{}}
		change(&cfg)
		if _, err := session.New(sessiontest.NewFake(nil), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := session.New(nil, session.Config{Peppers: &peppers{}})
	assert.Error(t, err)
	_, err = session.New(sessiontest.NewFake(nil), session.Config{Peppers: &peppers{}, Absolute: time.Hour})
	assert.NoError(t, err)
}

func TestR2_OnlyAPassStartsASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	noChannels, noTime, spaced := w.facts("u1"), w.facts("u1"), w.facts("u1")
	noChannels.Channels = nil
	noTime.ProvenAt = time.Time{}
	spaced.Channels = []string{"password totp"}
	for name, pass := range map[string]door.Pass{
		"zero": {}, "no user": door.NewPass(door.Facts{}), "no channels": door.NewPass(noChannels),
		"no time": door.NewPass(noTime), "a channel that is two": door.NewPass(spaced),
	} {
		if _, err := w.tryStart(pass); err == nil {
			t.Errorf("%s: a session was started", name)
		}
	}
	_, err := w.svc.Start(t.Context(), door.NewPass(w.facts("u1")))
	assert.ErrorIs(t, err, session.ErrNoTransaction)
}

func TestStartDescribesTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	facts := w.facts("u1")
	facts.IP = netip.MustParseAddr("::ffff:192.0.2.7")
	facts.UserAgent = "  a\r\nSet-Cookie: b\x00\xff" + strings.Repeat("é", 400)
	got := w.live(w.start(facts)).Session
	now := w.clock.Now().Truncate(time.Microsecond)
	assert.Equal(t, got.IP.String(), "192.0.2.7")
	assert.True(t, strings.HasPrefix(got.UserAgent, "aSet-Cookie: bé"), "control characters are gone")
	assert.True(t, len(got.UserAgent) <= 512, "the header is cut")
	assert.Equal(t, got.CreatedAt, now)
	assert.Equal(t, got.ProvenAt, now)
	assert.Equal(t, got.IdleEndsAt, now.Add(7*24*time.Hour))
	assert.Equal(t, got.EndsAt, now.Add(30*24*time.Hour))
	facts.BrowserOnly = true
	got = w.live(w.start(facts)).Session
	assert.Equal(t, got.IdleEndsAt, now.Add(24*time.Hour))
	assert.Equal(t, got.EndsAt, now.Add(24*time.Hour))
}

// counter counts the random bytes taken.
type counter struct{ n atomic.Int64 }

func (c *counter) Read(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return rand.Read(p)
}

func TestASVS7_2_3_TokensComeFromTheInjectedReader(t *testing.T) {
	t.Parallel()
	var random counter
	w := newWorld(t, func(c *session.Config) { c.Rand = &random })
	a, b := w.start(w.facts("u1")), w.start(w.facts("u1"))
	assert.True(t, random.n.Load() >= 2*(32+16), "each session takes 32 bytes for the token and 16 for the id")
	assert.NotEqual(t, a.Token.Reveal(), b.Token.Reveal())
	assert.NotEqual(t, a.Session.ID, b.Session.ID)
	w = newWorld(t, func(c *session.Config) { c.Rand = strings.NewReader("too short") })
	_, err := w.tryStart(door.NewPass(w.facts("u1")))
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestGrantShowsItsTokenToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	secret := grant.Token.Reveal()
	slog.New(slog.NewTextHandler(w.log, nil)).Info("started", "grant", grant)
	assert.NotContains(t, w.log.String(), secret)
	assert.Contains(t, w.log.String(), "redacted")
}
