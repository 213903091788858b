package sessiontest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// The numbers of rule R14 and of session.Config, written down once more: the
// model shares nothing with what it judges.
const (
	modelGrace    = 10 * time.Second
	modelReplays  = 3
	modelIdle     = 30 * 24 * time.Hour
	modelAbsolute = 90 * 24 * time.Hour
	modelAccess   = 10 * time.Minute
	modelTouch    = time.Minute
)

// modelFamily is what a bearer session has to be.
type modelFamily struct {
	id       string
	version  int64
	tokens   []string // by generation from 1; "" where the answer got lost
	access   string   // the latest
	minted   time.Time
	epoch    int64
	rotated  time.Time
	replays  int
	lastSeen time.Time
	idle     time.Time
	ends     time.Time
	revoked  bool
}

func (f *modelFamily) generation() int { return len(f.tokens) }

// outcome is what a refresh has to come to.
type outcome int

const (
	refused outcome = iota
	rotated
	repeated
	tooOften
)

func (o outcome) String() string {
	return [...]string{"refused", "rotated", "repeated", "too often"}[o]
}

// model is one user with bearer sessions beside the service that keeps them.
type model struct {
	Env
	t        *testing.T
	random   *rand.Rand
	svc      *session.Service
	keys     *crypto.Keyring
	crash    *crashing
	user     UserState
	families []*modelFamily
	reused   atomic.Int64

	mu    sync.Mutex
	clock time.Time
}

func newModel(t *testing.T, env Env, seed uint64) *model {
	t.Helper()
	m := &model{
		Env: env, t: t, random: rand.New(rand.NewPCG(seed, 0)), keys: cryptotest.NewKeyring(t),
		crash: &crashing{Store: env.Store}, clock: env.Store.Now(),
	}
	m.user = UserState{User: session.User{ID: newID(), CreatedAt: m.clock, UpdatedAt: m.clock}, SecurityVersion: 1}
	m.putUser()
	svc, err := session.New(m.crash, session.Config{
		Peppers: m.keys, AccessTokens: NewAccessTokens(m.now), Users: modelUsers{m}, Now: m.now,
		Hooks: session.Hooks{RefreshReused: func(context.Context, session.RefreshReused) error {
			m.reused.Add(1)
			return nil
		}},
	})
	assert.NoError(t, err)
	m.svc = svc
	return m
}

func (m *model) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock
}

func (m *model) step(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = m.clock.Add(d)
}

func (m *model) putUser() {
	m.t.Helper()
	assert.NoError(m.t, m.PutUser(m.t.Context(), m.user))
}

func (m *model) admits(f *modelFamily) bool {
	return !f.revoked && !m.user.Banned && m.user.SecurityVersion == f.version
}

func (m *model) live(f *modelFamily) bool { return m.clock.Before(f.idle) && m.clock.Before(f.ends) }

// start begins a family, unless the user may not sign in.
func (m *model) start() {
	m.t.Helper()
	grant, err := m.svc.StartTrusted(m.t.Context(), session.TrustedStart{
		UserID: m.user.ID, SecurityVersion: m.user.SecurityVersion, Bearer: true,
	})
	assert.NoError(m.t, err)
	f := &modelFamily{
		id: grant.Session.ID, version: m.user.SecurityVersion, lastSeen: m.clock,
		idle: m.clock.Add(modelIdle), ends: m.clock.Add(modelAbsolute),
	}
	f.tokens = []string{grant.Pair.Refresh.Reveal()}
	m.keep(f, grant.Pair)
	m.families = append(m.families, f)
}

// keep takes the access token of an answer.
func (m *model) keep(f *modelFamily, pair session.Pair) {
	m.t.Helper()
	f.access, f.minted, f.epoch = pair.Access.Reveal(), m.clock, f.version
	assert.True(m.t, pair.RefreshEndsAt.Equal(f.idle), "the answer names the idle end")
}

