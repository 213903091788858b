package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
)

// DefaultMaxPerUser is how many links a user may have if Config says nothing.
const DefaultMaxPerUser = 20

// Provider is an identity provider, and what may be done with its accounts.
type Provider struct {
	provider.Provider

	// KeepTokens keeps the tokens that the provider grants, sealed, so that the host can
	// call its API: see Service.AccessToken. Defaults to forgetting them at once.
	KeepTokens bool
	// NoSignUp lets in only whom the provider's account is linked to, or may be linked to.
	// Defaults to making users.
	NoSignUp bool
}

// Config configures a Service. What stands above Auth is the host's to choose, and has
// defaults but for Providers; the rest package oauthbun sets where the feature is a
// value of tenon.Config. Fields without "Defaults to" are required.
type Config struct {
	// Providers are those that people may use. Their IDs must differ, and those with one
	// Issuer must be clients at one server: the same account is the same user by each.
	Providers []Provider
	// Client configures the calls to all of them. Its Now is set.
	Client provider.Config
	// ExplicitLinks refuses with ErrLinkFirst where an account would be linked to a user
	// who has proven the address, because its provider proved it, too. Defaults to linking
	// (rule R19).
	ExplicitLinks bool
	// MaxPerUser is how many links a user may have, at most 100. Defaults to
	// DefaultMaxPerUser.
	MaxPerUser int
	// Hooks are called inside the transactions.
	Hooks Hooks
	// Rand is the source of ids. Defaults to crypto/rand.Reader.
	Rand io.Reader

	// Auth is the service of the users.
	Auth *auth.Service
	// Users finds and holds users.
	Users Users
	// Sessions gives sessions new tokens, and ends those in which proofs failed.
	Sessions account.Sessions
	// Tokens issues and consumes what is good once.
	Tokens auth.Tokens
	// Keys seals tokens and derives keys.
	Keys *crypto.Keyring
	// OtherWays reports whether a user without a password and without links can sign in
	// all the same. It joins the transaction of ctx. Defaults to no.
	OtherWays func(ctx context.Context, user auth.User) (bool, error)
	// Passkeys counts a user's passkeys. It joins the transaction of ctx. Defaults to none.
	Passkeys func(ctx context.Context, userID string) (int, error)
	// SessionLives reports whether the session of the caller has not ended. It joins the
	// transaction of ctx. Defaults to yes.
	SessionLives func(ctx context.Context, caller *principal.Principal) (bool, error)
	// RedirectBase is where providers send browsers back to, without the provider's id:
	// https://app.example.com/api/auth/callback/.
	RedirectBase string
	// FreshFor is how long a proof permits what is sensitive. Defaults to
	// account.DefaultFreshFor.
	FreshFor time.Duration
	// Logger gets the reasons of refusals. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the one clock (rule R32).
	Now func() time.Time
}

// Users is what the package needs of the users. The methods are those of auth.Store and
// account.Store, with their contract.
type Users interface {
	UserByID(ctx context.Context, id string) (auth.User, error)
	UserByEmail(ctx context.Context, email string) (auth.User, []byte, error)
	Hold(ctx context.Context, id string) error
	PasswordSetAt(ctx context.Context, userID string) (time.Time, error)
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store     Store
	cfg       Config
	providers map[string]configured
}

// configured is a provider that is in use.
type configured struct {
	*provider.Client

	keepTokens, noSignUp bool
}

