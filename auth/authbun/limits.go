package authbun

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
)

// chargeSQL is auth.Pace in SQL, so that one statement decides. Its numbers are
// the program's own, in microseconds.
func chargeSQL(p auth.Pace) string {
	decay := int64(math.MaxInt64)
	if p.Decay > 0 {
		decay = p.Decay.Microseconds()
	}
	limit := int64(math.MaxInt32)
	if p.Cap > 0 {
		limit = int64(p.Cap)
	}
	const elapsed = "(excluded.charged_at - g.charged_at)"
	latch := int64(math.MaxInt64)
	if p.Latch {
		latch = limit
	}
	forgotten := fmt.Sprintf("(%s / %d)", elapsed, decay)
	remaining := fmt.Sprintf("(CASE WHEN %[1]s <= 0 OR g.failures >= %[2]d THEN g.failures WHEN %[1]s < g.failures THEN g.failures - %[1]s ELSE 0 END)", forgotten, latch)
	doublings := fmt.Sprintf("(CASE WHEN %[1]s - %[2]d > 30 THEN 30 ELSE %[1]s - %[2]d END)", remaining, p.Free)
	wait := fmt.Sprintf("(CAST(%d AS BIGINT) << CAST(%s AS INTEGER))", p.Step.Microseconds(), doublings)
	capped := fmt.Sprintf("(CASE WHEN %[1]s > %[2]d THEN %[2]d ELSE %[1]s END)", wait, p.MaxWait.Microseconds())
	return fmt.Sprintf(`
INSERT INTO tenon_guesses AS g (factor, account, failures, charged_at) VALUES (?, ?, 1, ?)
ON CONFLICT (factor, account) DO UPDATE SET failures = %[1]s + 1, charged_at = excluded.charged_at
WHERE %[1]s < %[2]d AND (%[1]s < %[3]d OR %[4]s >= %[5]s)`, remaining, limit, p.Free, elapsed, capped)
}

// chargeWindowSQL is chargeSQL for a pace with a window: the time that is kept is
// that of the first guess.
func chargeWindowSQL(p auth.Pace) string {
	over := fmt.Sprintf("excluded.charged_at - g.charged_at >= %d", p.Window.Microseconds())
	return fmt.Sprintf(`
INSERT INTO tenon_guesses AS g (factor, account, failures, charged_at) VALUES (?, ?, 1, ?)
ON CONFLICT (factor, account) DO UPDATE SET
    failures = CASE WHEN %[1]s THEN 1 ELSE g.failures + 1 END,
    charged_at = CASE WHEN %[1]s THEN excluded.charged_at ELSE g.charged_at END
WHERE %[1]s OR g.failures < %[2]d`, over, p.Cap)
}

// Charge implements auth.GuessStore.
func (s *Store) Charge(ctx context.Context, key auth.GuessKey, pace auth.Pace, now time.Time) (time.Duration, error) {
	if s.InTransaction(ctx) {
		return 0, auth.ErrInTransaction
	}
	var charged int
	err := s.alone(ctx, func(ctx context.Context) (err error) {
		charged, err = affected(s.chargeOf(pace).Exec(ctx, key.Factor, key.Account, now.UnixMicro()))
		return err
	})
	if err != nil {
		return 0, bundb.Wrap("authbun: charge a guess", err)
	}
	if charged == 1 {
		return 0, nil
	}
	return s.wait(ctx, key, pace, now)
}

// chargeOf returns the statement of a pace. There are few paces, one per factor.
func (s *Store) chargeOf(pace auth.Pace) bundb.Statement {
	if known, ok := s.charges.Load(pace); ok {
		return known.(bundb.Statement)
	}
	query := chargeSQL(pace)
	if pace.Window > 0 {
		query = chargeWindowSQL(pace)
	}
	statement := s.Statement(query)
	s.charges.Store(pace, statement)
	return statement
}

// alone runs a statement that commits by itself. On SQLite it takes its turn in
// the queue of transactions: one that asked for the file's lock instead would
// wait for as long as the queue is busy.
func (s *Store) alone(ctx context.Context, fn func(ctx context.Context) error) error {
	if s.Dialect() == bundb.SQLite {
		return s.InTx(ctx, fn)
	}
	return fn(ctx)
}

