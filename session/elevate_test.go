package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

// proof says that u1 has just proven the channel.
func (w *world) proof(channel string) door.Proof {
	return door.NewProof(door.Proven{UserID: "u1", SecurityVersion: 1, Channel: channel, At: w.clock.Now()})
}

// elevate elevates the session that the grant opens.
func (w *world) elevate(g session.Grant, channel string) session.Grant {
	w.t.Helper()
	grant, err := w.svc.Elevate(w.t.Context(), w.live(g).Principal(), w.proof(channel))
	assert.NoError(w.t, err)
	return grant
}

func TestCVE2024_28197_TheTokenFromBeforeAnElevationIsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	seen := map[string]bool{grant.Token.Reveal(): true}
	for _, channel := range []string{"totp", "totp", "password", "passkey:1", "recovery"} {
		next := w.elevate(grant, channel)
		w.dead(grant)
		assert.Equal(t, next.Session.ID, grant.Session.ID)
		assert.False(t, seen[next.Token.Reveal()], "every elevation has a token of its own")
		seen[next.Token.Reveal()] = true
		assert.Equal(t, w.live(next).Session, next.Session)
		grant = next
	}
	for raw := range seen {
		_, err := w.svc.Lookup(t.Context(), raw)
		assert.Equal(t, err == nil, raw == grant.Token.Reveal())
	}
	assert.Len(t, assert.Must(w.svc.List(t.Context(), "u1", ""))(t), 1)
}

func TestR12_ElevationMakesFreshByItsChannelAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	p := w.live(grant).Principal()
	signedIn := w.clock.Now().Truncate(time.Microsecond)
	assert.Equal(t, p.FreshAt, signedIn)
	assert.Equal(t, p.FreshChannels, []string{"password"})
	w.clock.advance(time.Hour)
	grant = w.elevate(grant, "totp")
	p = w.live(grant).Principal()
	assert.Equal(t, p.FreshAt, w.clock.Now().Truncate(time.Microsecond))
	assert.Equal(t, p.FreshChannels, []string{"totp"})
	assert.Equal(t, p.AuthenticatedAt, signedIn)
	assert.Equal(t, p.Assurance, 2)
	assert.Equal(t, p.Channels, []string{"password", "totp"})
	w.clock.advance(time.Minute)
	p = w.live(w.elevate(grant, "password")).Principal()
	assert.Equal(t, p.FreshChannels, []string{"password"})
	assert.False(t, session.Fresh(enrolled(p), w.clock.Now(), time.Hour), "a password is no second factor")
	assert.Equal(t, p.Assurance, 2)
	assert.Equal(t, p.Channels, []string{"password", "totp"})
}

// Assurance only rises, whatever is proven in whatever order.
func TestR11_ElevationNeverLowersAssurance(t *testing.T) {
	t.Parallel()
	for _, first := range allChannels() {
		for _, second := range allChannels() {
			for _, third := range allChannels() {
				w := newWorld(t, nil)
				facts := w.facts("u1")
				facts.Channels = []string{first}
				a := w.start(facts)
				b := w.elevate(a, second)
				c := w.elevate(b, third)
				levels := []int{a.Session.Assurance(), b.Session.Assurance(), c.Session.Assurance()}
				two := first != second && isStrong(second)
				three := two || isStrong(third) && (third != first || third != second)
				if want := []int{1, level(two), level(three)}; levels[0] != want[0] || levels[1] != want[1] || levels[2] != want[2] {
					t.Errorf("%s, %s, %s: %v, want %v", first, second, third, levels, want)
				}
			}
		}
	}
}

func level(two bool) int {
	if two {
		return 2
	}
	return 1
}

func TestElevationKeepsToTheBoundOfChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	for i := range 20 {
		grant = w.elevate(grant, "passkey:"+strings.Repeat("x", i+1))
	}
	channels := w.live(grant).Session.Channels
	assert.Len(t, channels, 8)
	assert.Equal(t, channels[0], "password")
	assert.Equal(t, channels[7], "passkey:"+strings.Repeat("x", 20))
}