// New returns a Service on store. It does no I/O. The error names every field of cfg
// that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.MaxPerUser = cmp.Or(cfg.MaxPerUser, DefaultMaxPerUser)
	cfg.FreshFor = cmp.Or(cfg.FreshFor, account.DefaultFreshFor)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.OtherWays == nil {
		cfg.OtherWays = func(context.Context, auth.User) (bool, error) { return false, nil }
	}
	if cfg.Passkeys == nil {
		cfg.Passkeys = func(context.Context, string) (int, error) { return 0, nil }
	}
	if cfg.SessionLives == nil {
		cfg.SessionLives = func(context.Context, *principal.Principal) (bool, error) { return true, nil }
	}
	if err := cfg.validate(store); err != nil {
		return nil, err
	}
	cfg.Client.Now, cfg.Client.Leeway = cfg.Now, cmp.Or(cfg.Client.Leeway, provider.DefaultLeeway)
	s := &Service{store: store, cfg: cfg, providers: map[string]configured{}}
	for _, p := range cfg.Providers {
		client, err := provider.New(p.Provider, cfg.Client)
		if err != nil {
			return nil, fmt.Errorf("oauth: config: provider %q: %w", p.ID, err)
		}
		if _, twice := s.providers[p.ID]; twice {
			return nil, fmt.Errorf("oauth: config: there are two providers %q", p.ID)
		}
		for id, other := range s.providers {
			if !samePeople(client.Provider(), other.Provider()) {
				return nil, fmt.Errorf("oauth: config: providers %q and %q have one Issuer, and not the same people", id, p.ID)
			}
		}
		s.providers[p.ID] = configured{Client: client, keepTokens: p.KeepTokens, noSignUp: p.NoSignUp}
	}
	return s, nil
}

// samePeople reports whether a subject is one person at both, unless the issuers differ: an
// issuer that was copied to another server would make its users those of the first.
func samePeople(a, b provider.Provider) bool {
	return a.Issuer != b.Issuer || a.TokenURL == b.TokenURL && a.UserInfoURL == b.UserInfoURL &&
		strings.Join(a.Fields.Subject, " ") == strings.Join(b.Fields.Subject, " ")
}

func (c Config) validate(store Store) error {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("oauth: config: %s", field))
		}
	}
	need(store != nil, "a store is required")
	need(len(c.Providers) > 0, "Providers is required")
	need(c.Auth != nil, "Auth is required")
	need(c.Users != nil, "Users is required")
	need(c.Sessions != nil, "Sessions is required")
	need(c.Tokens != nil, "Tokens is required")
	need(c.Keys != nil, "Keys is required")
	need(c.RedirectBase != "", "RedirectBase is required")
	need(c.Now != nil, "Now is required")
	need(c.MaxPerUser >= 1 && c.MaxPerUser <= 100, "MaxPerUser must be 1 to 100")
	need(c.FreshFor > 0, "FreshFor must not be negative")
	return errors.Join(errs...)
}

// provider returns the configured provider with that id, or ErrUnknownProvider.
func (s *Service) provider(id string) (configured, error) {
	p, ok := s.providers[id]
	if !ok {
		return configured{}, ErrUnknownProvider
	}
	return p, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("oauth: make an id: %w", err)
	}
	return id.String(), nil
}

// Purposes of the package's one-time tokens.
const (
	// PurposeState is the parameter state of a flow.
	PurposeState token.Purpose = "oas:oauth-state"
	// PurposeHandoff ends a flow of a bearer client (rule R16).
	PurposeHandoff token.Purpose = "oah:oauth-handoff"
	// PurposeNonce is the nonce of a native sign-in (rule R20).
	PurposeNonce token.Purpose = "oan:oauth-nonce"
)

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes what has run out, a thousand rows a statement, until none is left or
// ctx ends.
func (s *Service) Maintain(ctx context.Context) error {
	for _, prune := range []func(ctx context.Context, now time.Time, limit int) (int, error){
		s.store.PruneAttachments, s.store.PruneIDTokens,
	} {
		for n := pruneBatch; n == pruneBatch; {
			var err error
			if n, err = prune(ctx, s.now(), pruneBatch); err != nil {
				return fmt.Errorf("oauth: prune: %w", err)
			}
		}
	}
	return nil
}

// Forget deletes what is kept about a user, in the transaction of ctx: because the user
// is deleted, or because the mailbox of a user who existed unproven was just proven, and
// what hung on the account before goes (rule R4).
func (s *Service) Forget(ctx context.Context, userID string) error {
	if err := s.store.Forget(ctx, userID); err != nil {
		return fmt.Errorf("oauth: forget a user: %w", err)
	}
	return nil
}

// Ways counts the links by which the user can sign in: those of providers that are not
// configured any more are none. It joins the transaction of ctx.
func (s *Service) Ways(ctx context.Context, userID string) (int, error) {
	links, err := s.store.Links(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("oauth: count the links: %w", err)
	}
	n := 0
	for _, l := range links {
		if _, ok := s.providers[l.Provider]; ok {
			n++
		}
	}
	return n, nil
}
