package authtest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

func signUpClauses() []clause {
	return []clause{
		{"AddSignUp keeps every field", testAddSignUp},
		{"DropSignUps drops the oldest of the address beyond keep", testAddSignUpKeeps},
		{"DropSignUps drops the newest of the address beyond keep if asked", testDropNewestSignUp},
		{"concurrent AddSignUp and DropSignUps leave no more than keep", testAddSignUpRace},
		{"NewestSignUp and SignUpByID see no expired ones", testSignUpExpires},
		{"ClaimSignUp removes all of the address and nothing else", testClaimSignUp},
		{"ClaimSignUp refuses what is unknown, expired or another's, and removes nothing", testClaimSignUpRefuses},
		{"of concurrent claims of one address one succeeds", testClaimSignUpRace},
		{"PruneSignUps deletes expired ones up to its limit", testPruneSignUps},
	}
}

// addSignUp adds p and keeps the newest five.
func (w *world) addSignUp(ctx context.Context, p auth.SignUp) error {
	return w.Store.InTx(ctx, func(ctx context.Context) error {
		if err := w.Store.AddSignUp(ctx, p); err != nil {
			return err
		}
		return w.Store.DropSignUps(ctx, p.Email, 5, false)
	})
}

func testDropNewestSignUp(t *testing.T, w *world) {
	other := w.signUp(t, "bob@example.com", w.now)
	var all []auth.SignUp
	for i := range 4 {
		all = append(all, w.signUp(t, "ada@example.com", w.now.Add(time.Duration(i)*time.Second)))
	}
	assert.NoError(t, w.Store.DropSignUps(t.Context(), "ada@example.com", 5, true))
	assert.Equal(t, w.live(t, all, w.now), 4)
	assert.NoError(t, w.Store.DropSignUps(t.Context(), "ada@example.com", 3, true))
	assert.Equal(t, w.live(t, all[:3], w.now), 3)
	assert.Equal(t, w.live(t, all[3:], w.now), 0)
	for _, newest := range []bool{true, false} {
		all = append(all, w.signUp(t, "ada@example.com", w.now))
		assert.NoError(t, w.Store.DropSignUps(t.Context(), "ada@example.com", 0, newest))
		assert.Equal(t, w.live(t, all, w.now), 0)
	}
	assert.Equal(t, w.live(t, []auth.SignUp{other}, w.now), 1)
}

func testAddSignUp(t *testing.T, w *world) {
	want := w.signUp(t, "ada@example.com", w.now)
	got, err := w.Store.SignUpByID(t.Context(), want.ID, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
	got, err = w.Store.NewestSignUp(t.Context(), want.Email, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
}

// live counts the sign-ups among all that still wait.
func (w *world) live(t *testing.T, all []auth.SignUp, now time.Time) int {
	t.Helper()
	n := 0
	for _, p := range all {
		if _, err := w.Store.SignUpByID(t.Context(), p.ID, now); err == nil {
			n++
		} else {
			assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
		}
	}
	return n
}

func testAddSignUpKeeps(t *testing.T, w *world) {
	other := w.signUp(t, "bob@example.com", w.now)
	var all []auth.SignUp
	for i := range 7 {
		all = append(all, w.signUp(t, "ada@example.com", w.now.Add(time.Duration(i)*time.Second)))
	}
	assert.Equal(t, w.live(t, all[:2], w.now), 0)
	assert.Equal(t, w.live(t, all[2:], w.now), 5)
	assert.Equal(t, w.live(t, []auth.SignUp{other}, w.now), 1)
	newest, err := w.Store.NewestSignUp(t.Context(), "ada@example.com", w.now)
	assert.NoError(t, err)
	assert.Equal(t, newest.ID, all[6].ID)
}

func testAddSignUpRace(t *testing.T, w *world) {
	var all []auth.SignUp
	for range racers {
		p := auth.SignUp{ID: newID(), UserID: newID(), Email: "ada@example.com", BrowserHash: []byte("b"), CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}
		all = append(all, p)
	}
	next := make(chan auth.SignUp, racers)
	for _, p := range all {
		next <- p
	}
	won, lost := race(t, func(ctx context.Context) error { return w.addSignUp(ctx, <-next) })
	assert.Equal(t, won, racers)
	assert.Len(t, lost, 0)
	assert.Equal(t, w.live(t, all, w.now), 5)
}

func testSignUpExpires(t *testing.T, w *world) {
	p := w.signUp(t, "ada@example.com", w.now)
	for _, c := range []struct {
		at   time.Time
		want int
	}{{p.ExpiresAt.Add(-time.Microsecond), 1}, {p.ExpiresAt, 0}} {
		assert.Equal(t, w.live(t, []auth.SignUp{p}, c.at), c.want)
		_, err := w.Store.NewestSignUp(t.Context(), p.Email, c.at)
		assert.Equal(t, err == nil, c.want == 1)
	}
}

func testClaimSignUp(t *testing.T, w *world) {
	first := w.signUp(t, "ada@example.com", w.now)
	second := w.signUp(t, "ada@example.com", w.now.Add(time.Second))
	other := w.signUp(t, "bob@example.com", w.now)
	assert.NoError(t, w.Store.ClaimSignUp(t.Context(), "ada@example.com", first.ID, w.now))
	assert.Equal(t, w.live(t, []auth.SignUp{first, second}, w.now), 0)
	assert.Equal(t, w.live(t, []auth.SignUp{other}, w.now), 1)
	err := w.Store.ClaimSignUp(t.Context(), "ada@example.com", second.ID, w.now)
	assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
}

func testClaimSignUpRefuses(t *testing.T, w *world) {
	p := w.signUp(t, "ada@example.com", w.now)
	for name, c := range map[string]struct {
		email, id string
		at        time.Time
	}{
		"unknown":   {"ada@example.com", newID(), w.now},
		"another's": {"bob@example.com", p.ID, w.now},
		"expired":   {"ada@example.com", p.ID, p.ExpiresAt},
	} {
		if err := w.Store.ClaimSignUp(t.Context(), c.email, c.id, c.at); err == nil {
			t.Errorf("%s: claimed", name)
		}
	}
	assert.Equal(t, w.live(t, []auth.SignUp{p}, w.now), 1)
}

func testClaimSignUpRace(t *testing.T, w *world) {
	var all []auth.SignUp
	for i := range 5 {
		all = append(all, w.signUp(t, "ada@example.com", w.now.Add(time.Duration(i)*time.Second)))
	}
	next := make(chan auth.SignUp, racers)
	for i := range racers {
		next <- all[i%len(all)]
	}
	won, lost := race(t, func(ctx context.Context) error {
		return w.Store.ClaimSignUp(ctx, "ada@example.com", (<-next).ID, w.now)
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
	}
}

func testPruneSignUps(t *testing.T, w *world) {
	old := []auth.SignUp{w.signUp(t, "a@example.com", w.now), w.signUp(t, "b@example.com", w.now), w.signUp(t, "c@example.com", w.now)}
	young := w.signUp(t, "d@example.com", w.now.Add(time.Hour))
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneSignUps(t.Context(), w.now.Add(24*time.Hour), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.Equal(t, w.live(t, old, w.now), 0)
	assert.Equal(t, w.live(t, []auth.SignUp{young}, w.now), 1)
}
