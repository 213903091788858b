package invitation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/token"
)

// Purpose is the purpose of the token that a mailed invitation is accepted with. Its
// subject is the invitation, its tenant the organization.
const Purpose token.Purpose = "inv:invitation"

// MailInvitation is the kind of the mail that invites; it names the template.
const MailInvitation = "invitation"

// PathAccept is where mailed links lead, relative to the mount.
const PathAccept = "/organization/accept-invitation"

// The defaults of Config.
const (
	DefaultLife  = 48 * time.Hour
	DefaultLimit = 100
)

// maxLife is how long tokens live at most.
const maxLife = 90 * 24 * time.Hour

// mailEvery is the time in which one invitation may be mailed to one address.
const mailEvery = time.Minute

// Person is a user as invitations know one.
type Person struct {
	// ID is empty for nobody.
	ID      string
	Address Address
	Name    string
	// Verified says that the address is proven.
	Verified bool
	// Banned says that nobody may act as the user now. People.ByID tells; the others
	// need not.
	Banned bool
}

// People knows who has which address, wherever users are kept.
type People interface {
	// HoldPerson returns the user as they are, and keeps them from being deleted until
	// the transaction of ctx ends (rule R3). It returns an error of kind
	// problem.NotFound if there is no such user.
	HoldPerson(ctx context.Context, userID string) (Person, error)
	// ByID returns the user, or an error of kind problem.NotFound.
	ByID(ctx context.Context, userID string) (Person, error)
	// ByAddress returns the user whose proven address it is, or the zero Person.
	ByAddress(ctx context.Context, a Address) (Person, error)
	// ParseAddress reads an address as people type it, or returns an error of kind
	// problem.Invalid.
	ParseAddress(typed string) (Address, error)
}

// Letter is a mail that wants to go.
type Letter struct {
	To Address
	// Kind names the template and its budget.
	Kind string
	// Every is the time in which one mail of the kind may go to the address.
	Every time.Duration
}

// Post mails within the budgets of rule R6.
type Post interface {
	// Post runs write in a transaction, which joins that of ctx, and mails what it
	// returns if the budgets allow a mail. If they do not, what write did is undone.
	// The statements are the same in both cases. It reports whether a mail goes.
	Post(ctx context.Context, l Letter, write func(ctx context.Context) (mail.Data, error)) (sent bool, err error)
}

// Tokens issues and recognises the secrets of mailed links; *token.Service is one.
type Tokens interface {
	Issue(ctx context.Context, p token.IssueParams) (token.OneTime, token.Secret, error)
	Peek(ctx context.Context, purpose token.Purpose, raw string) (token.OneTime, error)
	RevokeSubject(ctx context.Context, purpose token.Purpose, subject, tenant string) error
}

// Teams puts new members into the teams that they were invited to.
type Teams interface {
	// Check returns an error of kind problem.NotFound unless all are teams of the
	// organization.
	Check(ctx context.Context, organizationID string, teamIDs []string) error
	// Join puts a member of the organization into the teams, in the transaction of ctx.
	// It passes over those that are gone.
	Join(ctx context.Context, organizationID, userID string, teamIDs []string) error
}

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Organizations judges who may invite, and makes members.
	Organizations *tenancy.Service
	// People, Tokens and Post are what invitations need of others.
	People People
	Tokens Tokens
	Post   Post
	// Teams defaults to none: invitations that name some are refused.
	Teams Teams
	// LinkBase is the address under which the routes are reachable, such as
	// "https://example.com/api/auth". Mailed links start with it; nothing else decides
	// where they point.
	LinkBase string
	// Life is how long an invitation can be accepted: one second to 90 days. Defaults to
	// DefaultLife.
	Life time.Duration
	// Limit is how many invitations of an organization may be open at a time. Defaults to
	// DefaultLimit.
	Limit int
	// OtherAddresses lets signed-in users accept a mailed invitation with another proven
	// address than the invited one, after they were shown both (rule R21). Whoever gets
	// hold of the mail can join then, as somebody whom the organization did not name.
	// Defaults to false.
	OtherAddresses bool
	// Hooks run inside the transactions of the package.
	Hooks Hooks
	// Now is the clock. Defaults to the store's (rule R32).
	Now func() time.Time
	// Rand makes ids. It must be safe for concurrent use. Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// Service invites people. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store. It does no I/O. The error names every field of cfg
// that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	var errs []error
	need := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, errors.New(problem))
		}
	}
	cfg.Life, cfg.Limit = cmp.Or(cfg.Life, DefaultLife), cmp.Or(cfg.Limit, DefaultLimit)
	need(store != nil, "a store is required")
	need(cfg.Organizations != nil, "Organizations is required")
	need(cfg.People != nil, "People is required")
	need(cfg.Tokens != nil, "Tokens is required")
	need(cfg.Post != nil, "Post is required")
	need(cfg.LinkBase != "", "LinkBase is required")
	need(cfg.Life >= time.Second && cfg.Life <= maxLife, "Life must be between one second and 90 days")
	need(cfg.Limit > 0, "Limit must not be negative")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("invitation: config: %w", err)
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

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// Forget takes a user who is deleted out of the invitations that they sent or answered,
// in the transaction that does.
func (s *Service) Forget(ctx context.Context, userID string) error {
	if err := s.store.Forget(ctx, userID); err != nil {
		return fmt.Errorf("invitation: forget a user: %w", err)
	}
	return nil
}
