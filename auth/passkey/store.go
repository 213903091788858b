package passkey

import (
	"context"
	"time"
)

// Store keeps passkeys and the ceremonies that are under way. It lives in the
// database of the users: a call made with the ctx of InTx takes part in that
// transaction.
//
// Every implementation must pass passkeytest.TestStore. An outage is an error that
// wraps problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx and InTransaction are those of auth.Store.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	InTransaction(ctx context.Context) bool
	PasskeyStore
	CeremonyStore
}

// PasskeyStore keeps passkeys. Whatever is found by a passkey's id names its owner,
// too: another user's is not found.
type PasskeyStore interface {
	// Handle returns the handle by which authenticators know the user. If there is
	// none it becomes fresh; where fresh is empty, it returns ErrNotFound. Concurrent
	// calls return the same one. A caller with a fresh one holds the user (rule R3).
	Handle(ctx context.Context, userID string, fresh []byte) ([]byte, error)
	// Add inserts p. It returns ErrAlreadyRegistered, and leaves the caller's
	// transaction usable, if somebody has the credential: of any number of concurrent
	// calls for one credential, one succeeds. Its caller has locked the user.
	Add(ctx context.Context, p Passkey) error
	// Passkeys returns the user's, the oldest first.
	Passkeys(ctx context.Context, userID string) ([]Passkey, error)
	// ByCredential returns the passkey with that credential id, and its user's
	// handle, or ErrNotFound.
	ByCredential(ctx context.Context, credentialID []byte) (Passkey, []byte, error)
	// Use records that a passkey was used, if its counter is above the stored one, or
	// both are zero. It reports false, and changes nothing, otherwise, and where the
	// passkey is gone: of any number of concurrent calls with one counter above zero,
	// one succeeds.
	Use(ctx context.Context, u Use) (bool, error)
	// Rename gives the user's passkey another name and returns it, or ErrNotFound.
	Rename(ctx context.Context, userID, id, name string) (Passkey, error)
	// Remove deletes the user's passkey and returns it, or ErrNotFound: of any number
	// of concurrent calls one succeeds.
	Remove(ctx context.Context, userID, id string) (Passkey, error)
	// Forget deletes the user's passkeys, handle and ceremonies.
	Forget(ctx context.Context, userID string) error
}

// Use is what an assertion says that is to be remembered.
type Use struct {
	// ID is the passkey's, UserID its owner.
	ID, UserID  string
	SignCount   uint32
	BackupState bool
	At          time.Time
}

// CeremonyStore keeps ceremonies until they are used.
type CeremonyStore interface {
	// AddCeremony inserts c. Its caller holds the user, if c has one.
	AddCeremony(ctx context.Context, c Ceremony) error
	// ClaimCeremony deletes the ceremony of that owner and challenge and returns it.
	// It returns ErrCeremonyNotFound if there is none that expires after now: of any
	// number of concurrent calls one succeeds.
	ClaimCeremony(ctx context.Context, owner, challenge []byte, now time.Time) (Ceremony, error)
	// PruneCeremonies deletes at most limit ceremonies that expired before now.
	PruneCeremonies(ctx context.Context, now time.Time, limit int) (int, error)
}
