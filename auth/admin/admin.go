package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// Roles on the wire: a superuser is an "admin" there (rule R31).
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// Accounts is what the administration needs of the accounts; *auth.Service is one.
type Accounts interface {
	// Secure is the one way to change what protects an account (rule R1).
	Secure(ctx context.Context, c auth.Change, apply func(ctx context.Context, user auth.User) error) error
	// NewPassword judges, hashes and seals a password for the user's row.
	NewPassword(ctx context.Context, user auth.User, typed string) ([]byte, error)
	// CreateUser makes a user without a sign-up.
	CreateUser(ctx context.Context, n auth.NewUser) (auth.User, error)
	// Impersonate starts a session in which a superuser acts as a user.
	Impersonate(ctx context.Context, p auth.ImpersonateParams) (auth.Grant, error)
}

// Passwords keeps sealed password hashes; the auth.Store is one.
type Passwords interface {
	SetPassword(ctx context.Context, userID string, sealed []byte, now time.Time) error
}

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Accounts is the auth.Service.
	Accounts Accounts
	// Passwords is the store of password hashes.
	Passwords Passwords
	// SetPasswordLink mails the user, in the transaction of ctx, a link to choose
	// a password, which also proves the address.
	SetPasswordLink func(ctx context.Context, user auth.User) error
	// DeleteUser removes a user and what hooks remove with them.
	DeleteUser func(ctx context.Context, userID, actorID string) error
	// Unlock takes back the wrong guesses that keep strangers' browsers out.
	Unlock func(ctx context.Context, userID, actorID string) error
	// TypedPasswords lets superusers type other people's passwords. Such a
	// password ends the user's sessions, and the user is told by mail. For a user
	// whom they make, superusers must then vouch for the address as well: nothing
	// else proves it. Defaults to false: the user chooses by a mailed link, which
	// proves the address (ASVS 6.4.6).
	TypedPasswords bool
	// Hooks run inside the transactions of the package.
	Hooks auth.Hooks
	// Now is the one clock (rule R32).
	Now func() time.Time
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store, or says what is missing. It does no I/O.
func New(store Store, cfg Config) (*Service, error) {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s is required", field))
		}
	}
	need(store != nil, "store")
	need(cfg.Accounts != nil, "Accounts")
	need(cfg.Passwords != nil, "Passwords")
	need(cfg.SetPasswordLink != nil, "SetPasswordLink")
	need(cfg.DeleteUser != nil, "DeleteUser")
	need(cfg.Unlock != nil, "Unlock")
	need(cfg.Now != nil, "Now")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("admin: config: %w", err)
	}
	return &Service{store: store, cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// role is the user's role on the wire.
func role(u auth.User) string {
	if u.Superuser {
		return RoleAdmin
	}
	return RoleUser
}