// wait returns how long to wait, after a guess was refused.
func (s *Store) wait(ctx context.Context, key auth.GuessKey, pace auth.Pace, now time.Time) (time.Duration, error) {
	var failures int
	var chargedAt int64
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_guesses").Column("failures", "charged_at").
		Where("factor = ?", key.Factor).Where("account = ?", key.Account).Scan(ctx, &failures, &chargedAt)
	if err != nil {
		return 0, bundb.Wrap("authbun: read a counter of guesses", err)
	}
	since := now.Sub(time.UnixMicro(chargedAt))
	return max(time.Second, pace.Left(pace.Remaining(failures, since), since)), nil
}

const refundSQL = `
UPDATE tenon_guesses SET failures = failures - 1
WHERE factor = ? AND account = ? AND failures > 0`

// Refund implements auth.GuessStore.
func (s *Store) Refund(ctx context.Context, key auth.GuessKey) error {
	return s.alone(ctx, func(ctx context.Context) error {
		_, err := s.refund.Exec(ctx, key.Factor, key.Account)
		return bundb.Wrap("authbun: refund a guess", err)
	})
}

// ForgetGuesses implements auth.GuessStore.
func (s *Store) ForgetGuesses(ctx context.Context, keys ...auth.GuessKey) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for _, key := range keys {
			_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_guesses").
				Where("factor = ?", key.Factor).Where("account = ?", key.Account).Exec(ctx)
			if err != nil {
				return bundb.Wrap("authbun: forget guesses", err)
			}
		}
		return nil
	})
}

// PruneGuesses implements auth.GuessStore.
func (s *Store) PruneGuesses(ctx context.Context, before time.Time, limit int) (int, error) {
	query := "DELETE FROM tenon_guesses WHERE (factor, account) IN (SELECT factor, account FROM tenon_guesses" +
		" WHERE charged_at < ? AND failures < ? ORDER BY charged_at LIMIT ?" + s.passOver() + ")"
	n, err := affected(s.Statement(query).Exec(ctx, before.UnixMicro(), auth.LockedAt, limit))
	return n, bundb.Wrap("authbun: prune counters of guesses", err)
}

const spendSQL = `
INSERT INTO tenon_mail_budgets AS b (scope, target, started_at, spent) VALUES (?, ?, ?, 1)
ON CONFLICT (scope, target) DO UPDATE SET
    spent = CASE WHEN b.started_at <= CAST(? AS BIGINT) THEN 1 ELSE b.spent + 1 END,
    started_at = CASE WHEN b.started_at <= CAST(? AS BIGINT) THEN excluded.started_at ELSE b.started_at END
WHERE b.started_at <= CAST(? AS BIGINT) OR b.spent < CAST(? AS BIGINT)`

// Spend implements auth.BudgetStore.
func (s *Store) Spend(ctx context.Context, a auth.Allowance, now time.Time) (bool, error) {
	over := now.Add(-a.Window).UnixMicro() // a window that started then or before is over
	spent, err := affected(s.spend.Exec(ctx, a.Scope, a.Target, now.UnixMicro(), over, over, over, a.Limit))
	return spent == 1, bundb.Wrap("authbun: spend from a mail budget", err)
}

// PruneBudgets implements auth.BudgetStore.
func (s *Store) PruneBudgets(ctx context.Context, before time.Time, limit int) (int, error) {
	query := "DELETE FROM tenon_mail_budgets WHERE (scope, target) IN (SELECT scope, target FROM tenon_mail_budgets" +
		" WHERE started_at < ? ORDER BY started_at LIMIT ?" + s.passOver() + ")"
	n, err := affected(s.Statement(query).Exec(ctx, before.UnixMicro(), limit))
	return n, bundb.Wrap("authbun: prune mail budgets", err)
}

// passOver makes a statement that deletes many rows leave those that others hold:
// they are in use again, and to wait for one while holding another would deadlock.
func (s *Store) passOver() string {
	if s.Dialect() == bundb.Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
