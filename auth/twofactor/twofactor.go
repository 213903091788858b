package twofactor

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
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// Kinds of mail that tell the owner what happened to the factors; they name
// templates. They are not counted against any budget (rule R6): a stranger must not
// be able to silence them.
const (
	MailEnabled          = "two-factor-enabled"
	MailChanged          = "two-factor-changed"
	MailDisabled         = "two-factor-disabled"
	MailReset            = "two-factor-reset"
	MailRecoveryReplaced = "recovery-codes-replaced"
	// MailRecoveryUsed tells that a recovery code was used, and MailRecoveryLow that
	// three or fewer are left as well.
	MailRecoveryUsed = "recovery-code-used"
	MailRecoveryLow  = "recovery-codes-low"
)

// PendingLife is how long a new app may take to be confirmed.
const PendingLife = time.Hour

// Keys seals secrets and hands out keys; *crypto.Keyring is one.
type Keys interface {
	Seal(ctx context.Context, f crypto.Field, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, f crypto.Field, sealed []byte) ([]byte, error)
	token.Peppers
}

// Policy says what is offered. The zero Policy offers authenticator apps as every
// app understands them.
type Policy struct {
	// TOTP is how codes of new apps are made. Apps that are enrolled keep what they
	// were told.
	TOTP totp.Config
	// MailCodes offers codes by mail as a second step to accounts with nothing
	// stronger. Whoever reads the mail then has both factors of an account that can
	// reset its password by mail, which is why NIST SP 800-63B-4 §3.1.3.1 forbids it.
	// Defaults to false (rule R11).
	MailCodes bool
}

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Auth is the service of the users: guesses, the door, changes of protection.
	Auth *auth.Service
	// Account checks passwords of signed-in users, and steps sessions up.
	Account *account.Service
	// Sessions gives sessions new tokens.
	Sessions account.Sessions
	// Keys seals secrets and hashes recovery codes.
	Keys Keys
	// Policy says what is offered.
	Policy Policy
	// Issuer is what apps call the product: 1 to 64 bytes without colons. Defaults to
	// "Tenon".
	Issuer string
	// Passkeys counts the passkeys of users. Defaults to nil: nobody has one.
	Passkeys Passkeys
	// Codes mails codes. Required for Policy.MailCodes.
	Codes Codes
	// DeviceName says in words what a User-Agent header claims to be, for lists of
	// trusted devices. Defaults to one that knows none.
	DeviceName func(userAgent string) string
	// Now is the one clock (rule R32).
	Now func() time.Time
	// Rand defaults to crypto/rand.
	Rand io.Reader
}

// Passkeys knows of the passkeys of users.
type Passkeys interface {
	// CountPasskeys returns how many the user has registered.
	CountPasskeys(ctx context.Context, userID string) (int, error)
	// DropPasskeys deletes them, in the transaction of ctx.
	DropPasskeys(ctx context.Context, userID string) error
}

// Codes mails codes that continue one sign-in.
type Codes interface {
	// SendSecondStep mails a code to the user that works for that challenge alone,
	// within the budget of rule R6.
	SendSecondStep(ctx context.Context, c auth.Challenge, client auth.Client) error
	// CheckSecondStep charges a guess (rule R10) and checks a code. use consumes it in
	// the transaction of what it permits.
	CheckSecondStep(ctx context.Context, c auth.Challenge, code string, client auth.Client) (use func(ctx context.Context) error, err error)
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store  Store
	cfg    Config
	scheme totp.Scheme
	tokens *token.Hasher // of trusted devices
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.Issuer = cmp.Or(cfg.Issuer, "Tenon")
	if cfg.DeviceName == nil {
		cfg.DeviceName = func(string) string { return "Unknown device" }
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("twofactor: config: %s", field))
		}
	}
	need(store != nil, "a store is required")
	need(cfg.Auth != nil, "Auth is required")
	need(cfg.Account != nil, "Account is required")
	need(cfg.Sessions != nil, "Sessions is required")
	need(cfg.Keys != nil, "Keys is required")
	need(!cfg.Policy.MailCodes || cfg.Codes != nil, "Policy.MailCodes needs Codes")
	need(totp.ValidIssuer(cfg.Issuer), "Issuer is 1 to 64 bytes without colons")
	need(cfg.Now != nil, "Now is required")
	scheme, err := totp.New(cfg.Policy.TOTP)
	if err != nil {
		errs = append(errs, fmt.Errorf("twofactor: config: Policy.TOTP: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Service{store: store, cfg: cfg, scheme: scheme, tokens: token.NewHasher(cfg.Keys)}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("twofactor: make an id: %w", err)
	}
	return id.String(), nil
}

// Factors returns what the user can prove in a second step, in the transaction of
// ctx. It makes a Service the auth.SecondFactors.
func (s *Service) Factors(ctx context.Context, userID string) (auth.Factors, error) {
	var factors auth.Factors
	_, err := s.store.EnrolmentOf(ctx, userID, true)
	if err != nil && !errors.Is(err, ErrNotEnrolled) {
		return auth.Factors{}, fmt.Errorf("twofactor: find the app: %w", err)
	}
	factors.TOTP = err == nil
	if factors.RecoveryCodes, err = s.recoveryCodesLeft(ctx, userID); err != nil {
		return auth.Factors{}, err
	}
	if factors.Passkeys, err = s.passkeys(ctx, userID); err != nil {
		return auth.Factors{}, err
	}
	if !s.cfg.Policy.MailCodes || factors.TOTP || factors.Passkeys > 0 {
		return factors, nil
	}
	if factors.MailCode, err = s.store.MailFactor(ctx, userID); err != nil {
		return auth.Factors{}, fmt.Errorf("twofactor: find the second factor: %w", err)
	}
	return factors, nil
}

func (s *Service) passkeys(ctx context.Context, userID string) (int, error) {
	if s.cfg.Passkeys == nil {
		return 0, nil
	}
	n, err := s.cfg.Passkeys.CountPasskeys(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("twofactor: count passkeys: %w", err)
	}
	return n, nil
}

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes enrolments that were never confirmed and trusted devices whose trust
// has ended, in batches, until none is left or ctx ends. Call it every hour or so.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now().Add(-PendingLife)
	for n := pruneBatch; n == pruneBatch; {
		var err error
		if n, err = s.store.PruneEnrolments(ctx, before, pruneBatch); err != nil {
			return fmt.Errorf("twofactor: prune enrolments: %w", err)
		}
	}
	for n := pruneBatch; n == pruneBatch; {
		var err error
		if n, err = s.store.PruneTrusted(ctx, s.now(), pruneBatch); err != nil {
			return fmt.Errorf("twofactor: prune trusted devices: %w", err)
		}
	}
	return nil
}
