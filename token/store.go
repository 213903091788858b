package token

import (
	"context"
	"time"
)

// Row is a one-time token as it is stored.
type Row struct {
	OneTime
	Selector string // unique; the lookup key
	Verifier Verifier
}

// Store keeps one-time tokens. The comments are its contract, and
// tokentest.TestStore holds an implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller; "now" is
// never the database's. An outage is an error that is none of this package's
// sentinels. A method whose ctx is cancelled changes nothing. Rows of one
// tenant are never seen, changed or counted for another; the empty tenant is a
// tenant of its own.
type Store interface {
	// InTx runs fn in a transaction: commits if fn returns nil, rolls back on an
	// error or a panic. Inside another it is a savepoint.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error

	// AddToken stores row, every field of it, then drops the oldest unconsumed
	// rows of its purpose, tenant and subject beyond the keep newest. It refuses
	// a row whose id or selector exists and leaves the old one as it was.
	AddToken(ctx context.Context, row Row, keep int) error

	// TokenBySelector returns the row, whatever its state, or ErrNotFound.
	TokenBySelector(ctx context.Context, purpose Purpose, selector string) (Row, error)

	// ConsumeToken marks the row consumed at now if it is unconsumed and expires
	// later than now, and says whether it did. Of any number of concurrent calls
	// for a row, or for rows of one purpose, tenant and subject that then drop
	// their siblings in the same transaction, one wins and none deadlocks.
	ConsumeToken(ctx context.Context, purpose Purpose, id string, now time.Time) (bool, error)

	// ChargeToken adds one to the attempts of an unconsumed, unexpired row that
	// has fewer than limit, and says whether it did. Concurrent calls never pass
	// the limit.
	ChargeToken(ctx context.Context, purpose Purpose, id string, limit int, now time.Time) (bool, error)

	// DropTokens deletes the unconsumed rows of this purpose, tenant and subject
	// and returns how many.
	DropTokens(ctx context.Context, purpose Purpose, subject, tenant string) (int, error)

	// PruneTokens deletes at most limit rows that expire at before or earlier,
	// and returns how many. It passes over rows that another transaction holds.
	PruneTokens(ctx context.Context, before time.Time, limit int) (int, error)
}
