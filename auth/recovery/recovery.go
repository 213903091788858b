package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/token"
)

// PurposeReset is the purpose of the token that sets a new password.
const PurposeReset token.Purpose = "rst:reset-password"

// MailResetPassword is the kind of mail with the link; it names a template.
const MailResetPassword = "reset-password"

// mailEvery is the time in which one such mail may go to one address.
const mailEvery = time.Minute

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Users is the service of package auth: budgets, passwords, and the one way to
	// change what protects an account.
	Users *auth.Service
	// Tokens issues and consumes the secrets of links.
	Tokens auth.Tokens
	// LinkBase is the address under which the routes are reachable, such as
	// "https://example.com/api/auth". Mailed links start with it; nothing else
	// decides where they point.
	LinkBase string
	// LinkLife is how long a link works, an hour at most (ASVS 6.4.3). Defaults to
	// an hour.
	LinkLife time.Duration
	// Now is the one clock (rule R32).
	Now func() time.Time
}

// maxLinkLife is the longest that a link may work.
const maxLinkLife = time.Hour

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.LinkLife = cmp.Or(cfg.LinkLife, maxLinkLife)
	var errs []error
	need := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, errors.New(problem))
		}
	}
	need(store != nil, "store is required")
	need(cfg.Users != nil, "Users is required")
	need(cfg.Tokens != nil, "Tokens is required")
	need(cfg.LinkBase != "", "LinkBase is required")
	need(cfg.Now != nil, "Now is required")
	need(cfg.LinkLife >= time.Minute && cfg.LinkLife <= maxLinkLife, "LinkLife is between a minute and an hour")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("recovery: config: %w", err)
	}
	return &Service{store: store, cfg: cfg}, nil
}

// Account returns whose password the secret of a mailed link would set. It
// consumes nothing. Errors: token.ErrInvalid.
func (s *Service) Account(ctx context.Context, raw string) (auth.User, error) {
	user, _, err := s.peek(ctx, raw)
	return user, err
}

func (s *Service) peek(ctx context.Context, raw string) (auth.User, token.OneTime, error) {
	link, err := s.cfg.Tokens.Peek(ctx, PurposeReset, raw)
	if err != nil {
		return auth.User{}, token.OneTime{}, err
	}
	user, err := s.store.UserByID(ctx, link.Subject)
	if err == nil && user.SecurityVersion != link.SecurityVersion || errors.Is(err, auth.ErrUserNotFound) {
		return auth.User{}, token.OneTime{}, token.ErrInvalid
	}
	if err != nil {
		return auth.User{}, token.OneTime{}, fmt.Errorf("recovery: find the user of a link: %w", err)
	}
	return user, link, nil
}
