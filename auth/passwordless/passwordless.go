package passwordless

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/token"
)

// PurposeLink is the purpose of the token that a mailed link lets in with.
const PurposeLink token.Purpose = "mag:magic-link"

// Kinds of mail that the package sends; they name templates.
const (
	MailLink        = "magic-link"
	MailSignInCode  = "sign-in-code"
	MailConfirmCode = "confirm-code"
	MailResetCode   = "reset-code"
	MailSecondStep  = "second-step-code"
)

// Life is how long links and codes work (ASVS 6.5.5: ten minutes).
const Life = 10 * time.Minute

const (
	// mailEvery is the time in which one mail of a kind may go to one address.
	mailEvery = time.Minute
	// maxTries is how often one code may be compared.
	maxTries = 5
	// flowLife is how long a flow may use what it asked for, and is remembered.
	flowLife = time.Hour
)

// Policy says what is offered. The zero Policy offers links and codes, to new
// people as well, and no reset by code.
type Policy struct {
	// NoLinks and NoCodes leave out links, and codes.
	NoLinks, NoCodes bool
	// NoSignUp lets nobody in who is not a user. Unknown addresses get no mail.
	NoSignUp bool
	// ResetByCode lets a code set a new password. A code is weaker than a link: who
	// looks at a locked phone reads it, and people read it out to strangers (rule
	// R10).
	ResetByCode bool
}

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Users is the service of package auth: budgets, guesses, and the door.
	Users *auth.Service
	// Tokens issues and consumes the secrets of links.
	Tokens auth.Tokens
	// Peppers hands out the keys under which codes are kept; *crypto.Keyring is one.
	Peppers token.Peppers
	// LinkBase is the address under which the routes are reachable, such as
	// "https://example.com/api/auth". Mailed links start with it; nothing else
	// decides where they point.
	LinkBase string
	// Policy says what is offered.
	Policy Policy
	// Now is the one clock (rule R32).
	Now func() time.Time
	// Rand defaults to crypto/rand.
	Rand io.Reader
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var errs []error
	need := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, errors.New(problem))
		}
	}
	need(store != nil, "store is required")
	need(cfg.Users != nil, "Users is required")
	need(cfg.Tokens != nil, "Tokens is required")
	need(cfg.Peppers != nil, "Peppers is required")
	need(cfg.LinkBase != "", "LinkBase is required")
	need(cfg.Now != nil, "Now is required")
	need(!cfg.Policy.NoCodes || !cfg.Policy.ResetByCode, "Policy.ResetByCode needs codes")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("passwordless: config: %w", err)
	}
	return &Service{store: store, cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("passwordless: make an id: %w", err)
	}
	return id.String(), nil
}

// Forget takes away what was mailed to the address of a user who is deleted, in the
// transaction that does.
func (s *Service) Forget(ctx context.Context, user auth.User) error {
	if err := s.store.DropCodes(ctx, user.Email); err != nil {
		return fmt.Errorf("passwordless: forget a user: %w", err)
	}
	return nil
}

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes codes whose flows are forgotten, in batches, until none is left
// or ctx ends. Call it every hour or so.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now().Add(-flowLife)
	for n := pruneBatch; n == pruneBatch; {
		var err error
		if n, err = s.store.PruneCodes(ctx, before, pruneBatch); err != nil {
			return fmt.Errorf("passwordless: prune codes: %w", err)
		}
	}
	return nil
}
