package sessiontest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

const (
	familyGrace = 10 * time.Second
	familyLimit = 3
)

func familyClauses() []clause {
	return []clause{
		{"R14 rotate makes the child the newest token", rotates},
		{"R14 rotate wants the parent to be the newest token", rotateWantsTheParent},
		{"R14 rotate wants a live session and an admitted user", func(t *testing.T, w *world) {
			familyWantsLife(t, w, func(r session.Record) error {
				_, err := w.Store.RotateFamily(t.Context(), w.rotation(r, 1))
				return err
			})
		}},
		{"rotate never moves the idle end past the absolute end", func(t *testing.T, w *world) {
			r := w.bearer(t, w.user(t))
			n := w.rotation(r, 0)
			n.IdleEndsAt = r.EndsAt.Add(time.Microsecond)
			got, err := w.Store.RotateFamily(t.Context(), n)
			assert.NoError(t, err)
			sameTime(t, "IdleEndsAt", got.IdleEndsAt, r.EndsAt)
		}},
		{"rotate keeps to the idle bound of the session's assurance", rotateByAssurance},
		{"R14 rotate has one winner among 16", rotateRace},
		{"R14 replay counts inside the grace, up to the limit", replays},
		{"R14 replay wants the child of the newest rotation", replayWantsTheChild},
		{"R14 replay wants a live session and an admitted user", func(t *testing.T, w *world) {
			familyWantsLife(t, w, func(r session.Record) error {
				_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 0, w.now.Add(time.Second)))
				return err
			})
		}},
		{"R14 replay has no more winners than the limit among 16", replayRace},
		{"R16 a session with a cookie has no family", noFamily},
		{"R14 end past a generation spares the newest token and the grace", endPast},
	}
}

// bearer stores a bearer session with its first token.
func (w *world) bearer(t *testing.T, user string) session.Record {
	t.Helper()
	return w.create(t, user, func(r *session.Record) { r.Generation, r.Bearer = 1, true })
}

// verifier recognises the token of one generation of any family.
func verifier(r session.Record, generation int64) token.Verifier {
	if generation == r.Generation {
		return r.Verifier
	}
	return token.Verifier{KID: "k2", MAC: append(fill(31), byte(generation))}
}

// rotation is the one after some that were done.
func (w *world) rotation(r session.Record, done int64) session.Rotation {
	parent := r.Generation + done
	return session.Rotation{
		ID: r.ID, Generation: parent, Parent: verifier(r, parent), Child: verifier(r, parent+1),
		Salt: append(fill(15), byte(parent)), At: w.now.Add(time.Second), IdleEndsAt: w.now.Add(20 * time.Minute), IdleEndsAt2: w.now.Add(10 * time.Minute),
	}
}

func (w *world) replay(r session.Record, done int64, at time.Time) session.Replay {
	return session.Replay{ID: r.ID, Generation: r.Generation + done, At: at, Grace: familyGrace, Limit: familyLimit}
}

// rotate does one more rotation.
func (w *world) rotate(t *testing.T, r session.Record, done int64) session.Family {
	t.Helper()
	got, err := w.Store.RotateFamily(t.Context(), w.rotation(r, done))
	assert.NoError(t, err)
	return got
}

func (w *world) family(t *testing.T, r session.Record) session.Family {
	t.Helper()
	got, err := w.Store.FindFamily(t.Context(), r.ID)
	assert.NoError(t, err)
	return got
}

func sameFamily(t *testing.T, got, want session.Family) {
	t.Helper()
	assert.True(t, got.RotatedAt.Equal(want.RotatedAt) && got.IdleEndsAt.Equal(want.IdleEndsAt), "the times differ")
	got.RotatedAt, got.IdleEndsAt = want.RotatedAt, want.IdleEndsAt
	assert.Equal(t, got, want)
}

func rotateByAssurance(t *testing.T, w *world) {
	for channels, two := range map[string]bool{
		"password": false, "totp": false, "passkey:1": false, "password mailbox": false, "passkey:1 password": false,
		"password totp": true, "mailbox recovery": true, "password passkey:1": true, "passkey:1 passkey:2": true, "totp password totp": true,
		"passkey:1:uv": true, "passkey:1:uv password": true, "password passkey:1:uv": true,
	} {
		r := w.create(t, w.user(t), func(r *session.Record) {
			r.Generation, r.Bearer, r.Channels = 1, true, strings.Split(channels, " ")
		})
		n := w.rotation(r, 0)
		want := n.IdleEndsAt
		if two {
			want = n.IdleEndsAt2
		}
		if got := w.rotate(t, r, 0).IdleEndsAt; !got.Equal(want) || two != (r.Assurance() == 2) {
			t.Errorf("%s: idle end %v, want %v", channels, got, want)
		}
		n = w.rotation(r, 1)
		n.IdleEndsAt, n.IdleEndsAt2 = r.EndsAt.Add(time.Second), r.EndsAt.Add(time.Second)
		got, err := w.Store.RotateFamily(t.Context(), n)
		assert.NoError(t, err)
		sameTime(t, "IdleEndsAt", got.IdleEndsAt, r.EndsAt)
	}
}

