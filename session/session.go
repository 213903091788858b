package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
)

// Session is one signed-in browser or program. Times are UTC microseconds.
type Session struct {
	// ID is public: it names the session in lists and opens nothing.
	ID     string
	UserID string
	// OrganizationID is the active organization. [Service.Lookup] leaves it
	// empty unless the user is a member now.
	OrganizationID string
	// TeamID is the active team of that organization, empty where none is. Whether it
	// means anything is for whoever keeps teams.
	TeamID string
	// SecurityVersion is the user's version under which the session was made.
	// The session is dead once the user has a newer one (rule R1).
	SecurityVersion int64
	// Channels are what was proven, first factor first (rule R11).
	Channels []string
	// ProvenAt is when the sign-in was proven.
	ProvenAt time.Time
	// FreshAt is when anything was proven last, and FreshChannels what was: the
	// sign-in's channels, or the newest step-up's (rule R12). Each elevation gives
	// FreshAt another value.
	FreshAt       time.Time
	FreshChannels []string
	// ActorID is the superuser who acts as the user in this session, and
	// ActorSessionID their own session; both are empty in a session of the user's
	// own. Such a session lives an hour at most, is never fresh, and ends with the
	// actor's session, ban or role (rule R22).
	ActorID, ActorSessionID string
	// TrustedUntil is when the trust in the device ends on which the session began,
	// zero where it is none. It proves nothing (rule R11).
	TrustedUntil time.Time
	// BrowserOnly sessions have a cookie that ends with the browser.
	BrowserOnly bool
	// Bearer sessions have a pair of tokens instead of a cookie. Which of the two
	// it is was fixed at the first factor and never changes (rule R16).
	Bearer bool
	// IP and UserAgent are the client's at sign-in. IP may be the zero Addr.
	IP        netip.Addr
	UserAgent string
	CreatedAt time.Time
	// LastSeenAt is exact to a minute.
	LastSeenAt time.Time
	// IdleEndsAt is when the session ends if it is not used; it moves with
	// LastSeenAt and is never after EndsAt.
	IdleEndsAt time.Time
	// EndsAt is the absolute end. It moves only to an earlier time, where an
	// elevation reaches a level that does not live as long.
	EndsAt time.Time
}

// Live reports whether the session has neither idled nor reached its end at now.
func (s *Session) Live(now time.Time) bool {
	return now.Before(s.IdleEndsAt) && now.Before(s.EndsAt)
}

// Assurance is 2 after two different channels of which a later one is totp,
// recovery or a passkey, or after a passkey that verified its user, else 1
// (rule R11).
func (s Session) Assurance() int { return door.Assurance(s.Channels) }

// Provider is the id of the identity provider by which the session began, or "". What
// was proven later, in a step-up, changes nothing about it.
func (s Session) Provider() string {
	if len(s.Channels) == 0 {
		return ""
	}
	return door.ProviderOf(s.Channels[0])
}

// User is what a session's lookup reads of its user.
type User struct {
	ID, Email, Name, Image   string
	EmailVerified, Superuser bool
	// SecondFactor says that the user turned a second factor on.
	SecondFactor         bool
	CreatedAt, UpdatedAt time.Time
}

// Identity is a live session, its user, and the user's role in the active
// organization, all read by one statement (rule R18). What a [Finder] returns is
// shared by those who ask: it is not to be changed.
type Identity struct {
	Session Session
	User    User
	// Role is empty where no organization is active. Permissions are what it allows.
	Role        string
	Permissions principal.Permissions
	// SecondFactor is what policies demand of the session.
	SecondFactor Demand

	// principal is made once, for all requests that share the identity.
	principal *principal.Principal
}

// Grant is a started session and its secrets, which exist here and in the
// client's hands only: the token of its cookie, or the pair of a bearer session.
type Grant struct {
	Session Session
	Token   token.Secret
	Pair    Pair
}

// Users is what sessions need of the users, wherever they are kept.
type Users interface {
	// Hold keeps the user from being deleted until the transaction of ctx ends
	// (rule R3). It returns an error if there is no such user.
	Hold(ctx context.Context, userID string) error
	// RaiseVersion raises the user's security version in the transaction of ctx
	// and returns the new one (rule R1).
	RaiseVersion(ctx context.Context, userID string) (int64, error)
}

