package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func factorClauses() []clause {
	return []clause{
		{"Admit says who has a second factor, and sets the time of the sign-in when it is done", testAdmitEnrolled},
		{"SetSecondFactor needs a transaction and the user", testSetSecondFactor},
		{"ChallengeBySelector returns what AddChallenge stored", testChallenge},
		{"ChallengeBySelector finds none that is dead, or whose user changed or is banned", testDeadChallenges},
		{"TryChallenge counts up to its limit", testTryChallenge},
		{"concurrent calls of TryChallenge keep to the limit", testTryChallengeRace},
		{"ConsumeChallenge has one winner", testConsumeChallenge},
		{"DropChallenges and PruneChallenges delete those", testDropChallenges},
	}
}

func (w *world) setSecondFactor(t *testing.T, id string, since time.Time) {
	t.Helper()
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.SetSecondFactor(ctx, id, since) }))
}

func testAdmitEnrolled(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	admit := func(done bool, after time.Duration) (enrolled bool) {
		assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
			enrolled, err = w.Store.Admit(ctx, auth.Admission{UserID: user.ID, SecurityVersion: 1, Done: done, At: w.now.Add(after)})
			return err
		}))
		return enrolled
	}
	last := func() time.Duration {
		got, err := w.Store.UserByID(t.Context(), user.ID)
		assert.NoError(t, err)
		return got.LastSignInAt.Sub(w.now)
	}
	assert.False(t, admit(false, time.Second), "no second factor")
	assert.Equal(t, last(), time.Second)
	w.setSecondFactor(t, user.ID, w.now)
	assert.True(t, admit(false, 2*time.Second), "a second factor")
	assert.Equal(t, last(), time.Second)
	assert.True(t, admit(true, 3*time.Second), "a second factor, proven")
	assert.Equal(t, last(), 3*time.Second)
	w.setSecondFactor(t, user.ID, time.Time{})
	assert.False(t, admit(false, 4*time.Second), "turned off")
	assert.Equal(t, last(), 4*time.Second)
}

func testSetSecondFactor(t *testing.T, w *world) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	assert.Error(t, w.Store.SetSecondFactor(t.Context(), user.ID, w.now))
	w.setSecondFactor(t, user.ID, w.now)
	byID, err := w.Store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, byID.SecondFactorAt, w.now)
	byEmail, _, err := w.Store.UserByEmail(t.Context(), user.Email)
	assert.NoError(t, err)
	assert.Equal(t, byEmail, byID)
	untouched, err := w.Store.UserByID(t.Context(), other.ID)
	assert.NoError(t, err)
	assert.True(t, untouched.SecondFactorAt.IsZero(), "the other user's")
	err = w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.SetSecondFactor(ctx, newID(), w.now) })
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func (w *world) addChallenge(t *testing.T, userID, selector string) auth.Challenge {
	t.Helper()
	c := auth.Challenge{
		ID: newID(), UserID: userID, SecurityVersion: 1, Channels: []string{"password", "mailbox"}, ProvenAt: w.now,
		BrowserOnly: true, Bearer: true, CallbackURL: "/next?a=b", Selector: selector,
		Verifier: token.Verifier{KID: "kid", MAC: []byte("mac")}, CreatedAt: w.now, ExpiresAt: w.now.Add(5 * time.Minute),
	}
	assert.NoError(t, w.Store.AddChallenge(t.Context(), c))
	return c
}

func (w *world) findChallenge(t *testing.T, selector string, now time.Time) bool {
	t.Helper()
	_, err := w.Store.ChallengeBySelector(t.Context(), selector, 5, now)
	if err != nil {
		assert.ErrorIs(t, err, auth.ErrNoChallenge)
	}
	return err == nil
}

