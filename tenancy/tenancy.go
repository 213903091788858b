package tenancy

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"
)

// Users is what organizations need of the users, wherever they are kept.
type Users interface {
	// Hold keeps the user from being deleted until the transaction of ctx ends
	// (rule R3). It returns an error of kind problem.NotFound if there is no such user.
	Hold(ctx context.Context, userID string) error
}

// Config configures a [Service]. Only Users has no default.
type Config struct {
	// Users holds the user whom a new row refers to. Required.
	Users Users
	// OwnerPolicy says what becomes of an organization with other members whose
	// owner is deleted. Defaults to BlockDeletion.
	OwnerPolicy OwnerPolicy
	// Statements are the host's own resources and what can be done with them, such as
	// {"invoices": {"read", "write"}}; roles hand them out. They come on top of those of
	// [Statements], which they may extend. Defaults to none.
	Statements Permissions
	// Roles are what members may do, by role. A role that is here replaces the built-in
	// one; RoleOwner, which may do everything, can't be replaced. Defaults to RoleAdmin
	// and RoleMember as package doc describes them.
	Roles map[string]Permissions
	// Hooks run inside the transaction of what they report.
	Hooks Hooks
	// Now is the clock. Defaults to the store's (rule R32).
	Now func() time.Time
	// Rand makes ids and the ends of slugs. It must be safe for concurrent use.
	// Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// Service keeps organizations. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
	// statements is everything that there is to allow, and roles what it is that each
	// role of the program allows.
	statements Permissions
	roles      map[string]Permissions
}

// New returns a Service on store, or says what is wrong with cfg. It does no I/O.
func New(store Store, cfg Config) (*Service, error) {
	if store == nil {
		return nil, errors.New("tenancy: a store is required")
	}
	if cfg.Users == nil {
		return nil, errors.New("tenancy: Config.Users is required")
	}
	if !cfg.OwnerPolicy.valid() {
		return nil, errors.New("tenancy: Config.OwnerPolicy does not exist")
	}
	if cfg.Now == nil {
		cfg.Now = store.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	s := &Service{store: store, cfg: cfg}
	return s, s.learnRoles()
}

// now is the one clock (rule R32), as exact as the databases are.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