// Organizations is what sessions need of the organizations.
type Organizations interface {
	// Hold keeps the organization from being deleted until the transaction of
	// ctx ends (rule R3). It returns an error if there is none.
	Hold(ctx context.Context, organizationID string) error
	// HoldDefault returns the organization that a new session of the user starts
	// in, "" if there is none, and holds it like Hold.
	HoldDefault(ctx context.Context, userID string) (organizationID string, err error)
}

// Config configures a [Service]. Only Peppers has no default.
type Config struct {
	// Peppers are the keys under which tokens are hashed; a crypto.Keyring is
	// one. Required.
	Peppers token.Peppers
	// Idle is how long a session lives without being used, at least two minutes
	// because use is recorded once a minute. Defaults to 7 days, or to Absolute
	// where that is shorter.
	Idle time.Duration
	// Absolute is how long a session lives at most, whatever happens, up to 400
	// days (the longest a browser keeps a cookie). Defaults to 30 days.
	Absolute time.Duration
	// Level2 and Level3 bound sessions of that assurance and above, in addition to
	// the other bounds (see [NIST]). No channel of today reaches 3. Default to no
	// bounds.
	Level2, Level3 Lifetime
	// MaxPerUser is how many live sessions a user has at most: one more sign-in
	// ends the one that was not used for the longest time (ASVS 7.1.2). Negative
	// means no limit. Defaults to 100.
	MaxPerUser int
	// BrowserOnly is how long a session lives at most whose cookie ends with the
	// browser, because browsers that restore their windows never end. Defaults
	// to 24 hours, or to Absolute where that is shorter.
	BrowserOnly time.Duration
	// AccessTokens makes and reads the access tokens of bearer sessions. Defaults
	// to nil: there are none. With it, Peppers must name keys by 16 hexadecimal
	// digits in lower case, as crypto.Keyring does.
	AccessTokens AccessTokens
	// AccessLife is how long an access token works, 1 minute to 1 hour. Defaults to
	// 10 minutes.
	AccessLife time.Duration
	// BearerIdle is how long a bearer session lives without being used. Defaults
	// to 30 days, or to BearerAbsolute where that is shorter.
	BearerIdle time.Duration
	// BearerAbsolute is how long a bearer session lives at most, up to 400 days.
	// Defaults to 90 days.
	BearerAbsolute time.Duration
	// SecondFactor says who needs a second factor. Defaults to nobody.
	SecondFactor SecondFactorPolicy
	// Users raises security versions when a user signs out everywhere and holds
	// users of trusted starts. Defaults to nil: sessions are ended, and what is
	// in flight lives.
	Users Users
	// Organizations names the organization that a session starts in, and holds
	// one that becomes active. Defaults to nil: sessions start in none and nothing
	// is held; an id without a membership is no scope anyway.
	Organizations Organizations
	// Permissions says what a role allows in an organization whose own roles are of that
	// version: the lookup read role and version by one statement (rule R18). It is asked
	// with every lookup. Defaults to nil: roles allow nothing.
	Permissions func(ctx context.Context, organizationID, role string, version int64) (principal.Permissions, error)
	// Hooks run inside the transaction of what they report.
	Hooks Hooks
	// Logger gets what must not fail a request. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to the store's (rule R32).
	Now func() time.Time
	// Rand makes tokens and ids. It must be safe for concurrent use. Defaults to
	// crypto/rand.Reader.
	Rand io.Reader
}

const (
	defaultIdle        = 7 * 24 * time.Hour
	defaultAbsolute    = 30 * 24 * time.Hour
	defaultBrowserOnly = 24 * time.Hour
	defaultMaxPerUser  = 100

	defaultAccessLife     = 10 * time.Minute
	minAccessLife         = time.Minute
	maxAccessLife         = time.Hour
	defaultBearerIdle     = 30 * 24 * time.Hour
	defaultBearerAbsolute = 90 * 24 * time.Hour

	minLifetime = 2 * time.Minute
	maxLifetime = 400 * 24 * time.Hour
)

