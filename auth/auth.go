package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// pendingLife is how long a sign-up waits for its proof, and its link works.
const pendingLife = 24 * time.Hour

// maxPending is how many sign-ups of one address wait at the same time; the
// oldest is dropped (rule R4).
const maxPending = 5

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Keys seals password hashes and derives the keys of identifiers.
	Keys Keys
	// Sessions makes the session that a completed attempt ends in.
	Sessions Sessions
	// Tokens issues and consumes the secrets of mailed links.
	Tokens Tokens
	// Outbox takes mail in the transaction of its cause.
	Outbox mail.Outbox
	// Templates render mail. Defaults to the built-in ones.
	Templates *mail.Templates
	// Passwords hashes and verifies. Defaults to password.New with its defaults.
	Passwords Passwords
	// PasswordPolicy decides which passwords may be set. Defaults to at least 8
	// characters that are neither common nor like the account's own address and
	// name; password.NIST() is the stricter preset.
	PasswordPolicy password.Policy
	// LinkBase is the address under which the routes of this package are
	// reachable, such as "https://example.com/api/auth". Mailed links start with
	// it; nothing else decides where they point.
	LinkBase string
	// SecondFactors knows what users who turned a second factor on can prove.
	// Defaults to nobody: users who have one then cannot sign in.
	SecondFactors SecondFactors
	// Superuser is the address whose owner becomes a superuser: whoever first proves
	// it as the address of a new account, or of one that loses with the proof what it
	// was given before (rule R4). An account that exists does not become one by moving
	// to it: a stranger's would, with its password, by one click of the owner's (rule
	// R5). It acts once; the user is recorded by id. Defaults to nobody.
	Superuser string
	// Hooks run inside the transactions of the package.
	Hooks Hooks
	// TokenPurpose is the key purpose under which counters of guesses and mails are
	// named. A rotation of its key begins all of them anew, so that they had better
	// not share it with what is rotated often: package tenon gives them
	// crypto.PurposeLimit. Defaults to crypto.PurposeToken.
	TokenPurpose string
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// Now is the one clock (rule R32).
	Now func() time.Time
	// Rand defaults to crypto/rand.
	Rand io.Reader
}

// Keys is what the package needs of a keyring; *crypto.Keyring is one.
type Keys interface {
	Seal(ctx context.Context, f crypto.Field, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, f crypto.Field, sealed []byte) ([]byte, error)
	ActiveSubkey(ctx context.Context, purpose, label string) (kid string, key []byte, err error)
	Subkey(ctx context.Context, purpose, label, kid string) ([]byte, error)
}

// Sessions starts sessions. A Pass can be made by this package only, so there is
// no other way to one (rule R2).
type Sessions interface {
	// Start makes a session from pass in the transaction of ctx.
	Start(ctx context.Context, pass door.Pass) (Grant, error)
	// EndOthers ends the user's sessions in the transaction of ctx, in which the
	// caller has just raised the security version to newVersion. The session
	// keepID goes on under the new version; it is empty where none shall.
	EndOthers(ctx context.Context, userID, keepID string, newVersion int64) error
}

// Grant is a session just made. Its secrets are shown this once: the token of its
// cookie, or the pair of a bearer session.
type Grant struct {
	SessionID string
	Token     token.Secret
	CreatedAt time.Time
	// IdleEndsAt is when the session ends if it is not used, EndsAt when it ends
	// whatever happens.
	IdleEndsAt  time.Time
	EndsAt      time.Time
	BrowserOnly bool
	// Access and Refresh are the pair, and zero for a session with a cookie.
	Access, Refresh             token.Secret
	AccessEndsAt, RefreshEndsAt time.Time
	// UserID and SecurityVersion are whom the door let in; the door sets them.
	UserID          string
	SecurityVersion int64
	// TrustedDevice makes the browser skip the second step from now on. Its token is
	// zero where nothing changes.
	TrustedDevice Trust
}

