package authtest

import (
	"context"
	"maps"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// challenge is a row of challenges.
type challenge struct {
	auth.Challenge
	tries    int
	consumed bool
}

func (c challenge) live(now time.Time) bool { return !c.consumed && c.ExpiresAt.After(now) }

// SetSecondFactor implements auth.FactorStore.
func (f *Fake) SetSecondFactor(ctx context.Context, userID string, since time.Time) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		user, ok := s.users[userID]
		if !ok {
			return auth.ErrUserNotFound
		}
		user.SecondFactorAt = since.UTC()
		s.users[userID] = user
		return nil
	})
}

// AddChallenge implements auth.FactorStore.
func (f *Fake) AddChallenge(ctx context.Context, c auth.Challenge) error {
	return f.Do(ctx, func(s *state) error {
		s.challenges[c.ID] = challenge{Challenge: c}
		return nil
	})
}

// ChallengeBySelector implements auth.FactorStore.
func (f *Fake) ChallengeBySelector(ctx context.Context, selector string, tries int, now time.Time) (found auth.Challenge, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, c := range s.challenges {
			user, ok := s.users[c.UserID]
			if c.Selector == selector && c.live(now) && c.tries < tries && ok &&
				user.SecurityVersion == c.SecurityVersion && !s.isBanned(c.UserID, now) {
				found = c.Challenge
				return nil
			}
		}
		return auth.ErrNoChallenge
	})
	return found, err
}

// TryChallenge implements auth.FactorStore.
func (f *Fake) TryChallenge(ctx context.Context, id string, limit int, now time.Time) (alive bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		c, ok := s.challenges[id]
		if alive = ok && c.live(now) && c.tries < limit; alive {
			c.tries++
			s.challenges[id] = c
		}
		return nil
	})
	return alive && err == nil, err
}

// ConsumeChallenge implements auth.FactorStore.
func (f *Fake) ConsumeChallenge(ctx context.Context, id string, now time.Time) (consumed bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		c, ok := s.challenges[id]
		if consumed = ok && c.live(now); consumed {
			c.consumed = true
			s.challenges[id] = c
		}
		return nil
	})
	return consumed && err == nil, err
}

// DropChallenges implements auth.FactorStore.
func (f *Fake) DropChallenges(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.challenges, func(_ string, c challenge) bool { return c.UserID == userID })
		return nil
	})
}

// PruneChallenges implements auth.FactorStore.
func (f *Fake) PruneChallenges(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.challenges, func(_ string, c challenge) bool {
			prune := !c.ExpiresAt.After(now) && n < limit
			if prune {
				n++
			}
			return prune
		})
		return nil
	})
	return n, err
}
