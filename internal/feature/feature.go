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
)

// Feature is a part of Tenon that a host chooses. It is made once, holds nothing of
// an App, and may be wired into several.
type Feature interface {
	// Schemas returns the migrations of its tables.
	Schemas() []bundb.Schema
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
	// Caller returns who sent a request that passed the middleware.
	Caller func(r *http.Request) (account.Caller, error)
	// RenewSession makes the browser keep the new token of the session that it has.
	RenewSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
	// OtherWays reports whether a user can sign in by something that is no credential
	// of theirs, such as mailed links.
	OtherWays func(ctx context.Context, user auth.User) (bool, error)
	// NeedsPasskey reports whether a user has turned a second factor on and only a
	// passkey can be it. It joins the transaction of ctx.
	NeedsPasskey func(ctx context.Context, user auth.User) (bool, error)
	// Strengthen is to be called in the transaction in which a user gets a credential
	// that is a second factor.
	Strengthen func(ctx context.Context, user auth.User) error
	// BaseURL, MountPath and ProductName are those of tenon.Config.
	BaseURL, MountPath, ProductName string
	// FreshFor is how long a proof permits what is sensitive.
	FreshFor time.Duration
	Logger   *slog.Logger
	Now      func() time.Time
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
	// Passkeys counts the user's passkeys, for whoever asks for second factors. It
	// joins the transaction of ctx.
	Passkeys func(ctx context.Context, userID string) (int, error)
	// PasskeyScript is the path, relative to the mount, of the script by which a page
	// asks for a passkey.
	PasskeyScript string
}
