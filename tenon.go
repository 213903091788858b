package tenon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/auth/unlock"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifybun"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/jwt"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
	"github.com/tenon-go/tenon/token/tokenbun"
)

// Version of the library, as it is written into the OpenAPI document.
const Version = "0.1.0-dev"

// App is Tenon on one database. Its fields are the packages' services, for calls
// from the host's own code; they join the transaction in ctx. An App is safe for
// concurrent use.
type App struct {
	// DB is the database of Config.
	DB *bundb.DB
	// Keys seals secrets and derives keys.
	Keys *crypto.Keyring
	// Auth signs users up and in.
	Auth *auth.Service
	// Admin administers users for superusers.
	Admin *admin.Service
	// Recovery gives new passwords to those who lost theirs.
	Recovery *recovery.Service
	// TwoFactor gives accounts a second factor.
	TwoFactor *twofactor.Service
	// Account lets signed-in users look after their own account.
	Account *account.Service
	// Passwordless lets people in by mailed links and codes.
	Passwordless *passwordless.Service
	// Sessions finds and ends sessions.
	Sessions *session.Service
	// Organizations keeps companies and their members.
	Organizations *tenancy.Service
	// Invitations asks people into organizations.
	Invitations *invitation.Service
	// Teams keeps the teams of organizations.
	Teams *team.Service
	// Notifications tells users what happened.
	Notifications *notify.Service
	// Audit keeps the trail of who did what; nil where Config.Audit is off.
	Audit *audit.Service
	// AccessTokens makes and verifies access tokens, and revokes the keys that
	// sign them.
	AccessTokens *jwt.Service

	cfg              Config
	tokens           *token.Service
	queue            *mail.Queue
	users            *authbun.Store
	authHTTP         *auth.Handler
	accountHTTP      *account.Handler
	adminHTTP        *admin.Handler
	twoFactorHTTP    *twofactor.Handler
	passwordlessHTTP *passwordless.Handler
	recoveryHTTP     *recovery.Handler
	sessionCache     *sessioncache.Cache // nil without Config.SessionCache
	sessionHTTP      *session.Handler
	tenancyHTTP      *tenancy.Handler
	invitationHTTP   *invitation.Handler
	teamHTTP         *team.Handler
	notifyHTTP       *notify.Handler
	auditHTTP        *audit.Handler // nil without a trail
	refusals         *ratelimit.Limiter[string]
	keepPersonal     bool
	jwtHTTP          *jwt.Handler
	pages            *page.Layout
	origins          *http.CrossOriginProtection
	unlockHTTP       *unlock.Handler
	openAPI          http.HandlerFunc
	limits           map[string]func(http.ResponseWriter, *http.Request) error
	features         features
	handler          http.Handler
}

// New wires the packages on cfg.DB. It does no I/O and starts nothing: call
// Migrate before the first use and Run beside the server. The error names every
// field of cfg that is missing or wrong.
func New(cfg Config) (*App, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	a := &App{DB: cfg.DB, cfg: cfg}
	a.users = authbun.NewWatched(cfg.DB, a.forget)
	for _, wire := range []func() error{
		a.wireCrypto, a.wireAudit, a.wireToken, a.wireAccessTokens, a.wireMail, a.wireNotify, a.wireTenancy, a.wireSession, a.wireAuth,
		a.wireAccount, a.wireUnlock, a.wireRecovery, a.wirePasswordless, a.wireTwoFactor, a.wireAdmin, a.wireInvitations,
		a.wireFeatures, a.wireRateLimits, a.wireHandler,
	} {
		if err := wire(); err != nil {
			return nil, fmt.Errorf("tenon: %w", err)
		}
	}
	return a, nil
}

