package tenancy

import (
	"cmp"
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

// Profile is what a member's fellow members see of the user.
type Profile struct{ ID, Email, Name, Image string }

// People is what is asked of the users besides.
type People interface {
	// Profiles returns the users with those ids, by id; who is gone is left out.
	Profiles(ctx context.Context, userIDs []string) (map[string]Profile, error)
	// UserByEmail returns the user with the address, or an error of kind
	// problem.NotFound.
	UserByEmail(ctx context.Context, email string) (userID string, err error)
	// Banned reports whether nobody may act as the user now.
	Banned(ctx context.Context, userID string) (bool, error)
	// HoldVersion returns the user's security version and keeps it from being raised
	// until the transaction of ctx ends, and the user from being deleted (rules R1,
	// R3). It returns an error of kind problem.NotFound if there is no such user.
	HoldVersion(ctx context.Context, userID string) (int64, error)
}

// Sessions is where the active organization is kept.
type Sessions interface {
	// SetOrganization makes the organization active in the user's session, or none if
	// organizationID is empty, in the transaction of ctx. It returns an error if the user
	// has no such session.
	SetOrganization(ctx context.Context, userID, sessionID, organizationID string) error
}

// DeletePolicy says when an owner may delete an organization.
type DeletePolicy int

// The policies of deletion.
const (
	// DeleteWithMembers lets the owner delete it with all its members.
	DeleteWithMembers DeletePolicy = iota
	// DeleteAlone lets the owner delete it once nobody else is a member: otherwise
	// ErrHasMembers.
	DeleteAlone
	// DeleteNever is ErrDeletionDisabled.
	DeleteNever
)

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
	// one, and one of the same name that an organization has made; RoleOwner, which may do everything, can't be replaced. Defaults to RoleAdmin
	// and RoleMember as package doc describes them.
	Roles map[string]Permissions
	// People describes members to each other, binds the offer of an ownership to the
	// security version of who made it, and knows who is banned. Defaults to nil: members
	// have no names, none is found by their address or banned, and an offer outlives a
	// change of the owner's password.
	People People
	// Sessions keeps the active organization. Defaults to nil: SetActive is an error.
	Sessions Sessions
	// Deletion says when an owner may delete an organization. Defaults to
	// DeleteWithMembers. Hooks.BeforeOrganizationDeleted may refuse besides.
	Deletion DeletePolicy
	// MaxRoles is how many roles of its own an organization may have. Defaults to 50.
	MaxRoles int
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
	known      roleCache
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
	if cfg.Deletion < DeleteWithMembers || cfg.Deletion > DeleteNever {
		return nil, errors.New("tenancy: Config.Deletion does not exist")
	}
	cfg.MaxRoles = cmp.Or(cfg.MaxRoles, defaultMaxRoles)
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