// expect says what a refresh with the token of one generation has to come to, and
// moves the model there.
func (m *model) expect(f *modelFamily, generation int) outcome {
	age := m.clock.Sub(f.rotated)
	inGrace := generation == f.generation()-1 && age >= 0 && age <= modelGrace
	switch {
	case f.revoked:
		return refused
	case generation == f.generation():
		if !m.admits(f) || !m.live(f) {
			return refused
		}
		f.rotated, f.replays, f.lastSeen = m.clock, 0, m.clock
		f.idle = earlier(m.clock.Add(modelIdle), f.ends)
		f.tokens = append(f.tokens, "")
		return rotated
	case inGrace && f.replays >= modelReplays:
		return tooOften
	case inGrace && (!m.admits(f) || !m.live(f)):
		return refused
	case inGrace:
		f.replays++
		return repeated
	}
	f.revoked = true
	return refused
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// refresh presents a token that the client knows and holds the answer against the
// model.
func (m *model) refresh(f *modelFamily, generation int) {
	m.t.Helper()
	ended, reused := f.revoked, m.reused.Load()
	pair, err := m.svc.Refresh(m.t.Context(), f.tokens[generation-1])
	m.judge(f, m.expect(f, generation), pair, err)
	if told := m.reused.Load() - reused; told != 0 && ended || (told == 1) != (f.revoked != ended) {
		m.t.Errorf("the hook was told of %d reuses", told)
	}
}

// judge compares one answer with what it has to be.
func (m *model) judge(f *modelFamily, want outcome, pair session.Pair, err error) {
	m.t.Helper()
	if got := outcomeOf(err, want); got != want {
		m.t.Errorf("refresh: %v (%v), want %v", got, err, want)
		return
	}
	if want != rotated && want != repeated {
		assert.True(m.t, pair == session.Pair{}, "a refusal has no tokens")
		return
	}
	newest := &f.tokens[f.generation()-1]
	if *newest != "" && *newest != pair.Refresh.Reveal() {
		m.t.Error("a parent has two successors")
	}
	*newest = pair.Refresh.Reveal()
	m.keep(f, pair)
}

// outcomeOf reads an answer; which of the two good ones it is only the model knows.
func outcomeOf(err error, want outcome) outcome {
	switch {
	case err == nil && want == repeated:
		return repeated
	case err == nil:
		return rotated
	case errors.Is(err, session.ErrRefreshRepeated):
		return tooOften
	case errors.Is(err, session.ErrNoRefresh):
		return refused
	}
	return -1
}

// check holds what is stored against the model, and the latest access token, too.
func (m *model) check(f *modelFamily) {
	m.t.Helper()
	row, err := m.Store.FindFamily(m.t.Context(), f.id)
	if f.revoked {
		assert.ErrorIs(m.t, err, session.ErrNoSession)
	} else {
		assert.NoError(m.t, err)
		assert.Equal(m.t, row.Generation, int64(f.generation()))
		assert.Equal(m.t, row.Replays, f.replays)
		assert.Equal(m.t, row.SecurityVersion, f.version)
		assert.True(m.t, row.RotatedAt.Equal(f.rotated), "the time of the rotation")
		assert.True(m.t, row.IdleEndsAt.Equal(f.idle), "the idle end")
	}
	_, err = m.svc.LookupAccess(m.t.Context(), f.access)
	ends := earlier(f.minted.Add(modelAccess), f.idle)
	opens := m.admits(f) && m.live(f) && f.epoch == m.user.SecurityVersion && m.clock.Before(ends)
	if opens != (err == nil) || err != nil && !errors.Is(err, session.ErrNoSession) {
		m.t.Errorf("the access token opens: %v, want %v", err, opens)
	}
	if opens && m.clock.Sub(f.lastSeen) >= modelTouch {
		f.lastSeen, f.idle = m.clock, earlier(m.clock.Add(modelIdle), f.ends)
	}
}

// crashing loses answers: the call is done, and its caller never knows.
type crashing struct {
	session.Store
	next atomic.Bool
}

func (c *crashing) RotateFamily(ctx context.Context, r session.Rotation) (session.Family, error) {
	row, err := c.Store.RotateFamily(ctx, r)
	if err == nil && c.next.CompareAndSwap(true, false) {
		return session.Family{}, problem.ErrUnavailable
	}
	return row, err
}

// modelUsers raises the version that the model keeps.
type modelUsers struct{ m *model }

// Hold implements session.Users.
func (modelUsers) Hold(context.Context, string) error { return nil }

// RaiseVersion implements session.Users.
func (u modelUsers) RaiseVersion(ctx context.Context, _ string) (int64, error) {
	u.m.user.SecurityVersion++
	return u.m.user.SecurityVersion, u.m.PutUser(ctx, u.m.user)
}
