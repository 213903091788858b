package oauthbun

import (
	"context"
	"strings"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/feature"
)

// Feature is signing in by identity providers as a value of tenon.Config. Make it with
// New.
type Feature struct {
	cfg         oauth.Config
	into        **oauth.Service
	intoHandler **oauth.Handler
}

var _ feature.Feature = Feature{}

// New returns the feature for tenon.Config.OAuth. Of cfg, the fields above Auth are the
// host's; tenon.New sets the others, and returns what is wrong with any.
func New(cfg oauth.Config) Feature { return Feature{cfg: cfg} }

// Into returns f for a host whose own code calls the service: tenon.New sets *svc to that
// of the App which it makes.
//
//	var accounts *oauth.Service
//	app, err := tenon.New(tenon.Config{OAuth: oauthbun.New(oauth.Config{…}).Into(&accounts)})
func (f Feature) Into(svc **oauth.Service) Feature {
	f.into = svc
	return f
}

// IntoHandler is Into for the handler: a host's own form that begins a flow keeps the
// browser's part of it by the handler.
func (f Feature) IntoHandler(handler **oauth.Handler) Feature {
	f.intoHandler = handler
	return f
}

// Schemas implements the feature.
func (f Feature) Schemas() []bundb.Schema { return []bundb.Schema{Schema()} }

// Sealed implements the feature.
func (f Feature) Sealed() []crypto.SealedColumn { return Sealed() }

// Wire implements the feature.
func (f Feature) Wire(k feature.Kit) (feature.Wired, error) {
	cfg := f.cfg
	cfg.Auth, cfg.Users, cfg.Sessions, cfg.OtherWays = k.Auth, k.Users, k.Sessions, k.OtherWays
	cfg.Tokens, cfg.Keys, cfg.Logger, cfg.FreshFor, cfg.Now = k.Tokens, k.Keys, k.Logger, k.FreshFor, k.Now
	cfg.Passkeys, cfg.SessionLives = k.Passkeys, k.SessionLives
	cfg.Hooks = oauth.JoinHooks(auditHooks(k.Record), cfg.Hooks)
	cfg.RedirectBase = strings.TrimSuffix(k.BaseURL, "/") + k.MountPath + "/callback/"
	svc, err := oauth.New(NewStore(k.DB), cfg)
	if err != nil {
		return feature.Wired{}, err
	}
	handler, err := oauth.NewHandler(svc, oauth.HandlerConfig{
		BaseURL: k.BaseURL, ProductName: k.ProductName, RedirectTargets: k.RedirectTargets,
		Auth: k.AuthHTTP, Caller: k.Caller, SetSession: k.RenewSession,
	})
	if err != nil {
		return feature.Wired{}, err
	}
	if f.into != nil {
		*f.into = svc
	}
	if f.intoHandler != nil {
		*f.intoHandler = handler
	}
	return feature.Wired{
		Routes: handler.Routes(), Forget: svc.Forget, Maintain: svc.Maintain,
		Ways: svc.Ways, Accounts: svc.Accounts, SignUpProven: svc.SignUpProven,
	}, nil
}

// auditHooks write what happens into the audit trail.
func auditHooks(record func(ctx context.Context, e feature.Event) error) oauth.Hooks {
	const account = "account"
	return oauth.Hooks{
		AccountLinked: func(ctx context.Context, e oauth.Linked) error {
			return record(ctx, feature.Event{
				Action: "authn_token_created", Name: "AccountLinked", ActorID: e.Link.UserID, TargetType: account, TargetID: e.Link.ID,
				Client: e.Client, After: map[string]any{"provider": e.Link.Provider, "automatic": e.Automatic},
			})
		},
		AccountUnlinked: func(ctx context.Context, e oauth.Unlinked) error {
			return record(ctx, feature.Event{
				Action: "authn_token_deleted", Name: "AccountUnlinked", ActorID: e.Link.UserID, TargetType: account, TargetID: e.Link.ID,
				Client: e.Client, After: map[string]any{"provider": e.Link.Provider},
			})
		},
		// Who came back from the provider is not known; UserID is who began.
		SignInRefused: func(ctx context.Context, e oauth.Refused) error {
			return record(ctx, feature.Event{
				Action: "authn_login_fail", Name: "SignInRefused", TargetType: "user", TargetID: e.UserID, Failed: true, Client: e.Client,
				After: map[string]any{"provider": e.Provider, "purpose": e.Purpose, "code": e.Code, "reason": e.Reason},
			})
		},
		GrantEnded: func(ctx context.Context, e oauth.GrantEnded) error {
			return record(ctx, feature.Event{
				Action: "authn_token_revoked", Name: "GrantEnded", TargetType: account, TargetID: e.LinkID,
				After: map[string]any{"provider": e.Provider, "userId": e.UserID},
			})
		},
	}
}
