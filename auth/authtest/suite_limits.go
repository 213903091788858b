package authtest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

func guessClauses() []clause {
	return []clause{
		{"Charge follows the pace: free guesses, doubling waits, a cap", testPace},
		{"Charge forgets with time", testDecay},
		{"Charge without decay ends at the cap", testNoDecay},
		{"Charge with a window forgets all when it ends", testWindow},
		{"Charge refuses to run inside a transaction", testChargeInTransaction},
		{"Charge counts each factor and account for itself", testCountersApart},
		{"concurrent charges admit no more than the pace", testChargeRace},
		{"Refund takes one guess back", testRefund},
		{"PruneGuesses deletes old counters up to its limit", testPruneGuesses},
		{"PruneGuesses leaves locks alone, and nothing that counts less", testPruneLeavesLocks},
	}
}

func guessKey(account string) auth.GuessKey {
	return auth.GuessKey{Factor: "password", Account: []byte(account)}
}

// charge charges a guess and returns the wait.
func (w *world) charge(t *testing.T, key auth.GuessKey, pace auth.Pace, at time.Duration) time.Duration {
	t.Helper()
	wait, err := w.Store.Charge(t.Context(), key, pace, w.now.Add(at))
	assert.NoError(t, err)
	return wait
}

func pace() auth.Pace {
	return auth.Pace{Free: 3, Step: time.Second, MaxWait: 4 * time.Second, Cap: 8, Decay: time.Hour}
}

func testPace(t *testing.T, w *world) {
	key, at := guessKey("a"), time.Duration(0)
	for i, wait := range []time.Duration{0, 0, 0, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second} {
		if wait > 0 {
			early := w.charge(t, key, pace(), at+wait-time.Millisecond)
			assert.True(t, early > 0, "a guess before its time is refused and is not counted")
			at += wait
		}
		if got := w.charge(t, key, pace(), at); got != 0 {
			t.Fatalf("guess %d at %v must wait %v", i+1, at, got)
		}
	}
	if got := w.charge(t, key, pace(), at+time.Minute); got != time.Hour-time.Minute {
		t.Errorf("at the cap the wait is %v, want what is left of the decay", got)
	}
}

func testDecay(t *testing.T, w *world) {
	key := guessKey("a")
	for range 3 {
		assert.Equal(t, w.charge(t, key, pace(), 0), 0)
	}
	assert.True(t, w.charge(t, key, pace(), 0) > 0, "three are remembered")
	assert.Equal(t, w.charge(t, key, pace(), 2*time.Hour), 0)
	assert.Equal(t, w.charge(t, key, pace(), 2*time.Hour), 0)
	assert.True(t, w.charge(t, key, pace(), 2*time.Hour) > 0, "two were forgotten, not all")
	assert.Equal(t, w.charge(t, key, pace(), 100*time.Hour), 0)
}

func testNoDecay(t *testing.T, w *world) {
	key, few := guessKey("a"), auth.Pace{Free: 2, Cap: 2}
	assert.Equal(t, w.charge(t, key, few, 0), 0)
	assert.Equal(t, w.charge(t, key, few, 0), 0)
	for _, at := range []time.Duration{0, time.Hour, 23 * time.Hour} {
		assert.True(t, w.charge(t, key, few, at) > 0, "the cap holds")
	}
	wait := w.charge(t, key, few, 10000*time.Hour)
	assert.True(t, wait > 0, "the cap holds for good")
}

func testWindow(t *testing.T, w *world) {
	key, daily := guessKey("a"), auth.Pace{Cap: 3, Window: 24 * time.Hour}
	for _, at := range []time.Duration{0, time.Hour, 2 * time.Hour} {
		assert.Equal(t, w.charge(t, key, daily, at), 0)
	}
	assert.Equal(t, w.charge(t, key, daily, 2*time.Hour), 22*time.Hour)
	assert.Equal(t, w.charge(t, key, daily, 24*time.Hour-time.Second), time.Second)
	assert.NoError(t, w.Store.Refund(t.Context(), key))
	assert.Equal(t, w.charge(t, key, daily, 23*time.Hour), 0) // what comes back does not start another window
	assert.Equal(t, w.charge(t, key, daily, 23*time.Hour), time.Hour)
	for range 3 {
		assert.Equal(t, w.charge(t, key, daily, 24*time.Hour), 0)
	}
	assert.Equal(t, w.charge(t, key, daily, 24*time.Hour), 24*time.Hour)
}

func testChargeInTransaction(t *testing.T, w *world) {
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.Charge(ctx, guessKey("a"), pace(), w.now)
		return err
	})
	assert.ErrorIs(t, err, auth.ErrInTransaction)
}

func testCountersApart(t *testing.T, w *world) {
	once := auth.Pace{Free: 1, Cap: 1}
	for _, key := range []auth.GuessKey{guessKey("a"), guessKey("b"), {Factor: "totp", Account: []byte("a")}} {
		assert.Equal(t, w.charge(t, key, once, 0), 0)
		assert.True(t, w.charge(t, key, once, 0) > 0, "the second is refused")
	}
}

func testChargeRace(t *testing.T, w *world) {
	won, lost := race(t, func(ctx context.Context) error {
		wait, err := w.Store.Charge(ctx, guessKey("a"), pace(), w.now)
		if err == nil && wait > 0 {
			return errTakeBack
		}
		return err
	})
	assert.Equal(t, won, pace().Free)
	for _, err := range lost {
		assert.ErrorIs(t, err, errTakeBack)
	}
}

