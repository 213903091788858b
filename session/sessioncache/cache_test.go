package sessioncache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/session/sessiontest"
)

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, cfg := range map[string]sessioncache.Config{
		"negative bound":   {Bound: -1},
		"no time at all":   {Bound: time.Microsecond},
		"a bound too long": {Bound: 31 * time.Second},
		"negative entries": {MaxEntries: -1},
		"too many entries": {MaxEntries: 1 << 30},
		"negative poll":    {Poll: -1},
	} {
		if _, err := sessioncache.New(w.svc, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := sessioncache.New(nil, sessioncache.Config{})
	assert.Error(t, err)
	assert.Must(sessioncache.New(w.svc, sessioncache.Config{}))(t)
}

func TestR17_AnEntryDiesByTheBoundWhateverElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
	w.clocks.age(bound - 1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
	w.clocks.age(1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	// The clock on the wall may be set: back or forth, the age stays what it is.
	w.clocks.setWall(-time.Hour)
	w.clocks.age(bound - 1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
	w.clocks.age(1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
}

func TestR17_TheBoundCountsFromBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	stalled := w.store.stall()
	answered := make(chan error, 1)
	go func() {
		_, err := w.lookup(grant)
		answered <- err
	}()
	<-stalled.reached
	w.clocks.age(bound - 1)
	close(stalled.release)
	assert.NoError(t, <-answered)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
	w.clocks.age(1)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
}

func TestR17_AnAnswerOlderThanTheBoundIsNeitherKeptNorShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	stalled := w.store.stall()
	answered := make(chan error, 2)
	ask := func() {
		_, err := w.lookup(grant)
		answered <- err
	}
	go ask()
	<-stalled.reached
	go ask()
	waiting(t, w, 1)
	w.clocks.age(bound)
	before := w.store.finds.Load()
	close(stalled.release)
	assert.NoError(t, <-answered)
	assert.NoError(t, <-answered)
	assert.Equal(t, w.store.finds.Load()-before, 1) // the second asked by itself
}

func TestR17_MissesAreNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	w.put("u1", func(u *sessiontest.UserState) { u.Banned = true })
	for range 3 {
		assert.Equal(t, w.finds(func() { w.dead(grant) }), 1)
	}
	w.put("u1", nil)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	w.live(grant)
	assert.NoError(t, w.svc.SignOut(t.Context(), grant.Token.Reveal()))
	assert.Equal(t, w.finds(func() { w.dead(grant) }), 1)
	assert.Equal(t, w.finds(func() { w.dead(grant) }), 1)
}

func TestJunkAsksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	w.live(grant)
	raw := grant.Token.Reveal()
	assert.Equal(t, w.finds(func() {
		for i := range len(raw) {
			for _, c := range []byte("0aZ_ \x00\xff") {
				if c == raw[i] {
					continue
				}
				_, err := w.cache.Lookup(t.Context(), raw[:i]+string([]byte{c})+raw[i+1:])
				assert.ErrorIs(t, err, session.ErrNoSession)
			}
		}
		for _, junk := range []string{"", raw[1:], raw[:61], raw + "0", raw + raw, " " + raw, strings.ToUpper(raw)} {
			_, err := w.cache.Lookup(t.Context(), junk)
			assert.ErrorIs(t, err, session.ErrNoSession)
		}
		for _, junk := range []string{"", "x", raw, strings.Repeat("0", 36), grant.Session.ID + "0"} {
			_, err := w.cache.LookupSession(t.Context(), junk, 1)
			assert.ErrorIs(t, err, session.ErrNoSession)
		}
	}), 0)
}

func TestIdleAndAbsoluteEndsAreJudgedOnEveryHit(t *testing.T) {
	t.Parallel()
	for name, life := range map[string]session.Config{
		"idle":     {Idle: time.Hour},
		"absolute": {Idle: time.Hour, Absolute: time.Hour, BrowserOnly: time.Hour},
	} {
		w := newWorldOf(t, life, nil)
		w.store.unused.Store(true)
		grant := w.signIn()
		w.clocks.pass(time.Hour - time.Second)
		assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
		w.clocks.pass(time.Second - time.Microsecond)
		assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
		w.clocks.pass(time.Microsecond)
		if w.finds(func() { w.dead(grant) }) != 1 {
			t.Errorf("%s: answered from memory", name)
		}
	}
}

