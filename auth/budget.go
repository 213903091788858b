package auth

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-go/tenon/mail"
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

// post is Post inside a transaction. The budgets of rule R6 are one mail per kind
// and l.Every, 5 an hour and 20 a day for all kinds together, and 60 an hour for the
// client's network where it is known. It asks all of them in the same order, and runs
// write, whatever the answer, so that a refusal costs what a permission does.
func (s *Service) post(ctx context.Context, l Letter, write func(ctx context.Context) (mail.Data, error)) (sent bool, err error) {
	allowances, err := s.mailAllowances(ctx, l)
	if err != nil {
		return false, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		sent = !l.Silent
		for _, allowance := range allowances {
			ok, err := s.store.Spend(ctx, allowance, s.now())
			if err != nil {
				return err
			}
			if sent && !ok {
				s.cfg.Logger.InfoContext(ctx, "auth: mail withheld", "kind", l.Kind, "budget", allowance.Scope)
			}
			sent = sent && ok
		}
		data, err := write(ctx)
		switch {
		case err != nil:
			return err
		case !sent:
			return errOverBudget
		}
		return s.enqueue(ctx, l.Kind, l.To, data)
	})
	if errors.Is(err, errOverBudget) {
		return false, nil
	}
	return sent && err == nil, err
}

func (s *Service) mailAllowances(ctx context.Context, l Letter) ([]Allowance, error) {
	mailbox, err := s.mac(ctx, labelBudget, "address", l.To.budgetKey())
	if err != nil {
		return nil, err
	}
	allowances := []Allowance{
		{Scope: "mail:" + l.Kind, Target: mailbox, Window: l.Every, Limit: 1},
		{Scope: "mail:hour", Target: mailbox, Window: time.Hour, Limit: 5},
		{Scope: "mail:day", Target: mailbox, Window: day, Limit: 20},
	}
	if !l.Client.IP.IsValid() {
		return allowances, nil
	}
	network, err := s.mac(ctx, labelBudget, "network", networkOf(l.Client))
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
