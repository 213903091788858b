package recovery

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// Store is what the package reads. The methods are those of auth.Store, with its
// contract.
type Store interface {
	// InTx runs fn in one transaction.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// UserByEmail returns the user of an address, or auth.ErrUserNotFound.
	UserByEmail(ctx context.Context, email string) (auth.User, []byte, error)
	// UserByID returns the user, or auth.ErrUserNotFound.
	UserByID(ctx context.Context, id string) (auth.User, error)
	// NewestSignUp returns the youngest sign-up that waits for the address, or
	// auth.ErrSignUpNotFound.
	NewestSignUp(ctx context.Context, email string, now time.Time) (auth.SignUp, error)
}