// The moment a policy begins to demand a second factor, the session is restricted,
// remembered or not.
func TestR13_APolicyIsJudgedOnEveryHit(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, session.Config{}, nil)
	w.store.unused.Store(true)
	due := w.clocks.now().Add(time.Hour)
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", "member"))
	assert.NoError(t, w.fake.PutPolicy(t.Context(), "o1", principal.SecondFactorPolicy{From: due}))
	grant := w.signInAs("u1", "o1")
	w.clocks.pass(time.Hour - time.Second)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	w.clocks.pass(time.Second - time.Microsecond)
	assert.Equal(t, w.finds(func() { assert.Equal(t, w.live(grant).Role, "member") }), 0)
	w.clocks.pass(time.Microsecond)
	assert.Equal(t, w.finds(func() { assert.Equal(t, w.live(grant).Role, "") }), 1)
	assert.Equal(t, w.finds(func() { assert.Equal(t, w.live(grant).SecondFactor.OrganizationID, "o1") }), 0)
}

func TestASessionUsedElsewhereLives(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, session.Config{Idle: time.Hour}, nil)
	w.store.unused.Store(true)
	grant := w.signIn()
	w.clocks.pass(time.Hour - time.Second)
	w.live(grant)
	assert.NoError(t, w.fake.TouchSession(t.Context(), session.Touch{ // by another process
		ID: grant.Session.ID, SeenAt: w.clocks.now(), IdleEndsAt: w.clocks.now().Add(time.Hour), Before: w.clocks.now(),
	}))
	w.clocks.pass(time.Second)
	// What is remembered says that the session idled; the database knows better.
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
}

func TestUseIsRecordedOnceAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	for range 180 {
		w.clocks.pass(time.Second)
		w.live(grant)
	}
	assert.Equal(t, w.store.touches.Load(), 3)
	assert.Equal(t, w.live(grant).Session.LastSeenAt, w.clocks.now())
	// On a hit, too, and every hit after it knows.
	w.nearlyUnused(grant)
	w.clocks.pass(time.Second)
	assert.Equal(t, w.finds(func() { assert.Equal(t, w.live(grant).Session.LastSeenAt, w.clocks.now()) }), 0)
	first, second := w.live(grant), w.live(grant)
	assert.True(t, first == second, "the identity is shared")
	assert.Equal(t, w.store.touches.Load(), 4)
}

func TestPromise12_EntriesOutliveAnOutageForTheBoundOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant, access := w.signIn(), w.signInBearer()
	w.nearlyUnused(grant)
	assert.Must(access())(t)
	w.fake.SetDown(true) // the use cannot be recorded
	w.clocks.pass(bound - time.Microsecond)
	for range 3 {
		w.live(grant)
		assert.Must(access())(t)
	}
	assert.Equal(t, w.store.touches.Load(), 2) // tried once
	w.clocks.pass(time.Microsecond)
	for range 2 {
		for _, ask := range []func() (*session.Identity, error){func() (*session.Identity, error) { return w.lookup(grant) }, access} {
			i, err := ask()
			assert.ErrorIs(t, err, problem.ErrUnavailable)
			assert.True(t, i == nil && !errors.Is(err, session.ErrNoSession), "an outage is no sign-out")
		}
	}
	w.fake.SetDown(false)
	w.live(grant)
	assert.Must(access())(t)
}

// signInBearer starts a bearer session and returns how it is looked up.
func (w *world) signInBearer() func() (*session.Identity, error) {
	w.t.Helper()
	w.users++
	user := fmt.Sprintf("u%d", w.users)
	w.put(user, nil)
	grant := assert.Must(w.svc.StartTrusted(w.t.Context(), session.TrustedStart{UserID: user, SecurityVersion: 1, Bearer: true}))(w.t)
	return func() (*session.Identity, error) {
		return w.cache.LookupSession(w.t.Context(), grant.Session.ID, 1)
	}
}

func TestATransactionAsksTheDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant, access := w.signIn(), w.signInBearer()
	w.live(grant)
	bearer := assert.Must(access())(t)
	stop := errors.New("stop here")
	err := w.fake.InTx(t.Context(), func(ctx context.Context) error {
		raw := grant.Token.Reveal()
		if err := w.svc.SignOut(ctx, raw); err != nil {
			return err
		}
		_, err := w.cache.Lookup(ctx, raw)
		assert.ErrorIs(t, err, session.ErrNoSession)
		if _, err = w.svc.RevokeAll(ctx, bearer.User.ID); err != nil {
			return err
		}
		_, err = w.cache.LookupSession(ctx, bearer.Session.ID, 1)
		assert.ErrorIs(t, err, session.ErrNoSession)
		return stop
	})
	assert.ErrorIs(t, err, stop)
	assert.Equal(t, w.finds(func() { // nothing was committed
		w.live(grant)
		assert.Must(access())(t)
	}), 0)
}

func TestAnEntryInUseIsSparedOnce(t *testing.T) {
	t.Parallel()
	for spared := range 8 {
		w := newWorld(t, func(c *sessioncache.Config) { c.MaxEntries = 8 })
		var grants []session.Grant
		for range 8 {
			grants = append(grants, w.signIn())
			w.live(grants[len(grants)-1])
		}
		w.live(grants[spared])
		w.live(w.signIn())
		assert.Equal(t, w.finds(func() { w.live(grants[spared]) }), 0)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	const entries = 64
	w := newWorld(t, func(c *sessioncache.Config) { c.MaxEntries = entries })
	var grants []session.Grant
	for range 3 * entries {
		grants = append(grants, w.signIn())
	}
	for _, g := range grants {
		w.live(g)
	}
	missed := w.finds(func() {
		for _, g := range grants {
			w.live(g)
		}
	})
	assert.True(t, missed >= 2*entries, fmt.Sprintf("%d of %d were not remembered", missed, len(grants)))
	for _, g := range grants {
		assert.NoError(t, w.svc.Revoke(t.Context(), g.Session.UserID, g.Session.ID))
		w.dead(g)
	}
	assert.Equal(t, sessioncache.Len(w.cache), 0)
}

func TestTheMiddlewareReadsTheCache(t *testing.T) {
	w := newWorld(t, nil)
	grant := w.signIn()
	h := assert.Must(session.NewHandler(w.svc, session.HandlerConfig{BaseURL: "https://app.example.com", Finder: w.cache}))(t)
	var caller *principal.Principal
	site := h.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller, _ = principal.FromContext(r.Context())
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Cookie", "__Host-tenon_session="+grant.Token.Reveal())
	site.ServeHTTP(nil, r)
	first := caller
	var n float64
	assert.Equal(t, w.finds(func() { n = testing.AllocsPerRun(100, func() { site.ServeHTTP(nil, r) }) }), 0)
	assert.True(t, n <= 2, fmt.Sprintf("%v allocations on a hit: the context, the request", n))
	assert.True(t, caller != nil && caller == first, "the principal is made once per entry")
}

func TestAHitDoesNotAllocate(t *testing.T) {
	w := newWorld(t, nil)
	grant, access := w.signIn(), w.signInBearer()
	ctx, raw := t.Context(), grant.Token.Reveal()
	id := assert.Must(access())(t).Session.ID
	w.live(grant)
	for name, call := range map[string]func(){
		"Lookup":        func() { _, _ = w.cache.Lookup(ctx, raw) },
		"LookupSession": func() { _, _ = w.cache.LookupSession(ctx, id, 1) },
	} {
		assert.Equal(t, w.finds(func() {
			if n := testing.AllocsPerRun(100, call); n != 0 {
				t.Errorf("%s: %v allocations on a hit", name, n)
			}
		}), 0)
	}
}