func testChallenge(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	want := w.addChallenge(t, user.ID, "s")
	w.addChallenge(t, user.ID, "other")
	got, err := w.Store.ChallengeBySelector(t.Context(), "s", 5, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
	assert.False(t, w.findChallenge(t, "S", w.now), "another selector")
}

func testDeadChallenges(t *testing.T, w *world) {
	ada, bob := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	c := w.addChallenge(t, ada.ID, "s")
	w.addChallenge(t, bob.ID, "b")
	w.addChallenge(t, newID(), "nobody")
	assert.True(t, w.findChallenge(t, "s", c.ExpiresAt.Add(-time.Microsecond)), "alive")
	assert.False(t, w.findChallenge(t, "s", c.ExpiresAt), "expired")
	assert.False(t, w.findChallenge(t, "nobody", w.now), "of nobody")
	assert.NoError(t, w.Ban(t.Context(), bob.ID))
	assert.False(t, w.findChallenge(t, "b", w.now), "of a banned user")
	assert.Equal(t, w.raise(t, ada.ID), 2)
	assert.False(t, w.findChallenge(t, "s", w.now), "of an older version")
}

func (w *world) try(t *testing.T, id string, limit int, now time.Time) bool {
	t.Helper()
	alive, err := w.Store.TryChallenge(t.Context(), id, limit, now)
	assert.NoError(t, err)
	return alive
}

func testTryChallenge(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	c := w.addChallenge(t, user.ID, "s")
	assert.False(t, w.try(t, newID(), 5, w.now), "none")
	assert.False(t, w.try(t, c.ID, 5, c.ExpiresAt), "expired")
	for range 3 {
		assert.True(t, w.try(t, c.ID, 3, w.now), "within the limit")
	}
	assert.False(t, w.try(t, c.ID, 3, w.now), "beyond")
	_, err := w.Store.ChallengeBySelector(t.Context(), "s", 3, w.now)
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	assert.True(t, w.findChallenge(t, "s", w.now), "a higher limit")
	w.consume(t, c.ID, true)
	assert.False(t, w.try(t, c.ID, 5, w.now), "consumed")
}

func testTryChallengeRace(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	c := w.addChallenge(t, user.ID, "s")
	won, lost := race(t, func(ctx context.Context) error {
		alive, err := w.Store.TryChallenge(ctx, c.ID, 5, w.now)
		if err == nil && !alive {
			return auth.ErrNoChallenge
		}
		return err
	})
	assert.Equal(t, won, 5)
	for _, err := range lost {
		assert.ErrorIs(t, err, auth.ErrNoChallenge)
	}
}

func (w *world) consume(t *testing.T, id string, want bool) {
	t.Helper()
	consumed, err := w.Store.ConsumeChallenge(t.Context(), id, w.now)
	assert.NoError(t, err)
	assert.Equal(t, consumed, want)
}

func testConsumeChallenge(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	c := w.addChallenge(t, user.ID, "s")
	consumed, err := w.Store.ConsumeChallenge(t.Context(), c.ID, c.ExpiresAt)
	assert.NoError(t, err)
	assert.False(t, consumed, "expired")
	err = w.Store.InTx(t.Context(), func(ctx context.Context) error {
		consumed, err := w.Store.ConsumeChallenge(ctx, c.ID, w.now)
		assert.NoError(t, err)
		assert.True(t, consumed, "in a transaction")
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	errLost := errors.New("lost")
	won, lost := race(t, func(ctx context.Context) error {
		consumed, err := w.Store.ConsumeChallenge(ctx, c.ID, w.now)
		if err == nil && !consumed {
			return errLost
		}
		return err
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, errLost)
	}
	assert.False(t, w.findChallenge(t, "s", w.now), "consumed")
	w.consume(t, newID(), false)
}

func testDropChallenges(t *testing.T, w *world) {
	ada, bob := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	w.addChallenge(t, ada.ID, "a")
	for _, selector := range []string{"b1", "b2", "b3"} {
		w.addChallenge(t, bob.ID, selector)
	}
	assert.NoError(t, w.Store.DropChallenges(t.Context(), ada.ID))
	assert.False(t, w.findChallenge(t, "a", w.now), "dropped")
	assert.True(t, w.findChallenge(t, "b1", w.now), "another user's")
	n, err := w.Store.PruneChallenges(t.Context(), w.now.Add(5*time.Minute-time.Microsecond), 9)
	assert.NoError(t, err)
	assert.Equal(t, n, 0)
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneChallenges(t.Context(), w.now.Add(5*time.Minute), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
}