func rotates(t *testing.T, w *world) {
	user := w.user(t)
	r, other := w.bearer(t, user), w.bearer(t, user)
	want := session.Family{UserID: user, SecurityVersion: 1, Generation: 1, Verifier: r.Verifier, IdleEndsAt: r.IdleEndsAt, FreshAt: r.FreshAt}
	sameFamily(t, w.family(t, r), want)
	assert.True(t, w.family(t, r).RotatedAt.IsZero(), "the first token is no child")
	for done := range int64(3) {
		n := w.rotation(r, done)
		want.Generation, want.Verifier, want.Salt, want.RotatedAt, want.IdleEndsAt = 2+done, n.Child, n.Salt, n.At, n.IdleEndsAt
		sameFamily(t, w.rotate(t, r, done), want)
		sameFamily(t, w.family(t, r), want)
		_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, done, n.At)) // the next rotation forgets it
		assert.NoError(t, err)
	}
	found, err := w.Store.FindSessionByID(t.Context(), r.ID)
	assert.NoError(t, err)
	sameTime(t, "LastSeenAt", found.Session.LastSeenAt, w.now.Add(time.Second))
	assert.Equal(t, w.family(t, other).Generation, int64(1))
}

func rotateWantsTheParent(t *testing.T, w *world) {
	r, stranger := w.bearer(t, w.user(t)), w.bearer(t, w.user(t))
	w.rotate(t, r, 0)
	before := w.family(t, r)
	for name, change := range map[string]func(*session.Rotation){
		"older":        func(n *session.Rotation) { n.Generation--; n.Parent = r.Verifier },
		"younger":      func(n *session.Rotation) { n.Generation++ },
		"key":          func(n *session.Rotation) { n.Parent.KID = "k3" },
		"verifier":     func(n *session.Rotation) { n.Parent.MAC = fill(32) },
		"no verifier":  func(n *session.Rotation) { n.Parent.MAC = nil },
		"no session":   func(n *session.Rotation) { n.ID = newID() },
		"another's id": func(n *session.Rotation) { n.ID = stranger.ID },
	} {
		n := w.rotation(r, 1)
		change(&n)
		if _, err := w.Store.RotateFamily(t.Context(), n); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sameFamily(t, w.family(t, r), before)
	assert.Equal(t, w.family(t, stranger).Generation, int64(1))
}

// familyWantsLife tries change on families that are dead for one reason each,
// once rotated, and on one that is not.
func familyWantsLife(t *testing.T, w *world, change func(session.Record) error) {
	t.Helper()
	for name, kill := range map[string]func(r session.Record, u UserState){
		"revoked": func(r session.Record, _ UserState) { w.end(t, session.Ending{UserID: r.UserID, ID: r.ID}) },
		"banned":  func(_ session.Record, u UserState) { u.Banned = true; assert.NoError(t, w.PutUser(t.Context(), u)) },
		"gone":    func(_ session.Record, u UserState) { u.Gone = true; assert.NoError(t, w.PutUser(t.Context(), u)) },
		"version": func(_ session.Record, u UserState) { u.SecurityVersion++; assert.NoError(t, w.PutUser(t.Context(), u)) },
		"idled": func(r session.Record, _ UserState) {
			w.touchTo(t, r, w.now.Add(time.Second))
		},
	} {
		u := w.describe()
		assert.NoError(t, w.PutUser(t.Context(), u))
		r := w.bearer(t, u.ID)
		w.rotate(t, r, 0)
		kill(r, u)
		if err := change(r); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := w.create(t, w.user(t), func(r *session.Record) {
		r.Generation, r.Bearer, r.IdleEndsAt, r.EndsAt = 1, true, w.now.Add(2*time.Second), w.now.Add(2*time.Second)
	})
	w.rotate(t, r, 0)
	assert.NoError(t, change(r))
}

// touchTo moves a session's idle end.
func (w *world) touchTo(t *testing.T, r session.Record, end time.Time) {
	t.Helper()
	touch := session.Touch{ID: r.ID, SeenAt: w.now, IdleEndsAt: end, Before: w.now.Add(time.Hour)}
	assert.NoError(t, w.Store.TouchSession(t.Context(), touch))
}

func rotateRace(t *testing.T, w *world) {
	r := w.bearer(t, w.user(t))
	assert.Equal(t, winners(t, func(i int) error {
		n := w.rotation(r, 0)
		n.Salt[0], n.Child.MAC[0] = byte(i), byte(i)
		_, err := w.Store.RotateFamily(t.Context(), n)
		return err
	}), 1)
	got := w.family(t, r)
	assert.Equal(t, got.Generation, int64(2))
	assert.Equal(t, got.Salt[0], got.Verifier.MAC[0]) // all of one racer
}

func replayRace(t *testing.T, w *world) {
	r := w.bearer(t, w.user(t))
	w.rotate(t, r, 0)
	assert.Equal(t, winners(t, func(int) error {
		_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 0, w.now.Add(time.Second)))
		return err
	}), familyLimit)
	assert.Equal(t, w.family(t, r).Replays, familyLimit)
}

