package sessioncache_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

const bound = 2 * time.Second

// clocks are the two clocks of a cache. They stand still until the test moves them.
type clocks struct{ wall, mono atomic.Int64 }

func newClocks() *clocks {
	c := &clocks{}
	c.wall.Store(time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC).UnixMicro())
	c.mono.Store(int64(time.Hour))
	return c
}

func (c *clocks) now() time.Time           { return time.UnixMicro(c.wall.Load()).UTC() }
func (c *clocks) monotonic() time.Duration { return time.Duration(c.mono.Load()) }
func (c *clocks) setWall(d time.Duration)  { c.wall.Add(d.Microseconds()) }
func (c *clocks) age(d time.Duration)      { c.mono.Add(int64(d)) }

// pass lets time go by on both.
func (c *clocks) pass(d time.Duration) {
	c.setWall(d)
	c.age(d)
}

// peppers are keys in memory.
type peppers struct{}

func (peppers) ActiveSubkey(ctx context.Context, purpose, label string) (string, []byte, error) {
	return "0123456789abcdef", []byte(purpose + "/" + label), nil
}

func (peppers) Subkey(_ context.Context, purpose, label, _ string) ([]byte, error) {
	return []byte(purpose + "/" + label), nil
}

// tokens make access tokens that nobody reads: the cache sees only what they name.
type tokens struct{ session.AccessTokens }

func (tokens) Mint(context.Context, session.AccessClaims) (token.Secret, error) {
	return token.NewSecret("x"), nil
}

// gate is a store whose finds are counted, and may be made to wait once they have
// read.
type gate struct {
	session.Store
	finds, touches atomic.Int64
	deaf           atomic.Bool // to what is revoked, as if by another process
	unused         atomic.Bool // it records no use
	touching       atomic.Pointer[stall]

	mu     sync.Mutex
	stalls []*stall
}

// stall holds one find between what it read and its return.
type stall struct{ reached, release chan struct{} }

func (g *gate) stall() *stall {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &stall{make(chan struct{}), make(chan struct{})}
	g.stalls = append(g.stalls, s)
	return s
}

func (g *gate) next() *stall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.stalls) == 0 {
		return nil
	}
	s := g.stalls[0]
	g.stalls = g.stalls[1:]
	return s
}

// exitKey marks the ctx of a caller whose goroutine ends in the middle.
type exitKey struct{}

// WatchRevocations passes on what is revoked while the gate is not deaf.
func (g *gate) WatchRevocations(fn func(session.Revocation)) {
	g.Store.WatchRevocations(func(r session.Revocation) {
		if !g.deaf.Load() {
			fn(r)
		}
	})
}

func (g *gate) wait(ctx context.Context) error {
	g.finds.Add(1)
	s := g.next()
	if s == nil {
		return nil
	}
	close(s.reached)
	select {
	case <-s.release:
		if ctx.Value(exitKey{}) != nil {
			runtime.Goexit()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) FindSession(ctx context.Context, selector string) (session.Found, error) {
	found, err := g.Store.FindSession(ctx, selector)
	if stopped := g.wait(ctx); stopped != nil {
		return session.Found{}, stopped
	}
	return found, err
}

func (g *gate) FindSessionByID(ctx context.Context, id string) (session.Found, error) {
	found, err := g.Store.FindSessionByID(ctx, id)
	if stopped := g.wait(ctx); stopped != nil {
		return session.Found{}, stopped
	}
	return found, err
}

func (g *gate) TouchSession(ctx context.Context, t session.Touch) error {
	g.touches.Add(1)
	if g.unused.Load() {
		return problem.ErrUnavailable
	}
	err := g.Store.TouchSession(ctx, t)
	if s := g.touching.Swap(nil); s != nil {
		close(s.reached)
		<-s.release
	}
	return err
}

// world is a cache before a service on a Fake.
type world struct {
	t      testing.TB
	clocks *clocks
	fake   *sessiontest.Fake
	store  *gate
	svc    *session.Service
	cache  *sessioncache.Cache
	log    *strings.Builder
	users  int
}

func newWorld(t testing.TB, change func(*sessioncache.Config)) *world {
	t.Helper()
	return newWorldOf(t, session.Config{}, change)
}

// newWorldOf is newWorld for sessions that live as life says.
func newWorldOf(t testing.TB, life session.Config, change func(*sessioncache.Config)) *world {
	t.Helper()
	w := &world{t: t, clocks: newClocks(), log: &strings.Builder{}}
	w.fake = sessiontest.NewFake(w.clocks.now)
	w.store = &gate{Store: w.fake}
	life.Peppers, life.Users, life.AccessTokens = peppers{}, w.fake, tokens{}
	w.svc = assert.Must(session.New(w.store, life))(t)
	cfg := sessioncache.Config{Bound: bound, Monotonic: w.clocks.monotonic, Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	if change != nil {
		change(&cfg)
	}
	w.cache = assert.Must(sessioncache.New(w.svc, cfg))(t)
	return w
}

// signIn starts a session of a new user.
func (w *world) signIn() session.Grant {
	w.t.Helper()
	w.users++
	return w.signInAs(fmt.Sprintf("u%d", w.users), "")
}

func (w *world) signInAs(user, organization string) session.Grant {
	w.t.Helper()
	w.put(user, nil)
	return assert.Must(w.svc.StartTrusted(w.t.Context(), session.TrustedStart{
		UserID: user, SecurityVersion: 1, OrganizationID: organization,
	}))(w.t)
}

func (w *world) put(user string, change func(*sessiontest.UserState)) {
	w.t.Helper()
	u := sessiontest.UserState{User: session.User{ID: user, Name: "Ada"}, SecurityVersion: 1}
	if change != nil {
		change(&u)
	}
	assert.NoError(w.t, w.fake.PutUser(w.t.Context(), u))
}

func (w *world) lookup(g session.Grant) (*session.Identity, error) {
	return w.cache.Lookup(w.t.Context(), g.Token.Reveal())
}

func (w *world) live(g session.Grant) *session.Identity {
	w.t.Helper()
	i, err := w.lookup(g)
	assert.NoError(w.t, err)
	assert.Equal(w.t, i.Session.ID, g.Session.ID)
	return i
}

// nearlyUnused remembers the session when its use will be due to be recorded in a
// second.
func (w *world) nearlyUnused(g session.Grant) {
	w.t.Helper()
	w.clocks.pass(session.TouchEvery - time.Second)
	w.live(g)
}

func (w *world) dead(g session.Grant) {
	w.t.Helper()
	i, err := w.lookup(g)
	assert.ErrorIs(w.t, err, session.ErrNoSession)
	assert.True(w.t, i == nil, "no identity")
}

// finds returns how many times fn asked the database.
func (w *world) finds(fn func()) int64 {
	before := w.store.finds.Load()
	fn()
	return w.store.finds.Load() - before
}

// waiting returns when n callers wait for the answer to somebody else's question.
func waiting(t *testing.T, w *world, n int) {
	t.Helper()
	for t.Context().Err() == nil && sessioncache.Waiting(w.cache) < n {
		runtime.Gosched()
	}
}

func tokenKey(raw string) ([32]byte, bool) { return sessioncache.TokenKey(raw) }

func sessionKey(id string, epoch int64) ([32]byte, bool) { return sessioncache.SessionKey(id, epoch) }
