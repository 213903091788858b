package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth/password"
)

// GuessKey names what is being guessed at: one factor of one account. The
// account is a MAC of its identifier, so that unknown ones are counted in the
// same way and the table names nobody.
type GuessKey struct {
	Factor  string
	Account []byte
}

// Pace says how fast one factor of one account may be guessed at (rule R8).
// The first Free guesses are not slowed down. From then on the wait after a
// guess starts at Step and doubles with each further one up to MaxWait. At Cap
// guesses none is welcome. One guess is forgotten in every full Decay since the
// last; a zero Decay forgets none.
type Pace struct {
	Free    int
	Step    time.Duration
	MaxWait time.Duration
	Cap     int
	Decay   time.Duration
}

// passwordPace follows NIST SP 800-63B-4 §3.2.2: growing waits, and at most 100
// failures in a row.
func passwordPace() Pace {
	return Pace{Free: 5, Step: time.Second, MaxWait: 15 * time.Minute, Cap: 100, Decay: time.Hour}
}

// signUpProofPace allows five tries at the password of one sign-up (rule R5),
// which itself lives a day.
func signUpProofPace() Pace {
	return Pace{Free: 5, Cap: 5}
}

// Remaining returns how many of count guesses are still remembered after the
// time since the last one.
func (p Pace) Remaining(count int, since time.Duration) int {
	if p.Decay <= 0 || since < 0 {
		return count
	}
	return max(0, count-int(since/p.Decay))
}

// never stands for the wait at a cap from which nothing is forgotten. Whatever
// such a counter protects does not live that long.
const never = 24 * time.Hour

// Left returns how long to wait until the next guess, with count guesses
// remembered and that time since the last one. Zero means that it is welcome.
func (p Pace) Left(count int, since time.Duration) time.Duration {
	switch {
	case p.Cap > 0 && count >= p.Cap && p.Decay <= 0:
		return never
	case p.Cap > 0 && count >= p.Cap:
		return max(0, p.Decay-since)
	case count < p.Free || p.Step <= 0:
		return 0
	}
	doublings := min(count-p.Free, 30)
	return max(0, min(p.MaxWait, p.Step<<doublings)-since)
}

const labelGuess = "guess"

// charge counts a guess before it is checked. It must not run inside a
// transaction, whose rollback would take the charge back.
func (s *Service) charge(ctx context.Context, factor, identifier string, pace Pace) (GuessKey, error) {
	if s.store.InTransaction(ctx) {
		return GuessKey{}, ErrInTransaction
	}
	account, err := s.mac(ctx, labelGuess, factor, identifier)
	if err != nil {
		return GuessKey{}, err
	}
	key := GuessKey{Factor: factor, Account: account}
	wait, err := s.store.Charge(ctx, key, pace, s.now())
	if err != nil {
		return GuessKey{}, fmt.Errorf("auth: charge a guess: %w", err)
	}
	if wait > 0 {
		return GuessKey{}, ErrTooManyAttempts.WithRetryAfter(wait)
	}
	return key, nil
}

// unchecked gives a guess back that no slot was free to check: whoever keeps the
// slots busy must not use up the guesses of others. It returns err.
func (s *Service) unchecked(ctx context.Context, key GuessKey, err error) error {
	if !errors.Is(err, password.ErrOverloaded) {
		return err
	}
	return errors.Join(err, s.store.Refund(ctx, key))
}

// mac identifies parts under the key that label names, without storing them.
func (s *Service) mac(ctx context.Context, label string, parts ...string) ([]byte, error) {
	_, key, err := s.cfg.Keys.ActiveSubkey(ctx, s.cfg.TokenPurpose, label)
	if err != nil {
		return nil, fmt.Errorf("auth: key for %s: %w", label, err)
	}
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil), nil
}
