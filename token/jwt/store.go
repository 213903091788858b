package jwt

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/crypto"
)

// State is where a key is in its life.
type State string

// The states of a key, in their order.
const (
	StatePublished State = "published" // in the key set, so that everybody knows it before it signs
	StateSigning   State = "signing"   // makes tokens
	StateRetired   State = "retired"   // verifies what it signed until that has run out
)

// Key is a row of the key table.
type Key struct {
	ID          string // kid: the SHA-256 thumbprint of the public key (RFC 7638), 43 characters
	State       State
	Sealed      []byte    // the private key's seed, sealed for KeyField(ID)
	PublishedAt time.Time // when it was made
	SigningAt   time.Time // since when it signs or signed, zero before
	RetiredAt   time.Time // since when it does not, zero before
}

// KeyField is the place that the private key of a row is sealed for.
func KeyField(id string) crypto.Field {
	return crypto.Column{Purpose: crypto.PurposeData, Table: "tenon_jwt_keys", Column: "private_key"}.Field(id, "")
}

// Promotion makes a published key the signing one.
type Promotion struct {
	Sign        string    // the key that is to sign
	PublishedBy time.Time // it must have been published then or earlier
	Retire      string    // the key that signs now, "" where none does
	SigningBy   time.Time // it must have signed since then or earlier
	At          time.Time // when this happens
}

// Store keeps the keys. The comments are its contract, and jwttest.TestStore holds an implementation to them.
//
// At most one key is published and at most one signs, whatever calls meet. Every method is atomic and joins the
// transaction in ctx, if there is one. Times are UTC microseconds and come from the caller. An outage is an error that
// is none of this package's sentinels, and a method whose ctx is cancelled changes nothing.
type Store interface {
	// InTransaction reports whether ctx carries a transaction of the store.
	InTransaction(ctx context.Context) bool

	// ListKeys returns all keys, the one published first before the others.
	ListKeys(ctx context.Context) ([]Key, error)

	// AddKey stores key, every field of it, and says whether it did: not where a key with its id exists, and not where
	// another is published, or signs, and this one is to. A transaction goes on after a refusal.
	AddKey(ctx context.Context, key Key) (bool, error)

	// PromoteKey retires one key and lets the other sign, both or neither, and says whether it did: only if both are in
	// the state and of the age that p asks for, and, where p retires none, no key signs.
	PromoteKey(ctx context.Context, p Promotion) (bool, error)

	// DeleteKey deletes the key, whatever its state, and says whether it was there.
	DeleteKey(ctx context.Context, id string) (bool, error)

	// PruneKeys deletes the keys that were retired at before or earlier, no others, and returns how many.
	PruneKeys(ctx context.Context, before time.Time) (int, error)
}