// winners runs 16 calls at once and returns how many succeeded; the others must
// have found nothing.
func winners(t *testing.T, call func(i int) error) int {
	t.Helper()
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		won int
	)
	for i := range 16 {
		wg.Go(func() {
			err := call(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, session.ErrNoSession) {
				t.Errorf("a racer failed: %v", err)
			}
		})
	}
	wg.Wait()
	return won
}

func replays(t *testing.T, w *world) {
	r := w.bearer(t, w.user(t))
	n := w.rotation(r, 0)
	want := w.rotate(t, r, 0)
	for _, outside := range []time.Time{n.At.Add(-time.Microsecond), n.At.Add(familyGrace + time.Microsecond), w.now.Add(-time.Hour)} {
		_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 0, outside))
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
	for i, at := range []time.Time{n.At, n.At.Add(time.Second), n.At.Add(familyGrace)} {
		want.Replays = i + 1
		got, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 0, at))
		assert.NoError(t, err)
		sameFamily(t, got, want)
	}
	_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 0, n.At))
	assert.ErrorIs(t, err, session.ErrNoSession)
	sameFamily(t, w.family(t, r), want)
	w.rotate(t, r, 1)
	got, err := w.Store.ReplayFamily(t.Context(), w.replay(r, 1, n.At))
	assert.NoError(t, err)
	assert.Equal(t, got.Replays, 1)
}

func replayWantsTheChild(t *testing.T, w *world) {
	r := w.bearer(t, w.user(t))
	at := w.now.Add(time.Second)
	refused := func(done int64) {
		t.Helper()
		_, err := w.Store.ReplayFamily(t.Context(), w.replay(r, done, at))
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
	refused(-1) // the first token is the child of none
	refused(0)
	w.rotate(t, r, 0)
	w.rotate(t, r, 1)
	refused(0)
	refused(2)
	assert.Equal(t, w.family(t, r).Replays, 0)
}

func noFamily(t *testing.T, w *world) {
	r := w.create(t, w.user(t), nil)
	_, err := w.Store.FindFamily(t.Context(), r.ID)
	assert.ErrorIs(t, err, session.ErrNoSession)
	_, err = w.Store.RotateFamily(t.Context(), w.rotation(r, 0))
	assert.ErrorIs(t, err, session.ErrNoSession)
	_, err = w.Store.ReplayFamily(t.Context(), w.replay(r, -1, w.now))
	assert.ErrorIs(t, err, session.ErrNoSession)
	same(t, w.find(t, r).Session, r.Session)
	_, err = w.Store.FindFamily(t.Context(), newID())
	assert.ErrorIs(t, err, session.ErrNoSession)
}

func endPast(t *testing.T, w *world) {
	user := w.user(t)
	r := w.bearer(t, user)
	past := func(generation int64, at time.Time) int {
		ids, err := w.Store.EndSessions(t.Context(), session.Ending{
			UserID: user, ID: r.ID, At: at, PastGeneration: generation, Grace: familyGrace,
		})
		assert.NoError(t, err)
		return len(ids)
	}
	at := w.rotation(r, 0).At
	assert.Equal(t, past(1, at), 0)
	w.rotate(t, r, 0)
	assert.Equal(t, past(2, at), 0)
	assert.Equal(t, past(1, at), 0)
	assert.Equal(t, past(1, at.Add(familyGrace)), 0)
	assert.Equal(t, w.family(t, r).Generation, int64(2))
	assert.Equal(t, past(1, at.Add(familyGrace+time.Microsecond)), 1)
	assert.Equal(t, past(1, at.Add(time.Hour)), 0)
	r = w.bearer(t, user)
	w.rotate(t, r, 0)
	assert.Equal(t, past(1, at.Add(-time.Microsecond)), 1) // a clock that was set back is no grace
	r = w.bearer(t, user)
	w.rotate(t, r, 0)
	w.rotate(t, r, 1)
	assert.Equal(t, past(1, at), 1)
	_, err := w.Store.FindFamily(t.Context(), r.ID)
	assert.ErrorIs(t, err, session.ErrNoSession)
}