func TestR2_OnlyTheUsersOwnYoungProofElevates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", nil)
	grant := w.start(w.facts("u1"))
	caller := w.live(grant).Principal()
	of := func(change func(*door.Proven)) door.Proof {
		p := door.Proven{UserID: "u1", SecurityVersion: 1, Channel: "totp", At: w.clock.Now()}
		change(&p)
		return door.NewProof(p)
	}
	as := func(change func(*principal.Principal)) *principal.Principal {
		p := *caller
		change(&p)
		return &p
	}
	for name, c := range map[string]struct {
		caller *principal.Principal
		proof  door.Proof
		want   error
	}{
		"no proof":          {caller, door.Proof{}, session.ErrNoPass},
		"somebody else's":   {caller, of(func(p *door.Proven) { p.UserID = "u2" }), session.ErrNoPass},
		"too old":           {caller, of(func(p *door.Proven) { p.At = p.At.Add(-11 * time.Minute) }), session.ErrNoPass},
		"two channels":      {caller, of(func(p *door.Proven) { p.Channel = "totp password" }), session.ErrNoPass},
		"an older version":  {caller, of(func(p *door.Proven) { p.SecurityVersion = 0 }), session.ErrNoSession},
		"a newer version":   {caller, of(func(p *door.Proven) { p.SecurityVersion = 2 }), session.ErrNoSession},
		"nobody":            {nil, w.proof("totp"), session.ErrNoPass},
		"no session":        {as(func(p *principal.Principal) { p.SessionID = "" }), w.proof("totp"), session.ErrNoPass},
		"an API key":        {as(func(p *principal.Principal) { p.APIKeyID = "k" }), w.proof("totp"), problem.ErrForbidden},
		"R22: impersonated": {as(func(p *principal.Principal) { p.ImpersonatorID = "s" }), w.proof("totp"), problem.ErrForbidden},
		"another session":   {as(func(p *principal.Principal) { p.SessionID = "x" }), w.proof("totp"), session.ErrNoSession},
	} {
		if _, err := w.svc.Elevate(t.Context(), c.caller, c.proof); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	assert.Equal(t, w.live(grant).Session, grant.Session)
}

// The second elevation was asked for by a request that came with the token that
// the first one replaced.
func TestAStaleTokensRequestElevatesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	stale := w.live(grant).Principal()
	next := w.elevate(grant, "totp")
	_, err := w.svc.Elevate(t.Context(), stale, w.proof("totp"))
	assert.ErrorIs(t, err, session.ErrNoSession)
	w.live(next)
}

func TestR1_ElevationDoesNotOutliveWhatEndsSessions(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, g session.Grant){
		"sign-out": func(w *world, g session.Grant) {
			assert.NoError(w.t, w.svc.SignOut(w.t.Context(), g.Token.Reveal()))
		},
		"reset":    func(w *world, _ session.Grant) { assert.Must(w.fake.RaiseVersion(w.t.Context(), "u1"))(w.t) },
		"ban":      func(w *world, _ session.Grant) { w.user("u1", func(u *sessiontest.UserState) { u.Banned = true }) },
		"deletion": func(w *world, _ session.Grant) { w.user("u1", func(u *sessiontest.UserState) { u.Gone = true }) },
		"idling":   func(w *world, _ session.Grant) { w.clock.advance(7 * 24 * time.Hour) },
		"the end":  func(w *world, _ session.Grant) { w.clock.advance(30 * 24 * time.Hour) },
	} {
		w := newWorld(t, nil)
		grant := w.start(w.facts("u1"))
		caller := w.live(grant).Principal()
		end(w, grant)
		if _, err := w.svc.Elevate(t.Context(), caller, w.proof("totp")); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
		w.dead(grant)
	}
}

func TestElevationHookIsPartOfIt(t *testing.T) {
	t.Parallel()
	var told []session.SessionElevated
	var refuse error
	w := newWorld(t, func(c *session.Config) {
		c.Hooks.SessionElevated = func(_ context.Context, e session.SessionElevated) error {
			told = append(told, e)
			return refuse
		}
	})
	grant := w.start(w.facts("u1"))
	next := w.elevate(grant, "totp")
	assert.Equal(t, told, []session.SessionElevated{{Session: next.Session, Channel: "totp"}})
	refuse = errors.New("not this time")
	_, err := w.svc.Elevate(t.Context(), w.live(next).Principal(), w.proof("totp"))
	assert.ErrorIs(t, err, refuse)
	w.live(next)
}

func TestR12_FiveFailedStepUpsEndTheSession(t *testing.T) {
	t.Parallel()
	var revoked []string
	w := newWorld(t, func(c *session.Config) {
		c.Hooks.SessionRevoked = func(_ context.Context, e session.SessionRevoked) error {
			revoked = append(revoked, e.SessionID)
			return nil
		}
	})
	grant, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	fail := func(n int, want bool) {
		t.Helper()
		for range n {
			assert.Equal(t, assert.Must(w.svc.RecordStepUpFailure(t.Context(), &principal.Principal{UserID: "u1", SessionID: grant.Session.ID}))(t), want)
		}
	}
	fail(4, false)
	grant = w.elevate(grant, "password") // whoever gets it right starts anew
	fail(4, false)
	w.live(grant)
	fail(1, true)
	w.dead(grant)
	fail(2, true)
	assert.Equal(t, revoked, []string{grant.Session.ID})
	w.live(other)
}

