package tenon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// DefaultMountPath is where the routes are if Config.MountPath says nothing.
const DefaultMountPath = "/api/auth"

// Config configures an App. DB, KMS, Mailer and BaseURL are required; everything
// else has a default that is safe.
type Config struct {
	// DB is the host's database, opened with bundb/sqlite or bundb/postgres.
	DB *bundb.DB
	// SecuredTables are the host's own tables with row security, where DB has it: Ready,
	// Migrate and Run refuse to start unless their policies are in force, too. See
	// RowSecuritySQL. Defaults to none.
	SecuredTables []bundb.SecuredTable
	// KMS wraps the keys that seal secrets. There is no default: a key that
	// nobody keeps is data lost. Development uses DevelopmentKMS.
	KMS crypto.KMS
	// Mailer sends mail, such as mail.NewSMTP.
	Mailer mail.Mailer
	// BaseURL is where people reach the site, such as https://example.com. Links
	// in mail and the marks of cookies follow it and nothing else. http is for
	// localhost only.
	BaseURL string

	// MountPath is the path under which Handler is mounted. Defaults to
	// DefaultMountPath.
	MountPath string
	// ProductName is how mail and pages call the host's product. Defaults to the
	// host of BaseURL.
	ProductName string
	// TrustedOrigins are further origins whose pages may call the routes with
	// cookies. Defaults to none but BaseURL's.
	TrustedOrigins []string
	// BearerOrigins are the origins, written as browsers send them, whose pages may
	// sign in with X-Token-Mode: bearer and so have tokens in their hands. Each is
	// BaseURL or one of TrustedOrigins. Defaults to none: bearer sessions are for
	// programs.
	BearerOrigins []string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a callbackURL may lead to. Defaults to BaseURL's.
	RedirectTargets []string
	// ThirdPartyAudience names another service that signed-in users may fetch tokens
	// for with GET token: ten minutes that prove to it who they are, and that are
	// refused here. It must not be BaseURL. Defaults to none: there is no such route.
	ThirdPartyAudience string
	// ProxyHops is how many proxies of the host stand before it and append to
	// X-Forwarded-For. Defaults to none: forwarded addresses are ignored.
	ProxyHops int
	// RateLimits replaces what one client may ask of a class of routes, such as
	// RateLimitSignIn: an address, or for IPv6 a /64, while a /56 may ask four times
	// and a /48 sixteen times as much. An empty rule turns a class off. The limits are
	// kept in the memory of the process and hold for each process by itself. Classes
	// that are not named keep those of DefaultRateLimits.
	RateLimits map[string]ratelimit.Rule
	// Superuser is the address whose owner becomes a superuser: whoever first proves
	// it, by mail of ours, as the address of a new account. It acts once; an account
	// that exists does not become one by moving to it (rule R5). Defaults to nobody.
	Superuser string

	// Passwordless says which ways in by mail there are. Defaults to links and codes
	// of six digits, for new people as well, and no reset by code.
	Passwordless passwordless.Policy

	// TwoFactor says which second factors there are. Defaults to authenticator apps
	// with recovery codes, and no codes by mail.
	TwoFactor twofactor.Policy
	// Pages are the host's own in the place of built-in ones.
	Pages Pages
	// Passkeys lets people sign in with passkeys, and prove them as a second factor:
	// passkeybun.New(passkey.Config{}) of auth/passkey. BaseURL must have a name, since
	// passkeys do not work on IP addresses. Defaults to nil: no routes, no tables.
	Passkeys Feature
	// OAuth lets people sign in with their accounts at identity providers:
	// oauthbun.New(oauth.Config{…}) of auth/oauth. Defaults to nil: no routes, no tables.
	OAuth Feature

	// Passwords hashes passwords. Defaults to argon2id with 19 MiB in as many
	// slots as the machine has cores.
	Passwords auth.Passwords
	// TypedPasswords lets superusers type passwords for other people, which end
	// their sessions and are told to them by mail, and, for users whom they make,
	// vouch for the address. Defaults to false: people choose their own by a mailed
	// link, which proves the address (rules R4, R22).
	TypedPasswords bool
	// PasswordPolicy decides which passwords may be set. Defaults to 8 to 256
	// characters that are neither common nor like the account's own address, its
	// name or ProductName. password.NIST() asks for 15; Breaches of package
	// auth/password/breach refuses stolen ones.
	PasswordPolicy password.Policy
	// MailTemplates render mail. Defaults to the built-in ones under ProductName.
	MailTemplates *mail.Templates
	// SessionIdle, SessionAbsolute and SessionBrowserOnly bound sessions. Default
	// to 7 days, 30 days and 24 hours.
	SessionIdle, SessionAbsolute, SessionBrowserOnly time.Duration

	// Sessions is what sessions are configured by beyond that: their bounds by level
	// of assurance, how many a user may have, the life of bearers' tokens. It may
	// start from session.NIST(). New sets its Peppers, SecondFactor, Users, Organizations,
	// Hooks, Logger and Now. Defaults to session's defaults.
	Sessions session.Config
	// SecondFactor says of whom the whole installation demands a second factor, from
	// when on. Organizations may demand it of their members besides. Defaults to
	// nobody.
	SecondFactor session.SecondFactorPolicy
	// MultiSession lets one browser be signed in as several users, with routes to
	// list them and to change between them. Defaults to false: signing in ends the
	// browser's earlier session.
	MultiSession bool
	// MaxSessionsPerBrowser is how many then at most, 2 to 20. Defaults to 5.
	MaxSessionsPerBrowser int

	// OwnerPolicy says what becomes of an organization with other members whose
	// owner is deleted. Defaults to tenancy.BlockDeletion.
	OwnerPolicy tenancy.OwnerPolicy
	// Organizations is what organizations are configured by beyond that: the host's own
	// statements and roles, and when an owner may delete one. New sets its Users, People,
	// Sessions, Hooks and Now. Defaults to tenancy's defaults.
	Organizations tenancy.Config

	// Notifications says which categories of notifications the host has of its own and
	// how long notifications are kept; New sets the rest. Defaults to the built-in
	// categories and notify.DefaultKeep.
	Notifications notify.Config

	// Invitations says how people are invited into organizations, and Teams how many
	// teams there may be.
	Invitations InvitationPolicy
	Teams       TeamPolicy

	// Audit says how the trail of who did what is kept. Defaults to nil: it is on, and
	// kept for ever.
	Audit *AuditConfig

	// SessionCache answers most requests of signed-in users from memory. With it a
	// session, a role or a superuser's power that another process took away lives on
	// for up to SessionCache.Bound, 2 seconds by default; what this process takes
	// away is gone at once. On PostgreSQL it takes one connection of the pool, while
	// Run runs. &sessioncache.Config{} is right for production. Defaults to nil:
	// every request asks the database.
	SessionCache *sessioncache.Config

	// AuthHooks, SessionHooks and TenancyHooks run inside the transactions of
	// their packages, after Tenon's own.
	AuthHooks    auth.Hooks
	SessionHooks session.Hooks
	TenancyHooks tenancy.Hooks
	// InvitationHooks and TeamHooks do so for invitations and teams.
	InvitationHooks invitation.Hooks
	TeamHooks       team.Hooks

	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// Pages are paths, or redirect targets, that a browser is sent to.
type Pages struct {
	// SecondFactor is where a sign-in by a link, a form or a redirect goes on that
	// meets a second factor (rule R25). The browser has the cookie of the challenge;
	// the page calls the routes of two-factor/*. Defaults to a page of our own.
	SecondFactor string
}

// fill sets the defaults.
func (c *Config) fill() error {
	c.MountPath = cmp.Or(c.MountPath, DefaultMountPath)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if err := c.validate(); err != nil {
		return fmt.Errorf("tenon: config: %w", err)
	}
	cookies, err := cookie.New(c.BaseURL)
	if err != nil {
		return fmt.Errorf("tenon: config: BaseURL: %w", err)
	}
	c.BaseURL = cookies.Origin()
	for _, origin := range c.BearerOrigins {
		if origin != c.BaseURL && !slices.Contains(c.TrustedOrigins, origin) {
			return fmt.Errorf("tenon: config: BearerOrigins: %q is not among TrustedOrigins, so its pages could not call at all", origin)
		}
	}
	c.ProductName = cmp.Or(c.ProductName, cookies.Host())
	return nil
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, errors.New(problem))
		}
	}
	need(c.DB != nil, "DB is required: open it with bundb/sqlite or bundb/postgres")
	need(c.KMS != nil, "KMS is required: see crypto.OpenKeyFile, or tenon.DevelopmentKMS while you develop")
	need(c.Mailer != nil, "Mailer is required: see mail.NewSMTP")
	need(c.BaseURL != "", "BaseURL is required, such as https://example.com")
	need(strings.HasPrefix(c.MountPath, "/") && c.MountPath != "/" && !strings.HasSuffix(c.MountPath, "/"),
		"MountPath must start with a slash and not end with one")
	need(c.ProxyHops >= 0, "ProxyHops must not be negative")
	return errors.Join(errs...)
}
