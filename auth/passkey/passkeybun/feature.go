package passkeybun

import (
	"context"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/feature"
)

// Feature is passkeys as a value of tenon.Config. Make it with New.
type Feature struct {
	cfg  passkey.Config
	into **passkey.Service
}

var _ feature.Feature = Feature{}

// New returns passkeys for tenon.Config.Passkeys. Of cfg, the fields above Auth are
// the host's; tenon.New sets the others, and returns what is wrong with any.
func New(cfg passkey.Config) Feature { return Feature{cfg: cfg} }

// Into returns f for a host whose own code calls the service: tenon.New sets *svc to
// that of the App which it makes.
//
//	var passkeys *passkey.Service
//	app, err := tenon.New(tenon.Config{Passkeys: passkeybun.New(passkey.Config{}).Into(&passkeys)})
func (f Feature) Into(svc **passkey.Service) Feature {
	f.into = svc
	return f
}

// Schemas implements the feature.
func (f Feature) Schemas() []bundb.Schema { return []bundb.Schema{Schema()} }

// Sealed implements the feature: nothing in the tables is secret.
func (f Feature) Sealed() []crypto.SealedColumn { return nil }

// Wire implements the feature.
func (f Feature) Wire(k feature.Kit) (feature.Wired, error) {
	cfg := f.cfg
	cfg.Auth, cfg.Users, cfg.Sessions, cfg.OtherWays = k.Auth, k.Users, k.Sessions, k.OtherWays
	cfg.NeedsPasskey, cfg.Strengthen = k.NeedsPasskey, k.Strengthen
	cfg.Hooks = passkey.JoinHooks(auditHooks(k.Record), cfg.Hooks)
	cfg.BaseURL, cfg.ProductName, cfg.FreshFor, cfg.Now = k.BaseURL, k.ProductName, k.FreshFor, k.Now
	svc, err := passkey.New(NewStore(k.DB), cfg)
	if err != nil {
		return feature.Wired{}, err
	}
	handler, err := passkey.NewHandler(svc, passkey.HandlerConfig{
		BaseURL: k.BaseURL, Auth: k.AuthHTTP, Caller: k.Caller, SetSession: k.RenewSession,
	})
	if err != nil {
		return feature.Wired{}, err
	}
	if f.into != nil {
		*f.into = svc
	}
	return feature.Wired{
		Routes: handler.Routes(), Forget: svc.Forget, Maintain: svc.Maintain, Ways: svc.Count, Passkeys: svc.Count, PasskeyScript: passkey.PathScript,
	}, nil
}

// auditHooks write what happens into the audit trail.
func auditHooks(record func(ctx context.Context, e feature.Event) error) passkey.Hooks {
	about := func(action, name string, p passkey.Passkey) feature.Event {
		return feature.Event{
			Action: action, Name: name, ActorID: p.UserID, TargetType: "passkey", TargetID: p.ID,
			After: map[string]any{"name": p.Name, "aaguid": p.AAGUID.String()},
		}
	}
	return passkey.Hooks{
		PasskeyAdded: func(ctx context.Context, e passkey.Added) error {
			event := about("authn_token_created", "PasskeyAdded", e.Passkey)
			event.Client = e.Client
			return record(ctx, event)
		},
		PasskeyRemoved: func(ctx context.Context, e passkey.Removed) error {
			event := about("authn_token_deleted", "PasskeyRemoved", e.Passkey)
			event.Client = e.Client
			return record(ctx, event)
		},
		// Which of the two authenticators is the user's, nobody knows.
		PasskeyCloned: func(ctx context.Context, e passkey.Cloned) error {
			event := about("authn_token_reuse", "PasskeyCloned", e.Passkey)
			event.ActorID, event.Client, event.Failed = "", e.Client, true
			event.After["userId"], event.After["counter"] = e.Passkey.UserID, e.Counter
			return record(ctx, event)
		},
	}
}