func testRefund(t *testing.T, w *world) {
	key, once := guessKey("a"), auth.Pace{Free: 1, Cap: 1}
	assert.NoError(t, w.Store.Refund(t.Context(), key))
	for range 3 {
		assert.Equal(t, w.charge(t, key, once, 0), 0)
		assert.NoError(t, w.Store.Refund(t.Context(), key))
	}
	assert.NoError(t, w.Store.Refund(t.Context(), key))
	assert.Equal(t, w.charge(t, key, once, 0), 0)
	assert.True(t, w.charge(t, key, once, 0) > 0, "refunds below zero are not kept")
	three := guessKey("b")
	for range 3 {
		assert.Equal(t, w.charge(t, three, pace(), 0), 0)
	}
	assert.NoError(t, w.Store.Refund(t.Context(), three))
	assert.Equal(t, w.charge(t, three, pace(), 0), 0)
	assert.True(t, w.charge(t, three, pace(), 0) > 0, "one was given back, not all")
}

func testPruneGuesses(t *testing.T, w *world) {
	for _, account := range []string{"a", "b", "c"} {
		assert.Equal(t, w.charge(t, guessKey(account), auth.Pace{Free: 1, Cap: 1}, 0), 0)
	}
	assert.Equal(t, w.charge(t, guessKey("young"), auth.Pace{Free: 1, Cap: 1}, time.Hour), 0)
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneGuesses(t.Context(), w.now.Add(time.Minute), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.True(t, w.charge(t, guessKey("young"), auth.Pace{Free: 1, Cap: 1}, time.Hour) > 0, "the young one is kept")
}

func testPruneLeavesLocks(t *testing.T, w *world) {
	latch := auth.Pace{Free: auth.LockedAt, Cap: auth.LockedAt, Latch: true, Decay: time.Hour}
	for account, guesses := range map[string]int{"locked": auth.LockedAt, "almost": auth.LockedAt - 1} {
		for range guesses {
			assert.Equal(t, w.charge(t, guessKey(account), latch, 0), 0)
		}
	}
	for _, want := range []int{1, 0} {
		n, err := w.Store.PruneGuesses(t.Context(), w.now.Add(1000*time.Hour), 10)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.True(t, w.charge(t, guessKey("locked"), latch, 1000*time.Hour) > 0, "the lock holds")
	assert.Equal(t, w.charge(t, guessKey("almost"), latch, 1000*time.Hour), 0)
}

func budgetClauses() []clause {
	return []clause{
		{"Spend admits the limit in a window that starts with its first unit", testSpend},
		{"Spend counts each scope and target for itself", testSpendApart},
		{"concurrent calls of Spend admit no more than the limit", testSpendRace},
		{"Spend is taken back with its transaction", testSpendTakenBack},
		{"PruneBudgets deletes old windows up to its limit", testPruneBudgets},
	}
}

func allowance(limit int) auth.Allowance {
	return auth.Allowance{Scope: "mail:hour", Target: []byte("a"), Window: time.Hour, Limit: limit}
}

func (w *world) spend(t *testing.T, a auth.Allowance, at time.Duration) bool {
	t.Helper()
	ok, err := w.Store.Spend(t.Context(), a, w.now.Add(at))
	assert.NoError(t, err)
	return ok
}

func testSpend(t *testing.T, w *world) {
	for i, c := range []struct {
		at   time.Duration
		want bool
	}{
		{0, true},
		{time.Minute, true},
		{2 * time.Minute, false},
		{time.Hour - time.Microsecond, false},
		{time.Hour, true},
		{time.Hour, true},
		{time.Hour, false},
		{3 * time.Hour, true},
	} {
		if got := w.spend(t, allowance(2), c.at); got != c.want {
			t.Errorf("unit %d at %v: %v", i+1, c.at, got)
		}
	}
}

func testSpendApart(t *testing.T, w *world) {
	other, target := allowance(1), allowance(1)
	other.Scope, target.Target = "mail:day", []byte("b")
	for _, a := range []auth.Allowance{allowance(1), other, target} {
		assert.True(t, w.spend(t, a, 0), "the first unit")
		assert.False(t, w.spend(t, a, 0), "the second unit")
	}
}

func testSpendRace(t *testing.T, w *world) {
	won, _ := race(t, func(ctx context.Context) error {
		ok, err := w.Store.Spend(ctx, allowance(5), w.now)
		if err == nil && !ok {
			return errTakeBack
		}
		return err
	})
	assert.Equal(t, won, 5)
}

func testSpendTakenBack(t *testing.T, w *world) {
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		ok, err := w.Store.Spend(ctx, allowance(1), w.now)
		assert.NoError(t, err)
		assert.True(t, ok, "the unit is there")
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	assert.True(t, w.spend(t, allowance(1), 0), "the unit is there again")
}

func testPruneBudgets(t *testing.T, w *world) {
	for _, target := range []string{"a", "b", "c"} {
		assert.True(t, w.spend(t, auth.Allowance{Scope: "s", Target: []byte(target), Window: time.Hour, Limit: 1}, 0), "fresh")
	}
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneBudgets(t.Context(), w.now.Add(time.Minute), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
}
