// Package feature is how a part of Tenon arrives as a value in tenon.Config, so that
// a host that leaves it nil links nothing of it and has neither its routes nor its
// tables.
package feature

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
)

// Feature is a part of Tenon that a host chooses. It is made once, holds nothing of
// an App, and may be wired into several.
type Feature interface {
	// Schemas returns the migrations of its tables.
	Schemas() []bundb.Schema
	// Sealed lists the columns that hold sealed values, for re-encryption.
	Sealed() []crypto.SealedColumn
	// Wire puts it together with the parts of an App. It does no I/O and starts
	// nothing.
	Wire(k Kit) (Wired, error)
}

// Kit is what an App lends to its features. Every field is set.
type Kit struct {
	DB   *bundb.DB
	Keys *crypto.Keyring
	// Auth is the service of the users, AuthHTTP what answers sign-ins, and Users the
	// users themselves.
	Auth     *auth.Service
	AuthHTTP *auth.Handler
	Users    account.Store
	// Sessions renews sessions in which somebody proved something again.
	Sessions account.Sessions
	// SessionLives reports whether the session of a caller has not ended since they asked.
	// It joins the transaction of ctx.
	SessionLives func(ctx context.Context, caller *principal.Principal) (bool, error)
	// Caller returns who sent a request that passed the middleware.
	Caller func(r *http.Request) (account.Caller, error)
	// RenewSession makes the browser keep the new token of the session that it has.
	RenewSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
	// OtherWays reports whether a user can sign in by something that is neither a
	// password nor what this feature keeps: mailed links, or the ways of other features.
	// It joins the transaction of ctx.
	OtherWays func(ctx context.Context, user auth.User) (bool, error)
	// Passkeys counts a user's passkeys, whichever feature keeps them. It joins the
	// transaction of ctx.
	Passkeys func(ctx context.Context, userID string) (int, error)
	// NeedsPasskey reports whether a user has turned a second factor on and only a
	// passkey can be it. It joins the transaction of ctx.
	NeedsPasskey func(ctx context.Context, user auth.User) (bool, error)
	// Strengthen is to be called in the transaction in which a user gets a credential
	// that is a second factor.
	Strengthen func(ctx context.Context, user auth.User) error
	// Tokens issues and consumes secrets that are good once.
	Tokens *token.Service
	// RedirectTargets are where browsers may be sent, besides the own site.
	RedirectTargets []string
	// Record writes what a feature's hooks tell into the audit trail, in the transaction of
	// ctx. It does nothing where there is no trail.
	Record func(ctx context.Context, e Event) error
	// BaseURL, MountPath and ProductName are those of tenon.Config.
	BaseURL, MountPath, ProductName string
	// FreshFor is how long a proof permits what is sensitive.
	FreshFor time.Duration
	Logger   *slog.Logger
	Now      func() time.Time
}

// Event is what a feature's hook tells, for the audit trail. Nothing in it is secret.
type Event struct {
	// Action is a name of the OWASP logging vocabulary, Name that of the hook.
	Action, Name string
	// ActorID is the user who did it, empty for the caller of ctx or where nobody is
	// known.
	ActorID string
	// TargetType and TargetID are what it was done to.
	TargetType, TargetID string
	// Failed says that it did not succeed.
	Failed bool
	Client auth.Client
	// After is what there is to know of it besides.
	After map[string]any
}

// Wired is a feature in an App. Fields may be nil.
type Wired struct {
	Routes route.Table
	// Forget deletes what the feature keeps about a user, in the transaction of ctx:
	// because the user is deleted, or because what hung on an account goes when its
	// mailbox is proven for the first time (rule R4).
	Forget func(ctx context.Context, userID string) error
	// Maintain deletes what has run out, in batches.
	Maintain func(ctx context.Context) error
	// Ways counts the ways to sign in that the feature keeps for a user. It joins the
	// transaction of ctx.
	Ways func(ctx context.Context, userID string) (int, error)
	// Accounts returns the user's accounts at identity providers, in the order in which
	// they were linked.
	Accounts func(ctx context.Context, userID string) ([]account.Account, error)
	// SignUpProven decides what stays of what the feature attached to a sign-up, in the
	// transaction that proves its address.
	SignUpProven func(ctx context.Context, e auth.SignUpProven) error
	// Passkeys counts the user's passkeys, for whoever asks for second factors. It
	// joins the transaction of ctx.
	Passkeys func(ctx context.Context, userID string) (int, error)
	// PasskeyScript is the path, relative to the mount, of the script by which a page
	// asks for a passkey.
	PasskeyScript string
}
