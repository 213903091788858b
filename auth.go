package tenon

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/crypto"
)

func (a *App) wireAuth() (err error) {
	policy := a.cfg.PasswordPolicy
	policy.Products = append(slices.Clone(policy.Products), a.cfg.ProductName)
	a.Auth, err = auth.New(a.users, auth.Config{
		Keys:      a.Keys,
		Sessions:  sessions{a.Sessions},
		Tokens:    a.tokens,
		Outbox:    a.queue,
		Templates: a.cfg.MailTemplates,
		Passwords: a.cfg.Passwords,

		PasswordPolicy: policy,

		LinkBase:      a.cfg.BaseURL + a.cfg.MountPath,
		SecondFactors: secondFactors{a},
		TokenPurpose:  crypto.PurposeLimit,
		Superuser:     a.cfg.Superuser,
		Hooks: auth.JoinHooks(auth.Hooks{
			UserCreated:       a.createDefaultOrganization,
			BeforeUserDeleted: a.leaveRole,
			UserDeleted:       a.forgetUser,
			UserVerified:      a.forgetFactors,
			OwnerTold:         a.tellOwner,
			TrustReplayed:     a.tellTrustReplayed,
			SignUpProven:      a.signUpProven,
		}, auth.Hooks{BeforeUserDeleted: a.leaveOrganizations}, a.auditAuth(), a.cfg.AuthHooks),
		Logger: a.cfg.Logger,
		Now:    a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.authHTTP, err = auth.NewHandler(a.Auth, auth.HandlerConfig{
		BaseURL:         a.cfg.BaseURL,
		ProductName:     a.cfg.ProductName,
		RedirectTargets: a.cfg.RedirectTargets,
		BearerMode:      true,
		BearerOrigins:   a.cfg.BearerOrigins,
		SetSession:      a.setSessionCookie,

		SecondFactorPage: cmp.Or(a.cfg.Pages.SecondFactor, a.cfg.MountPath+twofactor.PathChallenge),
	})
	return err
}

// Device returns the cookie of a known device that the browser has, for
// auth.SignInParams of hosts that sign in from pages of their own; it may be empty.
func (a *App) Device(r *http.Request) string { return a.authHTTP.Device(r) }

// TrustedDevice returns the cookie of a trusted device that the browser has, for
// auth.SignInParams of hosts that sign in from pages of their own; it may be empty.
func (a *App) TrustedDevice(r *http.Request) string { return a.authHTTP.TrustedDevice(r) }

// Browser returns the token that an earlier sign-up left in the browser, for
// hosts that call App.Auth from pages of their own; it may be empty.
func (a *App) Browser(r *http.Request) string { return a.authHTTP.Browser(r) }

// RememberBrowser leaves the token of a sign-up in the browser: with it, the
// mailed link keeps the password that was typed (rule R5).
func (a *App) RememberBrowser(w http.ResponseWriter, result auth.SignUpResult) {
	a.authHTTP.RememberBrowser(w, result)
}