// Bearer reports whether the session is used with a pair of tokens.
func (g Grant) Bearer() bool { return !g.Refresh.IsZero() }

// Tokens issues and consumes the secrets of mailed links; *token.Service is one.
type Tokens interface {
	Issue(ctx context.Context, p token.IssueParams) (token.OneTime, token.Secret, error)
	Peek(ctx context.Context, purpose token.Purpose, raw string) (token.OneTime, error)
	Consume(ctx context.Context, purpose token.Purpose, raw string) (token.OneTime, error)
}

// Passwords hashes and verifies passwords in bounded slots; *password.Hasher is one.
type Passwords interface {
	Hash(ctx context.Context, prepared string) (string, error)
	Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error)
	// Decoy returns a hash of a kind that nothing matches, of the configured one if
	// kind is empty.
	Decoy(ctx context.Context, kind string) (string, error)
	// Import reads a hash that another system made, as password.ParseImported does.
	Import(raw string) (password.Hash, error)
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store  Store
	cfg    Config
	tokens *token.Hasher // of devices and challenges
	decoys decoys
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.TokenPurpose = cmp.Or(cfg.TokenPurpose, crypto.PurposeToken)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	if err := cfg.validate(store); err != nil {
		return nil, fmt.Errorf("auth: config: %w", err)
	}
	return &Service{store: store, cfg: cfg, tokens: token.NewHasher(cfg.Keys)}, nil
}

// fill sets the defaults that can fail.
func (c *Config) fill() error {
	if c.Templates == nil {
		templates, err := mail.NewTemplates(mail.TemplatesConfig{})
		if err != nil {
			return fmt.Errorf("auth: mail templates: %w", err)
		}
		c.Templates = templates
	}
	if c.Passwords == nil {
		hasher, err := password.New(password.Config{})
		if err != nil {
			return fmt.Errorf("auth: password hasher: %w", err)
		}
		c.Passwords = hasher
	}
	if c.Superuser != "" {
		address, err := ParseAddress(c.Superuser)
		if err != nil {
			return fmt.Errorf("auth: config: Superuser: %w", err)
		}
		c.Superuser = address.Key
	}
	return nil
}

func (c *Config) validate(store Store) error {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s is required", field))
		}
	}
	need(store != nil, "store")
	need(c.Keys != nil, "Keys")
	need(c.Sessions != nil, "Sessions")
	need(c.Tokens != nil, "Tokens")
	need(c.Outbox != nil, "Outbox")
	need(c.LinkBase != "", "LinkBase")
	need(c.Now != nil, "Now")
	errs = append(errs, c.PasswordPolicy.Validate())
	return errors.Join(errs...)
}

// PasswordPolicy returns the policy of Config, for whatever else sets passwords
// and for hints in forms.
func (s *Service) PasswordPolicy() password.Policy { return s.cfg.PasswordPolicy }

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("auth: make an id: %w", err)
	}
	return id.String(), nil
}

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes what has run out, a thousand rows a statement, until none is
// left or ctx ends. Call it every hour or so; several processes may call it at
// the same time.
func (s *Service) Maintain(ctx context.Context) error {
	now := s.now()
	for _, prune := range []struct {
		what   string
		before time.Time
		rows   func(ctx context.Context, before time.Time, limit int) (int, error)
	}{
		{"sign-ups", now, s.store.PruneSignUps},
		{"guesses", now.Add(-guessMemory), s.store.PruneGuesses},
		{"devices", now, s.store.PruneDevices},
		{"challenges", now, s.store.PruneChallenges},
		{"mail budgets", now.Add(-day), s.store.PruneBudgets},
	} {
		for n := pruneBatch; n == pruneBatch; {
			var err error
			if n, err = prune.rows(ctx, prune.before, pruneBatch); err != nil {
				return fmt.Errorf("auth: prune %s: %w", prune.what, err)
			}
		}
	}
	return nil
}
