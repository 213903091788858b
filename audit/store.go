package audit

import (
	"context"
	"time"
)

// Row is an entry as it is stored.
type Row struct {
	ID             string
	OrganizationID string
	At             time.Time
	Action, Event  string
	Outcome        Outcome
	Actor          Actor
	Target         Target
	// Personal is the sealed part: nil where there never was one, and after it was
	// erased. PersonalHash commits to it, and stays; it is nil where there never was
	// one.
	Personal     []byte
	PersonalHash []byte
	// KID is the key of MAC, which covers every field above but Personal.
	KID string
	MAC []byte

	// Seq is the number in the chain, 0 until the row is sealed; the rest is empty
	// until then. Prev is the Link of the row before, empty for the first.
	Seq        int64
	Prev, Link []byte
	// LinkKID is the key of Link.
	LinkKID string
}

// Pending is a row that waits to be sealed.
type Pending struct {
	ID, OrganizationID string
	MAC                []byte
}

// Link is the place of one row in its chain.
type Link struct {
	ID         string
	Seq        int64
	Prev, Link []byte
	KID        string
}

// Head is the end of a chain: how many rows it has had, and the link of the last of
// them, under a MAC. It says nothing of what is in the rows and may be kept anywhere.
type Head struct {
	OrganizationID string
	Count          int64
	Hash           []byte
	At             time.Time
	KID            string
	MAC            []byte
}

// Chain is the state of one organization's chain. Base is where it begins: its zero
// value is the very beginning, another one the checkpoint that retention left, signed
// like a head.
type Chain struct {
	OrganizationID string
	Head, Base     Head
}

// Roster says how many chains there are, under a MAC. Its zero value has no KID.
type Roster struct {
	Chains int64
	KID    string
	MAC    []byte
}

// Tail is what waits to be sealed.
type Tail struct {
	Count int64
	// Since is when the oldest of it was recorded; zero where nothing waits.
	Since time.Time
}

// Lease is the right to seal. Token grows with every lease, so that the holder of an
// earlier one is told apart.
type Lease struct {
	Holder string
	Token  int64
	Until  time.Time
}

// Filter selects rows. Empty fields select all.
type Filter struct {
	// All selects the rows of every organization and of none; otherwise it is those of
	// OrganizationID, where "" is those without one.
	All            bool
	OrganizationID string
	ActorID        string
	Action, Event  string
	Target         Target
	Outcome        Outcome
	// FromID and UntilID bound the ids: FromID <= id < UntilID. See [FirstID].
	FromID, UntilID string
	// After is the id of the row to go on from: rows with smaller ids, or, with
	// OldestFirst, with greater ones.
	After       string
	OldestFirst bool
	// Limit is how many rows at most. Required.
	Limit int
}

// Database is what a store lends to its service besides its rows.
type Database interface {
	// InTx runs fn in one transaction: commits if fn returns nil, rolls back on
	// an error or a panic. Nested calls are savepoints, so an inner error that
	// the caller swallows leaves no trace.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// InTransaction reports whether ctx carries a transaction of this database,
	// the host's own included.
	InTransaction(ctx context.Context) bool
	// Now returns the database's time in UTC microseconds (rule R32).
	Now() time.Time
}

// Store keeps the trail. The comments are its contract; audittest.TestStore holds an
// implementation to them.
//
// Every method joins the transaction in ctx, if there is one, and is atomic
// without one. Times are UTC microseconds and come from the caller; no
// statement asks the database for one. An outage is an error that wraps
// problem.ErrUnavailable and never "not found". A method whose ctx is cancelled
// changes nothing. No method changes a row but for Extend, Erase and Prune.
type Store interface {
	Database
	EntryStore
	ChainStore
	SealStore
	RetentionStore
}