func TestR8_FailuresCommitAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	caller := w.live(grant).Principal()
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.svc.RecordStepUpFailure(ctx, caller)
		assert.ErrorIs(t, err, session.ErrInTransaction)
		return nil
	}))
	w.fake.SetDown(true)
	_, err := w.svc.RecordStepUpFailure(t.Context(), caller)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	_, err = w.svc.Elevate(t.Context(), caller, w.proof("totp"))
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	w.fake.SetDown(false)
	w.live(grant)
}

func TestNISTLifetimes(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, c := range []struct {
		channels       []string
		browserOnly    bool
		idle, absolute time.Duration
	}{
		{[]string{"password"}, false, 7 * day, 30 * day},
		{[]string{"password"}, true, day, day},
		{[]string{"password", "totp"}, false, time.Hour, day},
		{[]string{"password", "totp"}, true, time.Hour, day},
	} {
		w := newWorld(t, func(cfg *session.Config) {
			peppers, logger := cfg.Peppers, cfg.Logger
			*cfg = session.NIST()
			cfg.Peppers, cfg.Logger = peppers, logger
		})
		facts := w.facts("u1")
		facts.Channels, facts.BrowserOnly = c.channels, c.browserOnly
		s := w.start(facts).Session
		assert.Equal(t, s.IdleEndsAt.Sub(s.CreatedAt), c.idle)
		assert.Equal(t, s.EndsAt.Sub(s.CreatedAt), c.absolute)
	}
	assert.Equal(t, session.NIST().Level3, session.Lifetime{Idle: 15 * time.Minute, Absolute: 12 * time.Hour})
}

func TestLevelsAreValidated(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*session.Config){
		"idle shorter than its record": func(c *session.Config) { c.Level2.Idle = time.Minute },
		"negative idle":                func(c *session.Config) { c.Level3.Idle = -time.Hour },
		"absolute shorter than that":   func(c *session.Config) { c.Level3.Absolute = time.Second },
		"negative absolute":            func(c *session.Config) { c.Level2.Absolute = -time.Hour },
	} {
		cfg := session.Config{Peppers: &peppers{}}
		change(&cfg)
		if _, err := session.New(sessiontest.NewFake(nil), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever a user does and however the clock runs, a session never outlives what
// its assurance allows, its end never moves to a later time, and its token lives
// exactly as long as the model says.
func TestNIST_PropertyOverTheClock(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t, func(cfg *session.Config) {
			peppers, logger := cfg.Peppers, cfg.Logger
			*cfg = session.NIST()
			cfg.Peppers, cfg.Logger = peppers, logger
		})
		bounds := map[int]session.Lifetime{1: {Idle: 7 * 24 * time.Hour, Absolute: 30 * 24 * time.Hour}, 2: session.NIST().Level2}
		facts := w.facts("u1")
		if random.IntN(2) == 0 {
			facts.Channels = []string{"password", "totp"}
		}
		grant := w.start(facts)
		ends, idleEnds := grant.Session.EndsAt, grant.Session.IdleEndsAt
		reached := map[int]time.Time{grant.Session.Assurance(): w.clock.Now()}
		for range 60 {
			w.clock.advance(time.Duration(random.Int64N(int64(90 * time.Minute))))
			if random.IntN(10) == 0 {
				w.clock.advance(time.Duration(random.Int64N(int64(48 * time.Hour))))
			}
			now := w.clock.Now()
			identity, err := w.lookup(grant)
			if live := now.Before(ends) && now.Before(idleEnds); live != (err == nil) {
				t.Fatalf("seed %d: live %v, lookup: %v", seed, live, err)
			}
			if err != nil {
				break
			}
			if random.IntN(8) == 0 {
				grant = w.elevate(grant, allChannels()[random.IntN(6)])
				identity = w.live(grant)
			}
			s := identity.Session
			if _, ok := reached[s.Assurance()]; !ok {
				reached[s.Assurance()] = now
			}
			bound := bounds[s.Assurance()]
			if s.EndsAt.After(ends) || s.EndsAt.After(reached[s.Assurance()].Add(bound.Absolute)) ||
				s.IdleEndsAt.After(now.Add(bound.Idle)) || s.IdleEndsAt.After(s.EndsAt) {
				t.Fatalf("seed %d: at %v, assurance %d: idle end %v, end %v, before %v", seed, now, s.Assurance(), s.IdleEndsAt, s.EndsAt, ends)
			}
			ends, idleEnds = s.EndsAt, s.IdleEndsAt
		}
	}
}

