package crypto

import (
	"context"
	"time"
)

// Store keeps the key table. cryptobun has it for SQLite and PostgreSQL, cryptotest.Fake in memory, and
// cryptotest.TestStore checks every sentence here.
//
// Every method is one atomic step, joins a transaction of the store that ctx carries, obeys the end of ctx, and reports
// an outage as an error, never as a missing row. Times come back in UTC with microseconds, byte strings byte for byte.
// Implementations are safe for concurrent use.
type Store interface {
	// InTransaction reports whether ctx carries an open transaction of this store.
	InTransaction(ctx context.Context) bool
	// Key returns the row with this id in whatever state, or [ErrUnknownKey].
	Key(ctx context.Context, id string) (Key, error)
	// ActiveKey returns the active row of exactly this purpose and tenant, or [ErrNoActiveKey].
	ActiveKey(ctx context.Context, purpose, tenant string) (Key, error)
	// ListKeys returns the rows that match, ordered by id. None is an empty list.
	ListKeys(ctx context.Context, filter KeyFilter) ([]Key, error)
	// InsertKeys adds all keys or none. It returns [ErrActiveKeyExists] if that would make a second active row for one
	// purpose and tenant, or repeat an id.
	InsertKeys(ctx context.Context, keys ...Key) error
	// ChangeStates applies all changes in their order, or none. It returns [ErrKeyChanged] if a row is not in the state
	// that a change expects, and [ErrActiveKeyExists] if a second active row would come to be. A change to destroyed
	// erases the wrapped key and the check value.
	ChangeStates(ctx context.Context, changes ...StateChange) error
	// ReplaceWrapping sets KEK, KEKVersion and Wrapped of a row if its wrapped key still is old, else it returns
	// [ErrKeyChanged].
	ReplaceWrapping(ctx context.Context, id string, old []byte, w Wrapped) error
	// AddSeals adds to the seal counters of rows by id. An id without a row is skipped.
	AddSeals(ctx context.Context, seals map[string]int64) error
}

// KeyFilter selects rows of the key table. Its zero value selects all.
type KeyFilter struct {
	Purpose string  // empty: every purpose
	Tenant  *string // nil: every tenant; a pointer to "": the shared keys
	States  []State // empty: every state
	After   string  // only ids greater than this
	Limit   int     // at most so many rows, 0: no limit
}

// StateChange moves one row from one state to the next.
type StateChange struct {
	ID       string
	From, To State
	StateMAC []byte    // authenticates To and At; kept as it is when the change destroys
	At       time.Time // becomes RetiredAt, unless it is zero
}

// SealedStore reaches the sealed columns of the database, for Reencrypt, Verify and the counts. It is the only place
// where this package touches tables it does not own. Rows whose sealed column is NULL do not exist for it. Like Store,
// its methods join a transaction in ctx and are safe for concurrent use; cryptotest.TestSealedStore checks it.
//
// Where a table is large, an index on the key id makes lists and counts quick: on (substr(column, 3, 8), id).
type SealedStore interface {
	// ListSealed returns up to Limit rows in order of their id, after After, without those sealed by NotKID.
	ListSealed(ctx context.Context, column SealedColumn, query SealedQuery) ([]SealedRow, error)
	// ReplaceSealed sets the column of the row with this id if it still holds old, else it returns [ErrRowChanged].
	ReplaceSealed(ctx context.Context, column SealedColumn, id string, old, sealed []byte) error
	// CountSealed counts rows by the id of the key that sealed them; an empty tenant counts all tenants, and a column
	// without TenantColumn has no rows of a tenant. Values too short to have a key id count under what they have of it.
	CountSealed(ctx context.Context, column SealedColumn, tenant string) (map[string]int64, error)
}

// SealedColumn registers a column of envelopes, in their binary form, for rotation; where the text form is stored, a
// KIDSource counts the keys and the host seals anew. The names are plain SQL identifiers.
type SealedColumn struct {
	Column
	// IDColumn is the primary key of the table, a text column whose value is Field.Row. Defaults to "id".
	IDColumn string
	// TenantColumn has the value of Field.Tenant, where NULL is "". Empty if the fields of this column have no tenant.
	TenantColumn string
}

// SealedQuery is one page of a sealed column.
type SealedQuery struct {
	After  string // only ids greater than this
	NotKID string // without rows sealed by this key, empty: all rows
	Limit  int    // at most so many rows, always positive
}

// SealedRow is one sealed value and its place.
type SealedRow struct {
	ID, Tenant string
	Value      []byte
}

// KIDSource tells which keys are needed by rows that are no sealed columns, such as the peppers of tokens. A package
// registers one in Config.InUse; a key it names is not destroyed.
type KIDSource struct {
	// Name says what would die, for the report: "one-time tokens".
	Name string
	// Count returns the number of live rows by key id.
	Count func(ctx context.Context) (map[string]int64, error)
}

func (c SealedColumn) validate() error {
	if c.IDColumn == "" {
		c.IDColumn = defaultIDColumn
	}
	if err := c.Column.validate(); err != nil {
		return err
	}
	if !identifierPattern.MatchString(c.IDColumn) || c.TenantColumn != "" && !identifierPattern.MatchString(c.TenantColumn) {
		return ErrInvalid
	}
	return nil
}