func (c *Config) setDefaults(store Store) {
	if c.Absolute == 0 {
		c.Absolute = defaultAbsolute
	}
	if c.Idle == 0 {
		c.Idle = min(defaultIdle, c.Absolute)
	}
	if c.BrowserOnly == 0 {
		c.BrowserOnly = min(defaultBrowserOnly, c.Absolute)
	}
	c.AccessLife = cmp.Or(c.AccessLife, defaultAccessLife)
	c.BearerAbsolute = cmp.Or(c.BearerAbsolute, defaultBearerAbsolute)
	c.BearerIdle = cmp.Or(c.BearerIdle, min(defaultBearerIdle, c.BearerAbsolute))
	c.MaxPerUser = cmp.Or(c.MaxPerUser, defaultMaxPerUser)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = store.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
}

func (c *Config) validate() error {
	switch {
	case c.Peppers == nil:
		return errors.New("session: Config.Peppers is required")
	case c.Absolute < minLifetime || c.Absolute > maxLifetime:
		return fmt.Errorf("session: Config.Absolute must be between %v and %v", minLifetime, maxLifetime)
	case c.Idle < minLifetime || c.Idle > c.Absolute:
		return fmt.Errorf("session: Config.Idle must be between %v and Absolute", minLifetime)
	case c.BrowserOnly < minLifetime || c.BrowserOnly > c.Absolute:
		return fmt.Errorf("session: Config.BrowserOnly must be between %v and Absolute", minLifetime)
	case c.AccessLife < minAccessLife || c.AccessLife > maxAccessLife:
		return fmt.Errorf("session: Config.AccessLife must be between %v and %v", minAccessLife, maxAccessLife)
	case c.BearerAbsolute < minLifetime || c.BearerAbsolute > maxLifetime:
		return fmt.Errorf("session: Config.BearerAbsolute must be between %v and %v", minLifetime, maxLifetime)
	case c.BearerIdle < minLifetime || c.BearerIdle > c.BearerAbsolute:
		return fmt.Errorf("session: Config.BearerIdle must be between %v and BearerAbsolute", minLifetime)
	}
	if c.SecondFactor.Grace < 0 {
		return errors.New("session: Config.SecondFactor.Grace must not be negative")
	}
	return c.validateLevels()
}

// Service starts, finds and ends sessions. It is safe for concurrent use.
type Service struct {
	store  Store
	cfg    Config
	hasher *token.Hasher
}

// New returns a Service on store, or says what is wrong with cfg. It does no I/O.
func New(store Store, cfg Config) (*Service, error) {
	if store == nil {
		return nil, errors.New("session: a store is required")
	}
	cfg.setDefaults(store)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Service{store: store, cfg: cfg, hasher: token.NewHasher(cfg.Peppers)}, nil
}

// now is the one clock (rule R32), as exact as the databases are.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// binding ties a session's verifier to its row, so that one copied to another
// row does not verify there.
func binding(id string) token.Binding { return token.Binding{Purpose: "session", Row: id} }

// Principal returns the caller that the identity stands for. It is shared like
// the identity.
func (i *Identity) Principal() *principal.Principal {
	if i.principal != nil {
		return i.principal
	}
	return i.newPrincipal()
}

// settle makes the principal. Nothing may change in i afterwards.
func (i *Identity) settle() *Identity {
	i.principal = i.newPrincipal()
	return i
}

func (i *Identity) newPrincipal() *principal.Principal {
	return &principal.Principal{
		UserID:          i.User.ID,
		SessionID:       i.Session.ID,
		OrganizationID:  i.Session.OrganizationID,
		Role:            i.Role,
		Permissions:     i.Permissions,
		ImpersonatorID:  i.Session.ActorID,
		Superuser:       i.User.Superuser && i.Session.ActorID == "",
		SecondFactor:    i.User.SecondFactor,
		Assurance:       i.Session.Assurance(),
		AuthenticatedAt: i.Session.ProvenAt,
		FreshAt:         i.Session.FreshAt,
		FreshChannels:   i.Session.FreshChannels,
		Channels:        i.Session.Channels,
		TrustedUntil:    i.Session.TrustedUntil,
		Restricted:      i.SecondFactor.Required,
		StrictSuperuser: i.SecondFactor.strict,

		RestrictedOrganizationID: i.SecondFactor.OrganizationID,
	}
}
