package account

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// Store is what the package needs of the users, beyond what auth.Service does.
// An auth.Store that also is an AddressStore is one.
//
// Every implementation must pass authtest.TestAccountStore. An outage is an error that
// wraps problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx and InTransaction are those of auth.Store.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	InTransaction(ctx context.Context) bool
	UserStore
	AddressStore
}

// UserStore is what the package uses of auth.Store.
type UserStore interface {
	UserByID(ctx context.Context, id string) (auth.User, error)
	UserByEmail(ctx context.Context, email string) (auth.User, []byte, error)
	Hold(ctx context.Context, id string) error
	LockUser(ctx context.Context, id string) (auth.User, error)
	SetPassword(ctx context.Context, userID string, sealed []byte, now time.Time) error
	DropSignUps(ctx context.Context, email string, keep int, newest bool) error
}

// AddressStore changes addresses and knows of passwords.
type AddressStore interface {
	// SetEmail makes a proven address the user's. It returns auth.ErrAddressTaken,
	// and leaves the caller's transaction usable, if another user has it: of any
	// number of concurrent calls for one address, one succeeds. It returns
	// auth.ErrUserNotFound if the user is gone, and an error without a transaction.
	SetEmail(ctx context.Context, userID string, address auth.Address, now time.Time) error
	// PasswordSetAt returns when the user's password was set, and the zero time for
	// a user without one.
	PasswordSetAt(ctx context.Context, userID string) (time.Time, error)
}
