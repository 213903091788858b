package totp

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Algorithm is the hash below the HMAC. Its number may be stored.
type Algorithm int

// The algorithms of RFC 6238.
const (
	SHA1   Algorithm = 0
	SHA256 Algorithm = 1
	SHA512 Algorithm = 2
)

// String returns the name that URIs use: SHA1, SHA256, SHA512.
func (a Algorithm) String() string { return a.otp().String() }

func (a Algorithm) otp() otp.Algorithm {
	switch a {
	case SHA256:
		return otp.AlgorithmSHA256
	case SHA512:
		return otp.AlgorithmSHA512
	}
	return otp.AlgorithmSHA1
}

// size is the length of a new secret in bytes: that of the hash, as RFC 6238's
// reference and RFC 4226's recommendation have it.
func (a Algorithm) size() int { return map[Algorithm]int{SHA1: 20, SHA256: 32, SHA512: 64}[a] }

// Config says how codes are made. The zero value is what every app understands.
type Config struct {
	// Algorithm defaults to SHA1. Several apps ignore any other.
	Algorithm Algorithm
	// Digits is 6 or 8. Defaults to 6.
	Digits int
	// Period is how long a step lasts: 15 to 120 whole seconds. Defaults to 30 s.
	Period time.Duration
	// Strict accepts the code of the current step only. By default those of the
	// step before and the step after are accepted too (RFC 6238 5.2).
	Strict bool
	// Rand makes secrets. Defaults to crypto/rand.
	Rand io.Reader
}

// Scheme is a validated Config. The zero value matches nothing; make one with
// New.
type Scheme struct {
	cfg Config
}

// New checks cfg and fills in its defaults. It fails with ErrFIPS for SHA-1 where
// FIPS 140 is enforced. It is cheap: a caller that keeps the parameters with each
// secret makes a Scheme per check, and a changed default breaks nobody's app.
func New(cfg Config) (Scheme, error) {
	if cfg.Digits == 0 {
		cfg.Digits = 6
	}
	if cfg.Period == 0 {
		cfg.Period = 30 * time.Second
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	switch {
	case cfg.Algorithm.size() == 0, cfg.Digits != 6 && cfg.Digits != 8,
		cfg.Period < 15*time.Second, cfg.Period > 2*time.Minute, cfg.Period%time.Second != 0:
		return Scheme{}, errConfig
	case cfg.Algorithm == SHA1 && fips140.Enforced():
		return Scheme{}, ErrFIPS
	}
	return Scheme{cfg: cfg}, nil
}

// Config returns the parameters with their defaults filled in.
func (s Scheme) Config() Config { return s.cfg }

// NewSecret makes a secret as long as the hash: 20, 32 or 64 bytes. It fails only
// when Rand does.
func (s Scheme) NewSecret() (Secret, error) {
	raw := make([]byte, s.cfg.Algorithm.size())
	if s.cfg.Rand == nil {
		return Secret{}, errConfig
	}
	if _, err := io.ReadFull(s.cfg.Rand, raw); err != nil {
		return Secret{}, fmt.Errorf("totp: make a secret: %w", err)
	}
	return newSecret(raw)
}

// Match reports the step that code belongs to at that time, and whether there is
// one. It computes and compares every acceptable step whatever it finds, so its
// time says nothing. Of two steps with the same code it returns the later one, so
// that both are used up.
//
// A code is Digits ASCII digits. Spaces, tabs and line ends that people type or
// paste around and between them are dropped; anything else is no code: other
// scripts' digits, signs, letters, a digit more.
func (s Scheme) Match(secret Secret, code string, at time.Time) (int64, bool) {
	digits, ok := s.canonical(code)
	if !ok || secret.IsZero() || at.Unix() < 0 {
		return 0, false
	}
	now, reach := s.Step(at), int64(1)
	if s.cfg.Strict {
		reach = 0
	}
	found := -1
	for i := range int(2*reach + 1) {
		want, valid := s.code(secret, now-reach+int64(i))
		equal := subtle.ConstantTimeCompare([]byte(want), []byte(digits))
		found = subtle.ConstantTimeSelect(equal&valid, i, found)
	}
	return now - reach + int64(found), found >= 0
}

// Step returns the number of the step that at lies in, counted from 1970.
func (s Scheme) Step(at time.Time) int64 { return at.Unix() / int64(s.cfg.Period/time.Second) }

// Code returns the code of a step: for tests and for programs that sign in by
// themselves. A server never needs it.
func (s Scheme) Code(secret Secret, step int64) (string, bool) {
	if s.cfg.Digits == 0 || secret.IsZero() {
		return "", false
	}
	code, valid := s.code(secret, step)
	return code, valid == 1
}

// code returns 1 with a code that may match.
func (s Scheme) code(secret Secret, step int64) (string, int) {
	code, err := hotp.GenerateCodeCustom(secret.Reveal(), uint64(step), hotp.ValidateOpts{
		Digits: otp.Digits(s.cfg.Digits), Algorithm: s.cfg.Algorithm.otp(),
	})
	if err != nil || step < 0 {
		return "", 0
	}
	return code, 1
}

// maxTyped bounds what is looked at.
const maxTyped = 64

// canonical is the one place that decides what a typed code is.
func (s Scheme) canonical(code string) (string, bool) {
	if s.cfg.Digits == 0 || len(code) > maxTyped {
		return "", false
	}
	digits := make([]byte, 0, s.cfg.Digits)
	for i := range len(code) {
		switch c := code[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case !strings.ContainsRune(" \t\r\n", rune(c)):
			return "", false
		}
	}
	return string(digits), len(digits) == s.cfg.Digits
}
