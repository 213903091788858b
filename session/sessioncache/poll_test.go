package sessioncache_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// second is another process on the world's store, which tells nobody here of what
// it revokes.
func (w *world) second() *session.Service {
	w.t.Helper()
	w.store.deaf.Store(true)
	return assert.Must(session.New(w.fake, session.Config{Peppers: peppers{}, Users: w.fake}))(w.t)
}

func TestR17_APollLearnsOfOtherProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other := w.second()
	grant, spared, access := w.signIn(), w.signIn(), w.signInBearer()
	w.live(spared)
	bearer := assert.Must(access())(t)
	w.live(grant)
	assert.NoError(t, other.SignOut(t.Context(), grant.Token.Reveal()))
	assert.NoError(t, other.Revoke(t.Context(), bearer.User.ID, bearer.Session.ID))
	w.live(grant) // within the bound
	assert.Must(access())(t)
	assert.NoError(t, w.cache.Poll(t.Context()))
	w.dead(grant)
	_, err := access()
	assert.ErrorIs(t, err, session.ErrNoSession)
	assert.Equal(t, w.finds(func() { w.live(spared) }), 0)
}

func TestR17_TheLogOnlyShortens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other := w.second()
	grant := w.signIn()
	w.live(grant)
	for range 3 {
		w.clocks.pass(bound / 4)
		assert.NoError(t, w.cache.Poll(t.Context()))
		w.live(grant)
	}
	w.clocks.pass(bound / 4)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	// An outage of the log, and a revocation it would have told.
	assert.NoError(t, other.SignOut(t.Context(), grant.Token.Reveal()))
	w.fake.SetDown(true)
	assert.ErrorIs(t, w.cache.Poll(t.Context()), problem.ErrUnavailable)
	w.clocks.pass(bound - 1)
	w.live(grant)
	w.clocks.pass(1)
	_, err := w.lookup(grant)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	w.fake.SetDown(false)
	w.dead(grant)
}

func TestR17_EachRevocationIsForgottenOnceThoughReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other := w.second()
	kept, ended := w.signInAs("u1", ""), w.signInAs("u1", "")
	_, err := other.RevokeOthers(t.Context(), "u1", kept.Session.ID)
	assert.NoError(t, err)
	w.live(kept)
	assert.NoError(t, w.cache.Poll(t.Context()))
	assert.Equal(t, w.finds(func() { w.live(kept) }), 1)
	for range 5 {
		assert.NoError(t, w.cache.Poll(t.Context()))
		assert.Equal(t, w.finds(func() { w.live(kept) }), 0)
	}
	w.dead(ended)
}

func TestR17_ALogTooFullForgetsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sessioncache.SetWindow(w.cache, 20)
	grant := w.signIn()
	w.live(grant)
	other := w.second()
	for range 21 {
		assert.NoError(t, other.LogRevocation(t.Context(), session.Revocation{UserID: "nobody"}))
	}
	for range 2 {
		assert.NoError(t, w.cache.Poll(t.Context()))
		assert.Equal(t, w.finds(func() { w.live(grant) }), 1)
	}
	w.clocks.pass(sessioncache.Overlap + time.Microsecond)
	w.live(grant)
	assert.NoError(t, w.cache.Poll(t.Context()))
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
}

func TestEverybodyIsForgottenAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grants := []session.Grant{w.signInAs("u1", ""), w.signInAs("u1", ""), w.signInAs("u2", "")}
	for _, g := range grants {
		w.live(g)
	}
	assert.NoError(t, w.svc.LogRevocation(t.Context(), session.Revocation{}))
	assert.Equal(t, sessioncache.Len(w.cache), 0)
	for _, g := range grants {
		assert.Equal(t, w.finds(func() { w.live(g) }), 1)
	}
}

// ear is Hints under a test's control.
type ear struct {
	sent    chan struct{}
	heard   chan func()
	cut     chan error
	listens atomic.Int64
}

func (e *ear) Send(context.Context) error {
	e.sent <- struct{}{}
	return nil
}

func (e *ear) Listen(ctx context.Context, heard func()) error {
	e.listens.Add(1)
	e.heard <- heard
	select {
	case err := <-e.cut:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// running runs the cache until the test ends, with hints and a poll that never
// comes by itself.
func running(t *testing.T) (*world, *ear) {
	t.Helper()
	e := &ear{sent: make(chan struct{}), heard: make(chan func()), cut: make(chan error)}
	w := newWorld(t, func(c *sessioncache.Config) { c.Hints, c.Poll = e, time.Hour })
	sessioncache.SetListenAgain(w.cache, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.cache.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	return w, e
}

func TestAHintPollsAtOnce(t *testing.T) {
	t.Parallel()
	w, e := running(t)
	heard := <-e.heard
	other := w.second()
	for range 3 {
		grant := w.signIn()
		w.live(grant)
		assert.NoError(t, other.SignOut(t.Context(), grant.Token.Reveal()))
		heard()
		for ; t.Context().Err() == nil; runtime.Gosched() {
			if _, err := w.lookup(grant); errors.Is(err, session.ErrNoSession) {
				break
			}
		}
	}
	// And this process tells the others of what it revoked itself.
	w.store.deaf.Store(false)
	assert.NoError(t, w.svc.SignOut(t.Context(), w.signIn().Token.Reveal()))
	<-e.sent
}

func TestALostConnectionIsListenedToAgain(t *testing.T) {
	t.Parallel()
	w, e := running(t)
	<-e.heard
	for range 3 {
		e.cut <- errors.New("the connection was killed")
		<-e.heard
	}
	grant := w.signIn()
	w.live(grant)
	assert.NoError(t, w.second().SignOut(t.Context(), grant.Token.Reveal()))
	assert.NoError(t, w.cache.Poll(t.Context())) // whatever became of the hints
	w.dead(grant)
	e.cut <- nil // there is nothing to listen to
	assert.Equal(t, e.listens.Load(), 4)
}
