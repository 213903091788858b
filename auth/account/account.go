package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// DefaultFreshFor is how long a proof permits what is sensitive if Config says
// nothing.
const DefaultFreshFor = 10 * time.Minute

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Auth is the service of the users. Its hooks are called here, too.
	Auth *auth.Service
	// Tokens issues and consumes the secrets of mailed links.
	Tokens auth.Tokens
	// Sessions gives sessions new tokens and ends those in which the password was
	// guessed at.
	Sessions Sessions
	// Neighbours knows who may see whom. Defaults to nil: users see themselves.
	Neighbours Neighbours
	// Codes proves a mailed code, for users without a password. Defaults to nil:
	// there are none.
	Codes Codes
	// Factors proves second factors, for users who have one. Defaults to nil: nobody
	// steps up by one.
	Factors SecondFactors
	// Links returns the user's accounts at identity providers, in the order in which
	// they were linked. Defaults to nil: there are none.
	Links func(ctx context.Context, userID string) ([]Account, error)
	// FreshFor is how long a proof permits what is sensitive. Defaults to
	// DefaultFreshFor.
	FreshFor time.Duration
	// Now is the one clock (rule R32).
	Now func() time.Time
}

// Sessions is what the package needs of the sessions.
type Sessions interface {
	// Elevate records in the caller's session that its user has just proven
	// something, and gives it a new token; the earlier one opens nothing from then
	// on (ASVS 7.2.4). It joins the transaction of ctx.
	Elevate(ctx context.Context, caller *principal.Principal, proof door.Proof) (auth.Grant, error)
	// RecordStepUpFailure counts that the caller could not prove who they are, and
	// reports whether that ended the session (rule R12). It commits alone.
	RecordStepUpFailure(ctx context.Context, caller *principal.Principal) (ended bool, err error)
}

// Neighbours knows who shares an organization with whom.
type Neighbours interface {
	// Share reports whether both users are members of one organization. It takes
	// the same statement whether or not the other user exists.
	Share(ctx context.Context, userID, otherID string) (bool, error)
}

// Codes checks mailed codes of users who have nothing stronger (rule R12).
type Codes interface {
	// CheckStepUpCode consumes the code that was mailed to the user for this
	// session. It charges the guess itself (rules R8, R10).
	CheckStepUpCode(ctx context.Context, userID, sessionID, code string) error
}

// SecondFactors checks second factors of signed-in users (rule R12).
type SecondFactors interface {
	// CheckTOTP and CheckRecovery charge a guess (rule R8) and check a code of the
	// user's app, or a recovery code. They refuse to run inside a transaction. A wrong
	// code is an error of kind problem.Unauthenticated or problem.Invalid.
	CheckTOTP(ctx context.Context, userID, code string) (FactorProof, error)
	CheckRecovery(ctx context.Context, userID, code string) (FactorProof, error)
}

// FactorProof is a code of a second factor that was right when it was checked.
type FactorProof struct {
	// Channel is what it proves.
	Channel string
	// Guess was charged for it, and is given back when it is used.
	Guess auth.GuessKey
	// Use uses the code up, in the transaction of what it permits: a code is good for
	// one of them.
	Use func(ctx context.Context) error
}

// Caller is the signed-in user who asks, as the lookup of the request's session
// found them.
type Caller struct {
	Principal *principal.Principal
	// SecurityVersion is the session's. What the caller changes is changed under
	// it (rule R1).
	SecurityVersion int64
	// Fresh says that the last proof is young, and strong, enough for what is
	// sensitive (rule R12).
	Fresh  bool
	Client auth.Client
}

// Person returns the user's id if the caller is a user in a session of their own:
// no key, and nobody who impersonates them (rule R22). Errors: problem.ErrUnauthenticated,
// problem.ErrForbidden.
func (c Caller) Person() (string, error) {
	p := c.Principal
	switch {
	case p == nil || p.UserID == "":
		return "", problem.ErrUnauthenticated
	case p.SessionID == "" || p.APIKeyID != "" || p.ImpersonatorID != "" || c.SecurityVersion == 0:
		return "", problem.ErrForbidden
	}
	return p.UserID, nil
}

// FreshPerson is Person for what is sensitive.
func (c Caller) FreshPerson() (string, error) {
	id, err := c.Person()
	if err == nil && !c.Fresh {
		err = ErrNotFresh
	}
	return id, err
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store. It does no I/O. The error names every field of
// cfg that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.FreshFor = cmp.Or(cfg.FreshFor, DefaultFreshFor)
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, fmt.Errorf("account: config: %s", field))
		}
	}
	need(store != nil, "a store is required")
	need(cfg.Auth != nil, "Auth is required")
	need(cfg.Tokens != nil, "Tokens is required")
	need(cfg.Sessions != nil, "Sessions is required")
	need(cfg.Now != nil, "Now is required")
	need(cfg.FreshFor > 0, "FreshFor must not be negative")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Service{store: store, cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }
