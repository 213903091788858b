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
	return &Service{store: store, cfg: cfg}, nil
}

// now is the one clock (rule R32), as exact as the databases are.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