// EntryStore keeps the entries.
type EntryStore interface {
	// Insert adds a row that is not sealed yet, with every field as it is given.
	Insert(ctx context.Context, r Row) error
	// List returns the rows that f selects, the newest first by their ids unless
	// f.OldestFirst.
	List(ctx context.Context, f Filter) ([]Row, error)
	// Erase drops Personal, and nothing else, of the rows in which the user is the
	// actor, the impersonator or a target of type TargetUser, and of those whose target
	// is one of about, and returns how many had one.
	Erase(ctx context.Context, userID string, about ...Target) (int64, error)
}

// ChainStore reads the chains.
type ChainStore interface {
	// Chain returns the chain of an organization, or of those without one for "". It
	// returns ErrNoChain if there is none.
	Chain(ctx context.Context, organizationID string) (Chain, error)
	// Chains returns at most limit chains, ordered by organization, of those after
	// that of the given organization, or from the first on without from.
	Chains(ctx context.Context, after string, from bool, limit int) ([]Chain, error)
	// Linked returns at most limit rows of an organization that have a number, from that
	// number on and in their order. Numbers below 1, which no sealer gives, are found, too.
	Linked(ctx context.Context, organizationID string, from int64, limit int) ([]Row, error)
	// Tail returns what of an organization waits to be sealed.
	Tail(ctx context.Context, organizationID string) (Tail, error)
	// TailOfAll returns what waits to be sealed of all of them together.
	TailOfAll(ctx context.Context) (Tail, error)
	// Roster returns the roster, its zero value where nothing was ever sealed, and how
	// many chains there are, both of one moment: a sealer may be at work.
	Roster(ctx context.Context) (r Roster, chains int64, err error)
}

// SealStore is what a sealer needs. At every moment one lease at most is valid.
type SealStore interface {
	// Acquire gives the holder a lease until then, with a token above all earlier
	// ones, if no other holder's lasts at now. Otherwise it returns ErrLeased. Of any
	// number of concurrent calls of different holders one succeeds. One that lasts for
	// more than twice as long as is asked for is no sealer's and is passed over: a clock
	// that was wrong for a moment, or somebody else, wrote it.
	Acquire(ctx context.Context, holder string, now, until time.Time) (Lease, error)
	// Fence keeps every other sealer from writing until the transaction of ctx ends,
	// and makes the lease last until then. It returns ErrLeaseLost if the lease is not
	// the newest one or ended before now, and ErrNoTransaction outside a transaction.
	Fence(ctx context.Context, lease Lease, now, until time.Time) error
	// Release ends the lease, if it still is the newest.
	Release(ctx context.Context, lease Lease) error
	// Unsealed returns at most limit rows that are not sealed, in the order of their
	// ids, without those of the organizations in except.
	Unsealed(ctx context.Context, except []string, limit int) ([]Pending, error)
	// Extend links the rows and moves the head of their chain from what it was to what
	// it is, or makes the chain where from.Count is 0. It returns ErrChainMoved, and
	// the transaction of ctx must be rolled back, if the head is not from.Count any
	// more, a row is sealed or gone, or a number is taken. It returns ErrNoTransaction
	// outside a transaction.
	Extend(ctx context.Context, from, to Head, links []Link) error
	// SetRoster replaces the roster. It returns ErrNoTransaction outside a transaction.
	SetRoster(ctx context.Context, r Roster) error
}

// RetentionStore prunes, and remembers which heads were anchored.
type RetentionStore interface {
	// Prune deletes the rows of a chain up to the number of the new base, and moves the
	// base there. It returns ErrChainMoved, and the transaction of ctx must be rolled
	// back, if the base is not at from any more, or if a row between the two is missing.
	// It returns ErrNoTransaction outside a transaction.
	Prune(ctx context.Context, from int64, base Head) error
	// Unanchored returns at most limit chains whose head is not of the length that was
	// anchored last, and that were not anchored after before, nor, as far as is known,
	// after now.
	Unanchored(ctx context.Context, before, now time.Time, limit int) ([]Chain, error)
	// Anchored remembers that a head was anchored at now, unless a later one was that the
	// chain has reached.
	Anchored(ctx context.Context, h Head, now time.Time) error
}
