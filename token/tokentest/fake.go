package tokentest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/token"
)

var _ token.Store = (*Fake)(nil)

// errDuplicate is what Fake says where a database has a unique index.
var errDuplicate = errors.New("tokentest: the id or the selector exists")

// Fake is a token.Store in memory. Transactions run one at a time, as SQLite's
// do. It is safe for concurrent use; make it with NewFake.
type Fake struct{ db *faketx.DB[rows] }

type rows map[string]token.Row

// NewFake returns an empty Fake.
func NewFake() *Fake { return &Fake{faketx.New(rows{}, maps.Clone[rows])} }

// Fail makes every call return err until Fail(nil): a database that is down.
func (f *Fake) Fail(err error) { f.db.Fail(err) }

// Rows returns what is committed, oldest first.
func (f *Fake) Rows() []token.Row { return slices.SortedFunc(maps.Values(f.db.State()), byAge) }

// InTx implements token.Store.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.db.InTx(ctx, fn)
}

// InTransaction reports whether ctx carries a transaction.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.db.InTransaction(ctx) }

// change runs fn on the rows of the transaction in ctx, or of one of its own.
func (f *Fake) change(ctx context.Context, fn func(rows rows) error) error {
	return f.db.Do(ctx, func(state *rows) error { return fn(*state) })
}

// AddToken implements token.Store.
func (f *Fake) AddToken(ctx context.Context, row token.Row, keep int) error {
	return f.change(ctx, func(rows rows) error {
		for _, r := range rows {
			if r.ID == row.ID || r.Selector == row.Selector {
				return errDuplicate
			}
		}
		for _, at := range []*time.Time{&row.CreatedAt, &row.ExpiresAt, &row.ConsumedAt} {
			*at = at.UTC().Truncate(time.Microsecond)
		}
		row.Payload, row.Verifier.MAC = slices.Clone(row.Payload), slices.Clone(row.Verifier.MAC)
		rows[row.ID] = row
		live := siblings(rows, row.Purpose, row.Subject, row.Tenant)
		for _, r := range live[:max(0, len(live)-keep)] {
			delete(rows, r.ID)
		}
		return nil
	})
}

// TokenBySelector implements token.Store.
func (f *Fake) TokenBySelector(ctx context.Context, purpose token.Purpose, selector string) (token.Row, error) {
	var found token.Row
	err := f.change(ctx, func(rows rows) error {
		for _, r := range rows {
			if r.Purpose == purpose && r.Selector == selector {
				found = r
				return nil
			}
		}
		return token.ErrNotFound
	})
	return found, err
}

// ConsumeToken implements token.Store.
func (f *Fake) ConsumeToken(ctx context.Context, purpose token.Purpose, id string, now time.Time) (won bool, err error) {
	err = f.change(ctx, func(rows rows) error {
		r, ok := rows[id]
		if won = ok && r.Purpose == purpose && live(r, now); won {
			r.ConsumedAt = now
			rows[id] = r
		}
		return nil
	})
	return won && err == nil, err
}

// ChargeToken implements token.Store.
func (f *Fake) ChargeToken(ctx context.Context, purpose token.Purpose, id string, limit int, now time.Time) (charged bool, err error) {
	err = f.change(ctx, func(rows rows) error {
		r, ok := rows[id]
		if charged = ok && r.Purpose == purpose && live(r, now) && r.Attempts < limit; charged {
			r.Attempts++
			rows[id] = r
		}
		return nil
	})
	return charged && err == nil, err
}

// DropTokens implements token.Store.
func (f *Fake) DropTokens(ctx context.Context, purpose token.Purpose, subject, tenant string) (n int, err error) {
	err = f.change(ctx, func(rows rows) error {
		for _, r := range siblings(rows, purpose, subject, tenant) {
			delete(rows, r.ID)
			n++
		}
		return nil
	})
	return n, err
}

// PruneTokens implements token.Store.
func (f *Fake) PruneTokens(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.change(ctx, func(rows rows) error {
		for _, r := range slices.SortedFunc(maps.Values(rows), byAge) {
			if n < limit && !r.ExpiresAt.After(before) {
				delete(rows, r.ID)
				n++
			}
		}
		return nil
	})
	return n, err
}

func live(r token.Row, now time.Time) bool {
	return r.ConsumedAt.IsZero() && r.ExpiresAt.After(now)
}

// siblings returns the unconsumed rows of a subject, oldest first.
func siblings(rows rows, purpose token.Purpose, subject, tenant string) []token.Row {
	var out []token.Row
	for _, r := range rows {
		if r.Purpose == purpose && r.Subject == subject && r.Tenant == tenant && r.ConsumedAt.IsZero() {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, byAge)
	return out
}

func byAge(a, b token.Row) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}