func TestASVS7_1_2_OneMoreSignInEndsTheSessionLeftAloneLongest(t *testing.T) {
	t.Parallel()
	var revoked []string
	w := newWorld(t, func(c *session.Config) {
		c.MaxPerUser = 3
		c.Hooks.SessionRevoked = func(_ context.Context, e session.SessionRevoked) error {
			revoked = append(revoked, e.SessionID)
			return nil
		}
	})
	w.user("u2", nil)
	foreign := w.start(w.facts("u2"))
	a := w.start(w.facts("u1"))
	w.clock.advance(time.Minute)
	b, c := w.start(w.facts("u1")), w.start(w.facts("u1"))
	w.clock.advance(time.Minute)
	w.live(a) // used: now b and c are the ones left alone
	d := w.start(w.facts("u1"))
	w.dead(b)
	for _, g := range []session.Grant{a, c, d, foreign} {
		w.live(g)
	}
	assert.Equal(t, revoked, []string{b.Session.ID})
	w.clock.advance(time.Minute)
	w.live(a)
	w.live(c)
	w.live(w.start(w.facts("u1")))
	w.dead(d)
	assert.Len(t, assert.Must(w.svc.List(t.Context(), "u1", ""))(t), 3)
}

func TestSessionsAreLimitedByDefaultAndNotIfTheHostSaysSo(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 100, -1: 120, 1: 1} {
		w := newWorld(t, func(c *session.Config) { c.MaxPerUser = limit })
		for range 120 {
			w.start(w.facts("u1"))
		}
		assert.Len(t, assert.Must(w.svc.List(t.Context(), "u1", ""))(t), want)
	}
}

// A level bounds in addition to whatever else does.
func TestLevelsOnlyShorten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level          session.Lifetime
		idle, absolute time.Duration
	}{
		{session.Lifetime{}, 2 * time.Hour, 10 * time.Hour},
		{session.Lifetime{Idle: time.Hour}, time.Hour, 10 * time.Hour},
		{session.Lifetime{Idle: 9 * time.Hour}, 2 * time.Hour, 10 * time.Hour},
		{session.Lifetime{Absolute: time.Hour}, time.Hour, time.Hour},
		{session.Lifetime{Absolute: 99 * time.Hour}, 2 * time.Hour, 10 * time.Hour},
	} {
		w := newWorld(t, func(cfg *session.Config) { cfg.Idle, cfg.Absolute, cfg.Level2 = 2*time.Hour, 10*time.Hour, c.level })
		facts := w.facts("u1")
		facts.Channels = []string{"password", "totp"}
		s := w.start(facts).Session
		assert.Equal(t, s.IdleEndsAt.Sub(s.CreatedAt), c.idle)
		assert.Equal(t, s.EndsAt.Sub(s.CreatedAt), c.absolute)
	}
}

// signer is an AccessTokens whose tokens are their claims.
type signer struct{}

func (signer) Mint(_ context.Context, c session.AccessClaims) (token.Secret, error) {
	text, err := json.Marshal(c)
	return token.NewSecret(string(text)), err
}

func (signer) Verify(_ context.Context, raw string) (c session.AccessClaims, err error) {
	if json.Unmarshal([]byte(raw), &c) != nil {
		return c, session.ErrNoSession
	}
	return c, nil
}

// hexPeppers names its key as bearer sessions want it.
type hexPeppers struct{ *peppers }

func (p hexPeppers) ActiveSubkey(ctx context.Context, purpose, label string) (string, []byte, error) {
	key, err := p.Subkey(ctx, purpose, label, "0123456789abcdef")
	return "0123456789abcdef", key, err
}

// bearerWorld is a world with bearer sessions.
func bearerWorld(t *testing.T, change func(*session.Config)) *world {
	t.Helper()
	return newWorld(t, func(c *session.Config) {
		if change != nil {
			change(c)
		}
		c.Peppers, c.AccessTokens = hexPeppers{&peppers{}}, signer{}
	})
}

