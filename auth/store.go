package auth

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/auth/password"
)

// Store keeps users and what leads to them. All of its parts live in one
// database: a call made with the ctx of InTx takes part in that transaction.
//
// Every implementation must pass authtest.TestStore. An outage is an error that
// wraps problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx runs fn in one transaction; nested calls are savepoints, so an inner
	// error that the caller swallows leaves no trace.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// InTransaction reports whether ctx carries a transaction of this database,
	// the host's own included.
	InTransaction(ctx context.Context) bool
	UserStore
	ProofStore
	CredentialStore
	SignUpStore
	GuardStore
	FactorStore
}

// FactorStore keeps who has a second factor, and the sign-ins that wait for one.
type FactorStore interface {
	// SetSecondFactor records since when the user has a second factor; the zero time
	// turns it off. It needs a transaction, in which the user was locked by
	// RaiseVersion, and returns ErrUserNotFound if the user is gone.
	SetSecondFactor(ctx context.Context, userID string, since time.Time) error
	// AddChallenge inserts c.
	AddChallenge(ctx context.Context, c Challenge) error
	// ChallengeBySelector returns the challenge if it is not consumed, was tried less
	// than tries times and expires after now, and its user still has the security
	// version that it was issued under and is not banned; otherwise ErrNoChallenge.
	// All cases take one statement.
	ChallengeBySelector(ctx context.Context, selector string, tries int, now time.Time) (Challenge, error)
	// TryChallenge adds one to the tries of a challenge that has fewer than limit, is
	// not consumed and expires after now, and says whether it did. Of any number of
	// concurrent calls no more than limit succeed. It commits alone.
	TryChallenge(ctx context.Context, id string, limit int, now time.Time) (bool, error)
	// ConsumeChallenge marks a challenge consumed that is not yet and expires after
	// now, and says whether it did. Of any number of concurrent calls one does.
	ConsumeChallenge(ctx context.Context, id string, now time.Time) (bool, error)
	// DropChallenges deletes the user's challenges.
	DropChallenges(ctx context.Context, userID string) error
	// PruneChallenges deletes at most limit challenges that expired before now.
	PruneChallenges(ctx context.Context, now time.Time, limit int) (int, error)
}

// KindStore counts the hashes that other systems made, so that decoys are like
// them (rule R7).
type KindStore interface {
	// MarkImported records that the user's password hash is of a kind as
	// password.Hash.Kind names it. SetPassword and ReplacePassword take the mark
	// away. It does nothing for a user without a password.
	MarkImported(ctx context.Context, userID, kind string) error
	// PasswordKinds returns how many hashes bear which mark, for the 32 most
	// frequent, and under "" how many bear none. Without any mark it may return nil,
	// so that a database without imported hashes counts nothing.
	PasswordKinds(ctx context.Context) (password.Mix, error)
}

// ProofStore records proofs of users who exist without one.
type ProofStore interface {
	// SetVerified records that the user's address is proven, and by what, and reports
	// whether it was not before; where it was, it changes nothing. It returns
	// ErrUserNotFound if the user is gone.
	SetVerified(ctx context.Context, userID, proof string, now time.Time) (bool, error)
}

// ProfileStore changes what users say about themselves, and lets them go.
type ProfileStore interface {
	// UpdateProfile sets the fields of p that are not nil and the time of the
	// update, by one statement, and returns the user as it then is, or
	// ErrUserNotFound.
	UpdateProfile(ctx context.Context, id string, p Profile, now time.Time) (User, error)
	// LockUser returns the user and keeps everybody else from changing, holding or
	// deleting them until the transaction of ctx ends: it waits for those who hold
	// the user now (rule R3). It returns ErrUserNotFound if the user is gone, and an
	// error without a transaction.
	LockUser(ctx context.Context, id string) (User, error)
	// DeleteUser deletes the user with that security version, and the password with
	// it. It returns ErrUserNotFound, and deletes nothing, if there is none. It
	// needs the transaction in which the user was locked by LockUser.
	DeleteUser(ctx context.Context, id string, version int64) error
}

// CredentialStore keeps the sealed password hashes of users.
type CredentialStore interface {
	KindStore
	// Password returns the user's sealed password hash, empty for a user without
	// one, or ErrUserNotFound.
	Password(ctx context.Context, userID string) ([]byte, error)
	// SetPassword sets the sealed hash, whether or not there is one; an empty one
	// takes the password away. It needs a transaction, in which the user was
	// locked by RaiseVersion.
	SetPassword(ctx context.Context, userID string, sealed []byte, now time.Time) error
	// ReplacePassword sets the sealed hash if it still is old. It reports
	// whether it did; a lost race is not an error (rule R1).
	ReplacePassword(ctx context.Context, userID string, old, sealed []byte, now time.Time) (bool, error)
}

