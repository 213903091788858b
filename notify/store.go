package notify

import (
	"context"
	"time"
)

// Store keeps notifications and preferences. It lives in the database of the users: a
// call made with the ctx of InTx takes part in that transaction.
//
// Every implementation must pass notifytest.TestStore. An outage is an error that
// wraps problem.ErrUnavailable and never "nothing there". Times are UTC in
// microseconds.
type Store interface {
	// InTx runs fn in a transaction, or at a savepoint of the one in ctx. An error of
	// fn takes back what it did.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	ItemStore
	PreferenceStore
}

// ItemStore keeps notifications. Whatever is found by ids names the recipient, too:
// another user's is not found. Items that are not InApp are kept for their key alone:
// nothing but Add sees them.
type ItemStore interface {
	// Add inserts those of items whose recipient has none of their organization and key
	// yet, and returns the ids of these. It leaves the caller's transaction usable: of any
	// number of concurrent calls for one of these, one inserts. Its caller holds the
	// recipients (rule R3), in whose transaction it is, and names them in one order.
	Add(ctx context.Context, items []Item) (added []string, err error)
	// List returns the user's newest items, by time and then by id, at most q.Limit of
	// those after q.After.
	List(ctx context.Context, q Query) ([]Item, error)
	// CountUnread returns how many of the user's items are not read.
	CountUnread(ctx context.Context, userID string) (int, error)
	// MarkRead marks those of the user's items as read that have one of the ids and are
	// not read, and returns how many it marked. Concurrent calls mark each item once.
	MarkRead(ctx context.Context, userID string, ids []string, now time.Time) (int, error)
	// MarkAllRead is MarkRead for the user's items that were created before the given
	// time. What is sent meanwhile stays unread if it was created then or later.
	MarkAllRead(ctx context.Context, userID string, before, now time.Time) (int, error)
	// PruneItems deletes at most limit items that were created before the given time,
	// the oldest first, and returns how many. It passes over items that others hold.
	PruneItems(ctx context.Context, before time.Time, limit int) (int, error)
	// ForgetItems deletes all items of the user.
	ForgetItems(ctx context.Context, userID string) error
}

// Query says which of a user's items List returns.
type Query struct {
	UserID string
	// Unread leaves out what was read.
	Unread bool
	// After is the last item of the page before. Zero is the start.
	After Position
	// Limit is how many at most, at least 1.
	Limit int
}

// Position is the place of an item in a list.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// PreferenceStore keeps where users differ from the defaults.
type PreferenceStore interface {
	// Preferences returns what the users chose, in one category or, if category is
	// empty, in all.
	Preferences(ctx context.Context, category string, userIDs ...string) ([]Preference, error)
	// PutPreference inserts p or replaces the one of its user, category and channel.
	// Its caller holds the user.
	PutPreference(ctx context.Context, p Preference) error
	// DropPreference deletes the user's choice; none is no error.
	DropPreference(ctx context.Context, userID, category string, ch Channel) error
	// ForgetPreferences deletes all choices of the user.
	ForgetPreferences(ctx context.Context, userID string) error
}