func TestCVE2024_28197_ABearersTokensFromBeforeAnElevationAreDead(t *testing.T) {
	t.Parallel()
	w := bearerWorld(t, nil)
	facts := w.facts("u1")
	facts.Bearer = true
	before := w.start(facts)
	access := func(g session.Grant) (*session.Identity, error) {
		return w.svc.LookupAccess(t.Context(), g.Pair.Access.Reveal())
	}
	caller := assert.Must(access(before))(t).Principal()
	after := assert.Must(w.svc.Elevate(t.Context(), caller, w.proof("totp")))(t)
	assert.Equal(t, after.Session.ID, before.Session.ID)
	assert.True(t, after.Session.Bearer && after.Token.Reveal() == "", "R16: a bearer session stays one")
	_, err := access(before)
	assert.ErrorIs(t, err, session.ErrNoSession)
	p := assert.Must(access(after))(t).Principal()
	assert.True(t, session.Fresh(enrolled(p), w.clock.Now(), time.Minute), "what was proven is fresh")
	assert.Equal(t, p.Assurance, 2)

	// The refresh token from before buys nothing, and the session lives on while a
	// client may not have heard of the elevation.
	_, err = w.svc.Refresh(t.Context(), before.Pair.Refresh.Reveal())
	assert.ErrorIs(t, err, session.ErrRefreshRepeated)
	pair := assert.Must(w.svc.Refresh(t.Context(), after.Pair.Refresh.Reveal()))(t)
	p = assert.Must(w.svc.LookupAccess(t.Context(), pair.Access.Reveal()))(t).Principal()
	assert.True(t, session.Fresh(enrolled(p), w.clock.Now(), time.Minute), "a refresh keeps it fresh")

	// An elevation asked for with a replaced token elevates nothing.
	_, err = w.svc.Elevate(t.Context(), caller, w.proof("totp"))
	assert.ErrorIs(t, err, session.ErrNoSession)

	// Later, the old token coming back ends the family (rule R14).
	w.clock.advance(11 * time.Second)
	_, err = w.svc.Refresh(t.Context(), before.Pair.Refresh.Reveal())
	assert.ErrorIs(t, err, session.ErrNoRefresh)
	_, err = w.svc.LookupAccess(t.Context(), pair.Access.Reveal())
	assert.ErrorIs(t, err, session.ErrNoSession)
}

// A clock that stands still, or is set back, revives no token: of any number of
// elevations only the last one's pair works.
func TestCVE2024_28197_AClockSetBackRevivesNoToken(t *testing.T) {
	t.Parallel()
	w := bearerWorld(t, nil)
	facts := w.facts("u1")
	facts.Bearer = true
	grant := w.start(facts)
	var dead []string
	for _, step := range []time.Duration{0, 0, 0, -time.Second, 0, time.Second, -30 * time.Second, 0} {
		w.clock.advance(step)
		caller := assert.Must(w.svc.LookupAccess(t.Context(), grant.Pair.Access.Reveal()))(t).Principal()
		dead = append(dead, grant.Pair.Access.Reveal())
		grant = assert.Must(w.svc.Elevate(t.Context(), caller, w.proof("password")))(t)
		for i, raw := range dead {
			if _, err := w.svc.LookupAccess(t.Context(), raw); !errors.Is(err, session.ErrNoSession) {
				t.Errorf("after %d elevations the access token of number %d works: %v", len(dead), i, err)
			}
		}
		assert.True(t, session.Fresh(assert.Must(w.svc.LookupAccess(t.Context(), grant.Pair.Access.Reveal()))(t).Principal(),
			w.clock.Now(), time.Minute), "the proof counts")
	}
}

func TestNISTBoundsBearersAcrossElevationAndRefresh(t *testing.T) {
	t.Parallel()
	w := bearerWorld(t, func(c *session.Config) { *c = session.NIST() })
	facts := w.facts("u1")
	facts.Bearer = true
	grant := w.start(facts)
	assert.Equal(t, grant.Session.EndsAt.Sub(grant.Session.CreatedAt), 30*24*time.Hour)
	caller := assert.Must(w.svc.LookupAccess(t.Context(), grant.Pair.Access.Reveal()))(t).Principal()
	grant = assert.Must(w.svc.Elevate(t.Context(), caller, w.proof("totp")))(t)
	now := w.clock.Now().Truncate(time.Microsecond)
	assert.Equal(t, grant.Pair.RefreshEndsAt, now.Add(time.Hour))
	assert.Equal(t, grant.Session.EndsAt, now.Add(24*time.Hour))
	w.clock.advance(30 * time.Minute)
	pair := assert.Must(w.svc.Refresh(t.Context(), grant.Pair.Refresh.Reveal()))(t)
	assert.Equal(t, pair.RefreshEndsAt, now.Add(90*time.Minute))
	w.clock.advance(time.Hour)
	_, err := w.svc.Refresh(t.Context(), pair.Refresh.Reveal())
	assert.ErrorIs(t, err, session.ErrNoRefresh)
}