// UserStore keeps users with proven addresses.
type UserStore interface {
	ProfileStore
	// CreateUser inserts user with the sealed password hash, which may be empty.
	// It returns ErrAddressTaken if the address belongs to a user; of any number
	// of concurrent calls for one address, one succeeds.
	CreateUser(ctx context.Context, user User, password []byte) error
	// UserByEmail returns the user whose address has that key, with the sealed
	// password hash; whether the address is proven, its caller asks (rule R4). It
	// returns ErrUserNotFound if there is none. Both cases take one statement.
	UserByEmail(ctx context.Context, email string) (User, []byte, error)
	// UserByID returns the user, or ErrUserNotFound.
	UserByID(ctx context.Context, id string) (User, error)
	// Hold keeps the user from being deleted until the transaction of ctx ends
	// (rule R3). It returns ErrUserNotFound if the user is gone, and an error
	// without a transaction.
	Hold(ctx context.Context, id string) error
	// RaiseVersion raises the user's security version and returns the new one:
	// whatever was issued under an older one is dead (rule R1). It locks the user
	// until the transaction of ctx ends. It returns ErrUserNotFound if the user
	// is gone, and an error without a transaction.
	RaiseVersion(ctx context.Context, id string) (int64, error)
	// Admit takes back the guess that was charged for a proof and says whether the
	// user has a second factor, if the user still has that security version and is
	// not banned at a.At; a ban that has ended by then is taken away. It sets the
	// time of the last sign-in if no second factor is waited for: the user has none,
	// or a.Done. Otherwise it returns ErrNotAdmitted and leaves all of it. It locks the
	// user until the transaction of ctx ends (rule R1), and needs one.
	Admit(ctx context.Context, a Admission) (enrolled bool, err error)
	// ClaimSuperuser makes user the superuser that address was reserved for. It
	// reports false, and does nothing, if the address was claimed before.
	ClaimSuperuser(ctx context.Context, email, userID string, now time.Time) (bool, error)
}

// Admission is what the door asks the store for.
type Admission struct {
	UserID          string
	SecurityVersion int64
	// Guess is the guess that was right. The zero key is none.
	Guess GuessKey
	// Done says that every factor was proven that will be.
	Done bool
	At   time.Time
}

// SignUpStore keeps sign-ups until their address is proven.
type SignUpStore interface {
	// AddSignUp inserts s. Until the transaction of ctx ends, no other adds to or
	// drops from the sign-ups of the address.
	AddSignUp(ctx context.Context, s SignUp) error
	// DropSignUps deletes the sign-ups of the address beyond keep: the oldest, or
	// the newest if newest is set.
	DropSignUps(ctx context.Context, email string, keep int, newest bool) error
	// NewestSignUp returns the youngest sign-up of the address that has not
	// expired, or ErrSignUpNotFound.
	NewestSignUp(ctx context.Context, email string, now time.Time) (SignUp, error)
	// SignUpByID returns a sign-up that has not expired, or ErrSignUpNotFound.
	SignUpByID(ctx context.Context, id string, now time.Time) (SignUp, error)
	// ClaimSignUp removes every sign-up of the address, expired or not. It
	// returns ErrSignUpNotFound, and removes nothing, if id is not one of them or
	// has expired. Concurrent claims of one address have one winner and do not
	// deadlock.
	ClaimSignUp(ctx context.Context, email, id string, now time.Time) error
	// PruneSignUps deletes at most limit sign-ups that expired before now.
	PruneSignUps(ctx context.Context, now time.Time, limit int) (int, error)
}

// GuardStore keeps what limits strangers.
type GuardStore interface {
	GuessStore
	BudgetStore
	DeviceStore
}

// GuessStore counts guesses, so that they are charged before they are checked.
type GuessStore interface {
	// Charge counts one guess if pace allows one now, by one statement that
	// commits alone. It returns how long to wait otherwise, and zero if the
	// guess is charged.
	Charge(ctx context.Context, key GuessKey, pace Pace, now time.Time) (wait time.Duration, err error)
	// Refund takes one charged guess back.
	Refund(ctx context.Context, key GuessKey) error
	// ForgetGuesses deletes counters, in the transaction of ctx if there is one. One
	// that is not there is no error.
	ForgetGuesses(ctx context.Context, keys ...GuessKey) error
	// PruneGuesses deletes at most limit counters that were last charged before
	// the given time and count fewer than LockedAt: a lock does not go by itself, and
	// no counter but a lock counts that many.
	PruneGuesses(ctx context.Context, before time.Time, limit int) (int, error)
}

// DeviceStore keeps the browsers that users signed in from.
type DeviceStore interface {
	// AddDevice inserts d, and deletes the device replaced, if it is that user's, and
	// the user's devices of older security versions and the oldest beyond keep.
	// replaced may be empty. It returns
	// ErrUserNotFound if the user is gone.
	AddDevice(ctx context.Context, d Device, replaced string, keep int) error
	// DeviceBySelector returns the device, with the address of its user, if it
	// expires after now and the user still has the security version that it was
	// issued under; otherwise ErrDeviceNotFound. All cases take one statement.
	DeviceBySelector(ctx context.Context, selector string, now time.Time) (Device, error)
	// PruneDevices deletes at most limit devices that expired before now.
	PruneDevices(ctx context.Context, now time.Time, limit int) (int, error)
}

// BudgetStore counts mails.
type BudgetStore interface {
	// Spend takes one unit of the allowance in its current window. It reports
	// false if none is left. A window starts with its first unit.
	Spend(ctx context.Context, a Allowance, now time.Time) (bool, error)
	// PruneBudgets deletes at most limit windows that started before the given time.
	PruneBudgets(ctx context.Context, before time.Time, limit int) (int, error)
}
