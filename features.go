package tenon

import (
	"context"
	"errors"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/feature"
	"github.com/tenon-go/tenon/internal/route"
)

// Feature is a part of Tenon that arrives as a value in Config, so that a host that
// does not use it does not link it. The packages of Tenon make them; passkeybun.New
// is one.
type Feature = feature.Feature

// features returns those of c.
func (c Config) features() []Feature {
	return slices.DeleteFunc([]Feature{c.Passkeys, c.OAuth}, func(f Feature) bool { return f == nil })
}

// features are those of an App, wired.
type features []feature.Wired

func (a *App) wireFeatures() error {
	kit := feature.Kit{
		DB: a.DB, Keys: a.Keys, Auth: a.Auth, AuthHTTP: a.authHTTP, Users: a.users, Sessions: sessions{a.Sessions},
		SessionLives: sessions{a.Sessions}.Lives, Caller: a.Caller, RenewSession: a.RenewSession,
		Tokens: a.tokens, RedirectTargets: a.cfg.RedirectTargets,
		Passkeys: passkeys{a}.CountPasskeys, NeedsPasskey: a.needsPasskey, Strengthen: a.strengthen,
		BaseURL: a.cfg.BaseURL, MountPath: a.cfg.MountPath, ProductName: a.cfg.ProductName,
		Record: a.auditFeature, FreshFor: account.DefaultFreshFor, Logger: a.cfg.Logger, Now: a.DB.Now,
	}
	for i, f := range a.cfg.features() {
		kit.OtherWays = func(ctx context.Context, user auth.User) (bool, error) { return a.otherWays(ctx, user, i) }
		wired, err := f.Wire(kit)
		if err != nil {
			return err
		}
		a.features = append(a.features, wired)
	}
	return nil
}

// otherWays reports whether the user can sign in by mail alone, or by what another
// feature than the one of that index keeps. A link that resets a password is no sign-in:
// it makes a way in, and signs nobody in.
func (a *App) otherWays(ctx context.Context, user auth.User, index int) (bool, error) {
	if user.EmailVerified && !(a.cfg.Passwordless.NoLinks && a.cfg.Passwordless.NoCodes) {
		return true, nil
	}
	for i, wired := range a.features {
		if i == index || wired.Ways == nil {
			continue
		}
		if n, err := wired.Ways(ctx, user.ID); err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// linkedAccounts implements account.Links.
func (a *App) linkedAccounts(ctx context.Context, userID string) ([]account.Account, error) {
	var all []account.Account
	for _, wired := range a.features {
		if wired.Accounts == nil {
			continue
		}
		accounts, err := wired.Accounts(ctx, userID)
		if err != nil {
			return nil, err
		}
		all = append(all, accounts...)
	}
	return all, nil
}

// signUpProven has every feature decide what stays of what it attached to a sign-up.
func (a *App) signUpProven(ctx context.Context, e auth.SignUpProven) error {
	for _, wired := range a.features {
		if wired.SignUpProven == nil {
			continue
		}
		if err := wired.SignUpProven(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// needsPasskey reports whether only a passkey can be the user's second factor.
func (a *App) needsPasskey(ctx context.Context, user auth.User) (bool, error) {
	if user.SecondFactorAt.IsZero() {
		return false, nil
	}
	factors, err := a.TwoFactor.Factors(ctx, user.ID)
	return !factors.TOTP, err
}

// strengthen makes a passkey the second factor in the place of mailed codes.
func (a *App) strengthen(ctx context.Context, user auth.User) error {
	return a.TwoFactor.Strengthen(ctx, user.ID)
}

func (f features) routes() route.Table {
	var table route.Table
	for _, wired := range f {
		table = append(table, wired.Routes...)
	}
	return table
}

// forget has every feature forget a user, in the transaction of ctx.
func (f features) forget(ctx context.Context, userID string) error {
	var errs []error
	for _, wired := range f {
		if wired.Forget != nil {
			errs = append(errs, wired.Forget(ctx, userID))
		}
	}
	return errors.Join(errs...)
}

func (f features) maintain(ctx context.Context) error {
	var errs []error
	for _, wired := range f {
		if wired.Maintain != nil {
			errs = append(errs, wired.Maintain(ctx))
		}
	}
	return errors.Join(errs...)
}
