package session

import (
	"context"
	"fmt"
	"time"
)

// Lifetime bounds sessions of one level of assurance. A zero field is no bound of
// its own.
type Lifetime struct {
	// Idle is how long a session lives without being used, at least two minutes.
	Idle time.Duration
	// Absolute is how long it lives at most, at least two minutes.
	Absolute time.Duration
}

// NIST returns a Config with the lifetimes of NIST SP 800-63B-4 §2, for cookies
// and bearers alike: 30 days at assurance 1; 24 hours, or one without use, at 2;
// 12 hours, or 15 minutes without use, at 3. Fill in the rest:
//
//	cfg := session.NIST()
//	cfg.Peppers = keyring
//
// A session has the lifetime of what was proven when it started. A step-up that
// raises its assurance shortens it; none makes it longer.
func NIST() Config {
	const day = 24 * time.Hour
	return Config{
		Idle: 7 * day, Absolute: 30 * day, BrowserOnly: day, BearerIdle: 7 * day, BearerAbsolute: 30 * day,
		Level2: Lifetime{Idle: time.Hour, Absolute: day},
		Level3: Lifetime{Idle: 15 * time.Minute, Absolute: 12 * time.Hour},
	}
}

// within returns the shorter of each.
func (l Lifetime) within(bound Lifetime) Lifetime {
	if bound.Idle != 0 {
		l.Idle = min(l.Idle, bound.Idle)
	}
	if bound.Absolute != 0 {
		l.Absolute = min(l.Absolute, bound.Absolute)
	}
	l.Idle = min(l.Idle, l.Absolute)
	return l
}

func (c *Config) validateLevels() error {
	for i, l := range []Lifetime{c.Level2, c.Level3} {
		for _, d := range []time.Duration{l.Idle, l.Absolute} {
			if d != 0 && d < minLifetime {
				return fmt.Errorf("session: Config.Level%d must be %v at least, or 0", i+2, minLifetime)
			}
		}
	}
	return nil
}

// lifetime returns how long a session like s lives.
func (c *Config) lifetime(s *Session) Lifetime {
	if s.ActorID != "" {
		return Lifetime{Idle: c.Idle, Absolute: c.Absolute}.within(Lifetime{Absolute: impersonation})
	}
	return c.levelLifetime(s.Assurance(), s.Bearer, s.BrowserOnly)
}

func (c *Config) levelLifetime(level int, bearer, browserOnly bool) Lifetime {
	life := Lifetime{Idle: c.Idle, Absolute: c.Absolute}
	if bearer {
		life = Lifetime{Idle: c.BearerIdle, Absolute: c.BearerAbsolute}
	}
	if browserOnly {
		life = life.within(Lifetime{Absolute: c.BrowserOnly})
	}
	if level >= 2 {
		life = life.within(c.Level2)
	}
	if level >= 3 {
		life = life.within(c.Level3)
	}
	return life
}

// impersonation is how long somebody may act as another at most (rule R22).
const impersonation = time.Hour

const (
	// keepEnded leaves ended sessions in the table for whoever must find out
	// what happened yesterday.
	keepEnded  = 24 * time.Hour
	pruneBatch = 1000
)

// Maintain deletes the sessions that ended and the revocations that were logged
// more than a day ago, a thousand a statement, until none is left or ctx ends.
// Call it every hour or so; several processes may call it at once.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now().Add(-keepEnded)
	for _, prune := range []func(context.Context, time.Time, int) (int, error){
		s.store.PruneSessions, s.store.PruneRevocations,
	} {
		for n := pruneBatch; n == pruneBatch; {
			var err error
			if n, err = prune(ctx, before, pruneBatch); err != nil {
				return fmt.Errorf("session: maintain: %w", err)
			}
		}
	}
	return nil
}
