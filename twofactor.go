package tenon

import (
	"context"
	"errors"
	"strings"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/session"
)

func (a *App) wireTwoFactor() (err error) {
	a.TwoFactor, err = twofactor.New(a.users, twofactor.Config{
		Auth:     a.Auth,
		Account:  a.Account,
		Sessions: sessions{a.Sessions},
		Keys:     a.Keys,

		DeviceName: session.DeviceName,
		Policy:     a.cfg.TwoFactor,
		Issuer:     issuer(a.cfg.ProductName),
		Passkeys:   passkeys{a},
		Codes:      secondStepCodes{a.Passwordless},
		Now:        a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.twoFactorHTTP, err = twofactor.NewHandler(a.TwoFactor, twofactor.HandlerConfig{
		BaseURL:     a.cfg.BaseURL,
		ProductName: a.cfg.ProductName,
		Auth:        a.authHTTP,
		Caller:      a.Caller,
		SetSession:  a.RenewSession,

		PasskeyScript: a.passkeyScript,
	})
	return err
}

// passkeyScript is where the script of the feature is, which is wired later.
func (a *App) passkeyScript() string {
	for _, wired := range a.features {
		if wired.PasskeyScript != "" {
			return a.cfg.BaseURL + a.cfg.MountPath + wired.PasskeyScript
		}
	}
	return ""
}

// issuer is the product as authenticator apps can call it: the default name has the
// colon of a port.
func issuer(product string) string {
	const longest = 64
	product = strings.ReplaceAll(product, ":", " ")
	for i := range product {
		if i > longest {
			return strings.ToValidUTF8(product[:longest], "")
		}
	}
	return product[:min(len(product), longest)]
}

// secondFactors lets packages auth and account ask package twofactor, which is wired
// after them.
type secondFactors struct{ app *App }

// Factors implements auth.SecondFactors.
func (f secondFactors) Factors(ctx context.Context, userID string) (auth.Factors, error) {
	return f.app.TwoFactor.Factors(ctx, userID)
}

// Trusts implements auth.SecondFactors.
func (f secondFactors) Trusts(ctx context.Context, t auth.TrustedAttempt) (auth.Trust, error) {
	return f.app.TwoFactor.Trusts(ctx, t)
}

// Trust implements auth.SecondFactors.
func (f secondFactors) Trust(ctx context.Context, user auth.User, client auth.Client) (auth.Trust, error) {
	return f.app.TwoFactor.Trust(ctx, user, client)
}

// CheckTOTP implements account.SecondFactors.
func (f secondFactors) CheckTOTP(ctx context.Context, userID, code string) (account.FactorProof, error) {
	return f.app.TwoFactor.CheckTOTP(ctx, userID, code)
}

// CheckRecovery implements account.SecondFactors.
func (f secondFactors) CheckRecovery(ctx context.Context, userID, code string) (account.FactorProof, error) {
	return f.app.TwoFactor.CheckRecovery(ctx, userID, code)
}

// passkeys counts those of a feature that is wired later.
type passkeys struct{ app *App }

// CountPasskeys implements twofactor.Passkeys.
func (p passkeys) CountPasskeys(ctx context.Context, userID string) (n int, err error) {
	for _, wired := range p.app.features {
		if wired.Passkeys != nil {
			return wired.Passkeys(ctx, userID)
		}
	}
	return 0, nil
}

// DropPasskeys implements twofactor.Passkeys.
func (p passkeys) DropPasskeys(ctx context.Context, userID string) error {
	for _, wired := range p.app.features {
		if wired.Passkeys != nil && wired.Forget != nil {
			return wired.Forget(ctx, userID)
		}
	}
	return nil
}

// secondStepCodes are those of package passwordless, with the answers of twofactor.
type secondStepCodes struct{ *passwordless.Service }

// CheckSecondStep implements twofactor.Codes.
func (c secondStepCodes) CheckSecondStep(ctx context.Context, challenge auth.Challenge, code string, client auth.Client) (func(ctx context.Context) error, error) {
	use, err := c.Service.CheckSecondStep(ctx, challenge, code, client)
	if errors.Is(err, passwordless.ErrInvalidCode) {
		return nil, twofactor.ErrInvalidCode
	}
	return use, err
}

// forgetFactors takes the second factor, the passkeys and the choice of notifications from whoever never proved the mailbox, in the
// transaction in which its owner did (rule R4).
func (a *App) forgetFactors(ctx context.Context, e auth.UserVerified) error {
	if err := a.TwoFactor.Forget(ctx, e.User.ID); err != nil {
		return err
	}
	if err := a.Notifications.ForgetPreferences(ctx, e.User.ID); err != nil {
		return err
	}
	return a.features.forget(ctx, e.User.ID)
}