// Schemas returns the migrations of the packages in use, in their order, for hosts
// that apply them with a tool of their own. with are the features of Config, such as
// Config.Passkeys; nil is none.
func Schemas(with ...Feature) []bundb.Schema {
	schemas := []bundb.Schema{
		cryptobun.Schema(), tokenbun.Schema(), jwtbun.Schema(), authbun.Schema(), tenancybun.Schema(), sessionbun.Schema(),
		notifybun.Schema(), auditbun.Schema(),
	}
	for _, f := range with {
		if f != nil {
			schemas = append(schemas, f.Schemas()...)
		}
	}
	return schemas
}

// Secured returns whose the rows of the tables of the packages in use are, for row
// security; see [RowSecuritySQL]. Tables that are not among them belong to no
// organization, such as those of users and their sessions.
func Secured() []bundb.SecuredTable {
	return slices.Concat(tenancybun.Secured(authbun.ScopedAddress()), notifybun.Secured(), auditbun.Secured())
}

// RowSecuritySQL returns the script that lets the two roles of row security at the rows
// of their scope alone, in Tenon's tables and in the host's own: bundb.PolicySQL with the
// ordinary rights in the schema, which defaults to public. The owner of the tables runs
// it after the migrations, and again after each that adds a table. Errors:
// bundb.ErrPolicies.
func RowSecuritySQL(roles bundb.Roles, schema string, own ...bundb.SecuredTable) (string, error) {
	grants, err := bundb.GrantSQL(roles, cmp.Or(schema, "public"))
	if err != nil {
		return "", fmt.Errorf("tenon: row security: %w", err)
	}
	policies, err := bundb.PolicySQL(roles, append(Secured(), own...)...)
	if err != nil {
		return "", fmt.Errorf("tenon: row security: %w", err)
	}
	return grants + policies, nil
}

// checkSecured finds tables that would be open although the database was opened with row
// security.
func (a *App) checkSecured(ctx context.Context) error {
	if !a.DB.RowSecurity() {
		return nil
	}
	if err := a.DB.Ping(ctx); err != nil {
		return err
	}
	if err := a.DB.CheckSecured(ctx, append(Secured(), a.cfg.SecuredTables...)...); err != nil {
		return fmt.Errorf("run the script of tenon.RowSecuritySQL as the owner of the tables: %w", err)
	}
	return nil
}

// Migrate applies the pending migrations under a lock that waits, and makes the
// keys that are missing. Several processes may call it at the same time. It
// returns what it applied. Errors: crypto.ErrKeyringMissing if the database
// holds keys that Config.KMS can't open; nothing is written then. On a database with row
// security it changes no table, which only their owner may, and returns
// bundb.ErrRowSecurity unless the policies are in force; see [RowSecuritySQL].
func (a *App) Migrate(ctx context.Context) ([]bundb.Migration, error) {
	if err := a.DB.Ping(ctx); err != nil {
		return nil, fmt.Errorf("tenon: migrate: %w", err)
	}
	applied, err := a.DB.Migrate(ctx, Schemas(a.cfg.features()...)...)
	if err != nil {
		return applied, fmt.Errorf("tenon: migrate: %w", err)
	}
	if err := a.checkSecured(ctx); err != nil {
		return applied, fmt.Errorf("tenon: migrate: %w", err)
	}
	if err := a.initKeys(ctx); err != nil {
		return applied, fmt.Errorf("tenon: keys: %w", err)
	}
	return applied, nil
}

// ErrPending means that migrations wait to be applied.
var ErrPending = errors.New("tenon: migrations are pending; call Migrate")

// Ready reports whether requests can be served: the database answers, its
// migrations are applied, row security holds where it is on, and its keys can be opened.
func (a *App) Ready(ctx context.Context) error {
	pending, err := a.DB.Pending(ctx, Schemas(a.cfg.features()...)...)
	if err != nil {
		return fmt.Errorf("tenon: ready: %w", err)
	}
	if len(pending) > 0 {
		return ErrPending
	}
	if err := a.checkSecured(ctx); err != nil {
		return fmt.Errorf("tenon: ready: %w", err)
	}
	if err := a.Keys.Check(ctx); err != nil {
		return fmt.Errorf("tenon: ready: %w", err)
	}
	return nil
}
