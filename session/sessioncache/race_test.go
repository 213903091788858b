package sessioncache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

type answer struct {
	identity *session.Identity
	err      error
}

// asking looks up in the background.
func (w *world) asking(ctx context.Context, g session.Grant) chan answer {
	answered := make(chan answer, 1)
	go func() {
		i, err := w.cache.Lookup(ctx, g.Token.Reveal())
		answered <- answer{i, err}
	}()
	return answered
}

// TestR17_ALookupOvertakenByARevocation stalls a lookup between what it read and
// what it says.
func TestR17_ALookupOvertakenByARevocation(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(w *world, g session.Grant) error{
		"sign-out": func(w *world, g session.Grant) error { return w.svc.SignOut(w.t.Context(), g.Token.Reveal()) },
		"revoke": func(w *world, g session.Grant) error {
			return w.svc.Revoke(w.t.Context(), g.Session.UserID, g.Session.ID)
		},
		"all": func(w *world, g session.Grant) error {
			_, err := w.svc.RevokeAll(w.t.Context(), g.Session.UserID)
			return err
		},
		"account": func(w *world, g session.Grant) error {
			return w.fake.InTx(w.t.Context(), func(ctx context.Context) error {
				return w.svc.RevokeUser(ctx, g.Session.UserID, "", assert.Must(w.fake.RaiseVersion(ctx, g.Session.UserID))(w.t))
			})
		},
		"ban": func(w *world, g session.Grant) error {
			return w.fake.InTx(w.t.Context(), func(ctx context.Context) error {
				u := sessiontest.UserState{User: session.User{ID: g.Session.UserID}, SecurityVersion: 1, Banned: true}
				return errors.Join(w.fake.PutUser(ctx, u), w.svc.LogRevocation(ctx, session.Revocation{UserID: u.ID}))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			grant, other := w.signIn(), w.signIn()
			stalled := w.store.stall()
			early := w.asking(t.Context(), grant)
			<-stalled.reached
			assert.NoError(t, revoke(w, grant))
			late := w.asking(t.Context(), grant) // joins a question that was asked before
			waiting(t, w, 1)
			close(stalled.release)
			for _, a := range []answer{<-early, <-late} {
				assert.ErrorIs(t, a.err, session.ErrNoSession)
				assert.True(t, a.identity == nil, "no identity")
			}
			w.dead(grant)
			w.live(other)
		})
	}
}

func TestR17_OnlyARevocationOfItsOwnOvertakesALookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant, sibling, other := w.signInAs("u1", ""), w.signInAs("u1", ""), w.signInAs("u2", "")
	stalled := w.store.stall()
	answered := w.asking(t.Context(), grant)
	<-stalled.reached
	assert.NoError(t, w.svc.Revoke(t.Context(), "u1", sibling.Session.ID))
	assert.NoError(t, w.svc.Revoke(t.Context(), "u2", other.Session.ID))
	close(stalled.release)
	assert.NoError(t, (<-answered).err)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
	assert.Equal(t, w.store.finds.Load(), 1)
	assert.NoError(t, w.svc.Revoke(t.Context(), "u1", w.signInAs("u1", "").Session.ID))
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)

	// Where there were more than are told apart, it may have been its own.
	stalled = w.store.stall()
	w.clocks.age(bound)
	answered = w.asking(t.Context(), grant)
	<-stalled.reached
	for range 300 {
		w.cache.Forget(session.Revocation{UserID: "u2"})
	}
	close(stalled.release)
	before := w.store.finds.Load()
	assert.NoError(t, (<-answered).err)
	assert.Equal(t, w.store.finds.Load()-before, 1)
}

func TestR17_AHitOvertakenByARevocation(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, g session.Grant){
		"revoked":   func(w *world, g session.Grant) { assert.NoError(t, w.svc.SignOut(t.Context(), g.Token.Reveal())) },
		"too old":   func(w *world, _ session.Grant) { w.clocks.age(bound) },
		"evicted":   func(w *world, _ session.Grant) { w.cache.Forget(session.Revocation{}) },
		"unchanged": func(*world, session.Grant) {},
	} {
		w := newWorld(t, nil)
		grant := w.signIn()
		w.nearlyUnused(grant)
		w.clocks.pass(time.Second) // the hit records the use, and waits for it
		stalled := &stall{make(chan struct{}), make(chan struct{})}
		w.store.touching.Store(stalled)
		answered := w.asking(t.Context(), grant)
		<-stalled.reached
		end(w, grant)
		more := w.finds(func() {
			close(stalled.release)
			a := <-answered
			if name == "revoked" {
				assert.ErrorIs(t, a.err, session.ErrNoSession)
			} else {
				assert.NoError(t, a.err)
			}
		})
		if (more == 0) != (name == "unchanged") {
			t.Errorf("%s: %d more lookups", name, more)
		}
	}
}

func TestARollbackForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	w.live(grant)
	stop := errors.New("stop here")
	assert.ErrorIs(t, w.fake.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.svc.RevokeAll(ctx, grant.Session.UserID)
		return errors.Join(err, stop)
	}), stop)
	assert.Equal(t, w.finds(func() { w.live(grant) }), 0)
}

func TestR18_ARoleActsWithTheNextLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := func(organization, role string) {
		t.Helper()
		assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(w.fake.PutRole(ctx, organization, "u1", role), w.svc.LogRevocation(ctx, session.Revocation{UserID: "u1"}))
		}))
	}
	grant := w.signInAs("u1", "o1")
	for _, role := range []string{"admin", "member", "", "owner"} {
		set("o1", role)
		i := w.live(grant)
		assert.Equal(t, i.Principal().Role, role)
		assert.Equal(t, i.Principal().OrganizationID != "", role != "")
	}
	assert.NoError(t, w.svc.SetOrganization(t.Context(), "u1", grant.Session.ID, ""))
	assert.Equal(t, w.live(grant).Principal().OrganizationID, "")
}

func TestR22_ImpersonationIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.put("root", func(u *sessiontest.UserState) { u.Superuser = true })
	w.put("u1", nil)
	own := assert.Must(w.svc.StartTrusted(t.Context(), session.TrustedStart{UserID: "root", SecurityVersion: 1}))(t)
	var acting session.Grant
	assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) (err error) {
		acting, err = w.svc.Start(ctx, door.NewPass(door.Facts{
			UserID: "u1", SecurityVersion: 1, Channels: []string{"impersonation"}, ProvenAt: w.clocks.now(),
			ActorID: "root", ActorSessionID: own.Session.ID,
		}))
		return err
	}))
	for range 2 {
		assert.Equal(t, w.finds(func() { assert.Equal(t, w.live(acting).Principal().ImpersonatorID, "root") }), 1)
	}
	// Nor shared: an answer from before the actor's end is for who asked before it.
	stalled := w.store.stall()
	first := w.asking(t.Context(), acting)
	<-stalled.reached
	assert.NoError(t, w.svc.SignOut(t.Context(), own.Token.Reveal()))
	second := w.asking(t.Context(), acting)
	waiting(t, w, 1)
	close(stalled.release)
	assert.ErrorIs(t, (<-second).err, session.ErrNoSession)
	<-first
	w.dead(acting)
}

func TestManyWhoAskTheSameShareOneStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	stalled := w.store.stall()
	answers := []chan answer{w.asking(t.Context(), grant)}
	<-stalled.reached
	for range 15 {
		answers = append(answers, w.asking(t.Context(), grant))
	}
	waiting(t, w, 15)
	assert.Equal(t, w.finds(func() {
		close(stalled.release)
		for _, a := range answers {
			assert.NoError(t, (<-a).err)
		}
	}), 0)
}

func TestACallerWhoLeavesFailsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	stalled := w.store.stall()
	ctx, leave := context.WithCancel(t.Context())
	first := w.asking(ctx, grant)
	<-stalled.reached
	ctx2, leave2 := context.WithCancel(t.Context())
	second, third := w.asking(ctx2, grant), w.asking(t.Context(), grant)
	waiting(t, w, 2)
	leave2()
	assert.ErrorIs(t, (<-second).err, context.Canceled)
	leave()
	assert.ErrorIs(t, (<-first).err, context.Canceled)
	assert.NoError(t, (<-third).err)
	assert.Equal(t, w.store.finds.Load(), 2)
}

func TestAnOutageIsSharedAndAnAbsenceIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, c := range []struct {
		name string
		down bool
		want error
		more int64
	}{{"outage", true, problem.ErrUnavailable, 0}, {"absence", false, session.ErrNoSession, 1}} {
		grant := w.signIn()
		if !c.down {
			assert.NoError(t, w.svc.SignOut(t.Context(), grant.Token.Reveal()))
		}
		w.fake.SetDown(c.down)
		stalled := w.store.stall()
		first := w.asking(t.Context(), grant)
		<-stalled.reached
		second := w.asking(t.Context(), grant)
		waiting(t, w, 1)
		n := w.finds(func() {
			close(stalled.release)
			assert.ErrorIs(t, (<-first).err, c.want)
			assert.ErrorIs(t, (<-second).err, c.want)
		})
		assert.Equal(t, n, c.more)
		w.fake.SetDown(false)
	}
}

func TestALookupThatEndsItsGoroutineLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.signIn()
	stalled := w.store.stall()
	ctx := context.WithValue(t.Context(), exitKey{}, true)
	go func() { _, _ = w.cache.Lookup(ctx, grant.Token.Reveal()) }()
	<-stalled.reached
	second := w.asking(t.Context(), grant)
	waiting(t, w, 1)
	close(stalled.release)
	assert.NoError(t, (<-second).err)
}

// TestR17_NothingIsFoundOnceARevocationReturned races lookups by both ways with
// the end of their session.
func TestR17_NothingIsFoundOnceARevocationReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for round := range 30 {
		grant, access := w.signIn(), w.signInBearer()
		bearer := assert.Must(access())(t)
		var revoked atomic.Bool
		var racers sync.WaitGroup
		for i := range 16 {
			racers.Go(func() {
				for range 50 {
					before := revoked.Load()
					var err error
					if i%2 == 0 {
						_, err = w.lookup(grant)
					} else {
						_, err = access()
					}
					if before && !errors.Is(err, session.ErrNoSession) {
						t.Errorf("round %d: found after its end: %v", round, err)
					}
					runtime.Gosched()
				}
			})
		}
		racers.Go(func() {
			_, err := w.svc.RevokeAll(t.Context(), bearer.User.ID)
			assert.NoError(t, errors.Join(err, w.svc.SignOut(t.Context(), grant.Token.Reveal())))
			revoked.Store(true)
		})
		racers.Wait()
	}
}

func TestCVE_2026_33496_NoTwoQuestionsHaveOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := map[[32]byte]string{}
	add := func(name string, key [32]byte, ok bool) {
		t.Helper()
		assert.True(t, ok, name+" has a key")
		if other, taken := keys[key]; taken {
			t.Errorf("%s and %s share a key", name, other)
		}
		keys[key] = name
	}
	var ids []string
	for range 50 {
		g := w.signIn()
		ids = append(ids, g.Session.ID)
		key, ok := tokenKey(g.Token.Reveal())
		add("token of "+g.Session.ID, key, ok)
	}
	for _, id := range ids {
		for _, epoch := range []int64{0, 1, 2, 256, -1, 1 << 40} {
			key, ok := sessionKey(id, epoch)
			add(fmt.Sprintf("%s under %d", id, epoch), key, ok)
		}
	}
	// One session's epoch and another's id do not slide into each other.
	a, _ := sessionKey("1"+ids[0][1:], 0)
	b, _ := sessionKey("0"+ids[0][1:], 1)
	assert.NotEqual(t, a, b)
	// An id is no token and a token no id, whatever they are asked as.
	_, ok := sessionKey(w.signIn().Token.Reveal(), 1)
	assert.False(t, ok, "a token is no id")
	_, ok = tokenKey(ids[0])
	assert.False(t, ok, "an id is no token")
	// What is found under one key answers no other: a cookie's session is not found
	// by its public id, nor under another epoch.
	grant, access := w.signIn(), w.signInBearer()
	w.live(grant)
	_, err := w.cache.LookupSession(t.Context(), grant.Session.ID, 1)
	assert.ErrorIs(t, err, session.ErrNoSession)
	found := assert.Must(access())(t)
	_, err = w.cache.LookupSession(t.Context(), found.Session.ID, 2)
	assert.ErrorIs(t, err, session.ErrNoSession)
}

func TestR12_AnElevationReplacesWhatIsRemembered(t *testing.T) {
	t.Parallel()
	for _, bearer := range []bool{false, true} {
		w := newWorld(t, nil)
		w.put("u1", nil)
		grant := assert.Must(w.svc.StartTrusted(t.Context(), session.TrustedStart{UserID: "u1", SecurityVersion: 1, Bearer: bearer}))(t)
		ask := func(g session.Grant) (*session.Identity, error) {
			if bearer {
				return w.cache.LookupSession(t.Context(), g.Session.ID, 1)
			}
			return w.lookup(g)
		}
		before := assert.Must(ask(grant))(t)
		w.clocks.pass(time.Second)
		elevated := assert.Must(w.svc.Elevate(t.Context(), before.Principal(), door.NewProof(door.Proven{
			UserID: "u1", SecurityVersion: 1, Channel: "totp", At: w.clocks.now(),
		})))(t)
		after := assert.Must(ask(elevated))(t)
		assert.Equal(t, after.Session.ID, before.Session.ID)
		assert.Equal(t, []any{before.Principal().Assurance, after.Principal().Assurance}, []any{1, 2})
		assert.True(t, after.Principal().FreshAt.After(before.Principal().FreshAt), "the proof is known")
		if !bearer {
			w.dead(grant) // the earlier token
		}
	}
}
