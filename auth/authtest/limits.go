package authtest

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/tenon-go/tenon/auth"
)

var errNoTransaction = errors.New("authtest: the call needs a transaction")

// Charge implements auth.GuessStore.
func (f *Fake) Charge(ctx context.Context, key auth.GuessKey, pace auth.Pace, now time.Time) (wait time.Duration, err error) {
	if f.InTransaction(ctx) {
		return 0, auth.ErrInTransaction
	}
	err = f.Do(ctx, func(s *state) error {
		k := counterKey{key.Factor, string(key.Account)}
		last := s.guesses[k]
		since := now.Sub(last.at)
		remaining := pace.Remaining(last.count, since)
		if left := pace.Left(remaining, since); left > 0 {
			wait = max(time.Second, left)
			return nil
		}
		at := now
		if pace.Window > 0 && since < pace.Window {
			at = last.at
		}
		s.guesses[k] = counter{count: remaining + 1, at: at}
		return nil
	})
	return wait, err
}

// Refund implements auth.GuessStore.
func (f *Fake) Refund(ctx context.Context, key auth.GuessKey) error {
	return f.Do(ctx, func(s *state) error {
		s.refund(key)
		return nil
	})
}

func (s *state) refund(key auth.GuessKey) {
	k := counterKey{key.Factor, string(key.Account)}
	if c := s.guesses[k]; c.count > 0 {
		c.count--
		s.guesses[k] = c
	}
}

// ForgetGuesses implements auth.GuessStore.
func (f *Fake) ForgetGuesses(ctx context.Context, keys ...auth.GuessKey) error {
	return f.Do(ctx, func(s *state) error {
		for _, key := range keys {
			delete(s.guesses, counterKey{key.Factor, string(key.Account)})
		}
		return nil
	})
}

// PruneGuesses implements auth.GuessStore.
func (f *Fake) PruneGuesses(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error { n = prune(s.guesses, before, auth.LockedAt, limit); return nil })
	return n, err
}

// Spend implements auth.BudgetStore.
func (f *Fake) Spend(ctx context.Context, a auth.Allowance, now time.Time) (ok bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		k := counterKey{a.Scope, string(a.Target)}
		c, known := s.budgets[k]
		if !known || now.Sub(c.at) >= a.Window {
			c = counter{at: now}
		}
		if ok = c.count < a.Limit; ok {
			c.count++
			s.budgets[k] = c
		}
		return nil
	})
	return ok && err == nil, err
}

// PruneBudgets implements auth.BudgetStore.
func (f *Fake) PruneBudgets(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error { n = prune(s.budgets, before, math.MaxInt, limit); return nil })
	return n, err
}

func prune(counters map[counterKey]counter, before time.Time, below, limit int) int {
	n := 0
	maps.DeleteFunc(counters, func(_ counterKey, c counter) bool {
		old := c.at.Before(before) && c.count < below && n < limit
		if old {
			n++
		}
		return old
	})
	return n
}
