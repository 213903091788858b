package auth

import (
	"context"
	"errors"
	"time"
)

const day = 24 * time.Hour

// guessMemory is how long an untouched counter of guesses is kept: no pace takes
// longer to forget. A lock is kept beyond, also on an address that is nobody's: that
// it went would tell so (rule R7).
const guessMemory = 14 * day

// Allowance is a number of units per window for one target. Target is a MAC of
// what it stands for; the window starts with its first unit.
type Allowance struct {
	Scope  string
	Target []byte
	Window time.Duration
	Limit  int
}

// errOverBudget rolls back the units already taken for a mail that may not go.
var errOverBudget = errors.New("auth: over the mail budget")

const labelBudget = "mail-budget"

// mailing is a mail that wants to go.
type mailing struct {
	to     Address
	kind   string
	every  time.Duration // one mail of the kind per address and this time
	client Client
	silent bool // ask, but take nothing: no mail will go
}

// withinBudget runs fn, which may mail if the budgets of rule R6 have a mail
// left: one per kind and m.every, 5 an hour and 20 a day for all kinds together,
// and 60 an hour for the client's network where it is known. Otherwise it takes
// back what fn wrote. It asks all budgets in the same order, and runs fn,
// whatever the answer, so that a refusal costs what a permission does. It must
// run inside a transaction. It reports whether a mail was left.
func (s *Service) withinBudget(ctx context.Context, m mailing, fn func(ctx context.Context, mayMail bool) error) (within bool, err error) {
	allowances, err := s.mailAllowances(ctx, m)
	if err != nil {
		return false, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		within = !m.silent
		for _, allowance := range allowances {
			ok, err := s.store.Spend(ctx, allowance, s.now())
			if err != nil {
				return err
			}
			if within && !ok {
				s.cfg.Logger.InfoContext(ctx, "auth: mail withheld", "kind", m.kind, "budget", allowance.Scope)
			}
			within = within && ok
		}
		if err := fn(ctx, within); err != nil || within {
			return err
		}
		return errOverBudget
	})
	if errors.Is(err, errOverBudget) {
		return false, nil
	}
	return within && err == nil, err
}

func (s *Service) mailAllowances(ctx context.Context, m mailing) ([]Allowance, error) {
	mailbox, err := s.mac(ctx, labelBudget, "address", m.to.budgetKey())
	if err != nil {
		return nil, err
	}
	allowances := []Allowance{
		{Scope: "mail:" + m.kind, Target: mailbox, Window: m.every, Limit: 1},
		{Scope: "mail:hour", Target: mailbox, Window: time.Hour, Limit: 5},
		{Scope: "mail:day", Target: mailbox, Window: day, Limit: 20},
	}
	if !m.client.IP.IsValid() {
		return allowances, nil
	}
	network, err := s.mac(ctx, labelBudget, "network", networkOf(m.client))
	if err != nil {
		return nil, err
	}
	return append(allowances, Allowance{Scope: "mail:network", Target: network, Window: time.Hour, Limit: 60}), nil
}

// networkOf groups clients: an IPv4 address counts for itself, IPv6 by /64,
// which one customer holds whole.
func networkOf(client Client) string {
	ip := client.IP.Unmap()
	if !ip.Is6() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}
