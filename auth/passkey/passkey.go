package passkey

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
)

// DefaultMaxPerUser is how many passkeys a user may have if Config says nothing.
const DefaultMaxPerUser = 20

// Config configures a Service. What stands above Auth is the host's to choose, and
// has defaults; the rest package passkeybun sets where the feature is a value of
// tenon.Config. Fields without "Defaults to" are required.
type Config struct {
	// RPID is the domain that passkeys belong to: the host of BaseURL, or a domain
	// above it, such as example.com for app.example.com. Passkeys are lost when it
	// changes. Defaults to the host of BaseURL.
	RPID string
	// Origins are further origins whose pages may use the passkeys, written as
	// browsers send them, and apps written like android:apk-key-hash:…. Nothing in a
	// request adds to them. Defaults to none but BaseURL.
	Origins []string
	// AllowUnverified takes passkeys that cannot verify their user, such as security
	// keys without a PIN. They are second factors and never sign anybody in by
	// themselves. Defaults to false: every passkey verifies its user, in every
	// ceremony.
	AllowUnverified bool
	// MaxPerUser is how many passkeys a user may have, 1 to 100. Defaults to
	// DefaultMaxPerUser.
	MaxPerUser int
	// Hooks run inside the transactions of the package.
	Hooks Hooks

	// Auth is the service of the users.
	Auth *auth.Service
	// Users finds and holds users.
	Users Users
	// Sessions gives sessions new tokens, and ends those in which proofs failed.
	Sessions account.Sessions
	// NeedsPasskey reports whether the user has turned a second factor on and only a
	// passkey can be it. It joins the transaction of ctx. Defaults to no.
	NeedsPasskey func(ctx context.Context, user auth.User) (bool, error)
	// Strengthen is told in the transaction in which a user gets a passkey, for what a
	// passkey takes the place of. Defaults to nothing.
	Strengthen func(ctx context.Context, user auth.User) error
	// OtherWays reports whether the user can sign in without a password and without
	// a passkey, such as by mailed links. Defaults to no.
	OtherWays func(ctx context.Context, user auth.User) (bool, error)
	// BaseURL is where the site is reached. Passkeys work on https, and on
	// http://localhost; on an IP address they do not, and New says so.
	BaseURL string
	// ProductName is what authenticators call the site. Defaults to the RPID.
	ProductName string
	// FreshFor is how long a proof permits what is sensitive. Defaults to
	// account.DefaultFreshFor.
	FreshFor time.Duration
	// Now is the one clock (rule R32).
	Now func() time.Time
	// Rand defaults to crypto/rand.
	Rand io.Reader
}

// Users is what the package needs of the users; authbun.Store is one.
type Users interface {
	UserByID(ctx context.Context, id string) (auth.User, error)
	Hold(ctx context.Context, id string) error
	// PasswordSetAt returns the zero time for a user without a password.
	PasswordSetAt(ctx context.Context, userID string) (time.Time, error)
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
	rp    *relyingParty
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.MaxPerUser = cmp.Or(cfg.MaxPerUser, DefaultMaxPerUser)
	cfg.FreshFor = cmp.Or(cfg.FreshFor, account.DefaultFreshFor)
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	no := func(context.Context, auth.User) (bool, error) { return false, nil }
	if cfg.NeedsPasskey == nil {
		cfg.NeedsPasskey = no
	}
	if cfg.OtherWays == nil {
		cfg.OtherWays = no
	}
	if cfg.Strengthen == nil {
		cfg.Strengthen = func(context.Context, auth.User) error { return nil }
	}
	if err := cfg.validate(store); err != nil {
		return nil, err
	}
	rp, err := newRelyingParty(cfg)
	if err != nil {
		return nil, fmt.Errorf("passkey: config: %w", err)
	}
	return &Service{store: store, cfg: cfg, rp: rp}, nil
}

func (c Config) validate(store Store) error {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("passkey: config: %s", field))
		}
	}
	need(store != nil, "a store is required")
	need(c.Auth != nil, "Auth is required")
	need(c.Users != nil, "Users is required")
	need(c.Sessions != nil, "Sessions is required")
	need(c.Now != nil, "Now is required")
	need(c.MaxPerUser >= 1 && c.MaxPerUser <= 100, "MaxPerUser must be 1 to 100")
	need(c.FreshFor > 0, "FreshFor must not be negative")
	return errors.Join(errs...)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// random returns n random bytes.
func (s *Service) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return nil, fmt.Errorf("passkey: random bytes: %w", err)
	}
	return b, nil
}

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("passkey: make an id: %w", err)
	}
	return id.String(), nil
}

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes what has run out, a thousand rows a statement, until none is
// left or ctx ends.
func (s *Service) Maintain(ctx context.Context) error {
	for n := pruneBatch; n == pruneBatch; {
		var err error
		if n, err = s.store.PruneCeremonies(ctx, s.now(), pruneBatch); err != nil {
			return fmt.Errorf("passkey: prune ceremonies: %w", err)
		}
	}
	return nil
}

// Forget deletes what is kept about a user, in the transaction of ctx: because the
// user is deleted, or because the mailbox of a user who existed unproven was just
// proven, and what hung on the account before goes (rule R4).
func (s *Service) Forget(ctx context.Context, userID string) error {
	if err := s.store.Forget(ctx, userID); err != nil {
		return fmt.Errorf("passkey: forget a user: %w", err)
	}
	return nil
}
