package tenon

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func (a *App) wirePasswordless() (err error) {
	a.Passwordless, err = passwordless.New(a.users, passwordless.Config{
		Users:    a.Auth,
		Tokens:   a.tokens,
		Peppers:  a.Keys,
		LinkBase: a.cfg.BaseURL + a.cfg.MountPath,
		Policy:   a.cfg.Passwordless,
		Now:      a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.passwordlessHTTP, err = passwordless.NewHandler(a.Passwordless, passwordless.HandlerConfig{
		BaseURL:         a.cfg.BaseURL,
		ProductName:     a.cfg.ProductName,
		RedirectTargets: a.cfg.RedirectTargets,
		Auth:            a.authHTTP,
		Owner:           a.owner,
		MoveTo:          a.moveTo,
		FreshFor:        account.DefaultFreshFor,
	})
	return err
}

// owner is the signed-in user as package passwordless knows one: in a session of
// their own.
func (a *App) owner(r *http.Request) (passwordless.Owner, error) {
	caller, err := a.Caller(r)
	if err != nil {
		return passwordless.Owner{}, err
	}
	p := caller.Principal
	if p.SessionID == "" || p.APIKeyID != "" || p.ImpersonatorID != "" {
		return passwordless.Owner{}, problem.ErrForbidden
	}
	return passwordless.Owner{
		UserID: p.UserID, SessionID: p.SessionID, SecurityVersion: caller.SecurityVersion, Client: caller.Client,
	}, nil
}

// moveTo gives the account of who sent r another address.
func (a *App) moveTo(r *http.Request, to auth.Address, consume func(ctx context.Context) error) error {
	caller, err := a.Caller(r)
	if err != nil {
		return err
	}
	_, err = a.Account.MoveTo(r.Context(), caller, to, consume)
	return err
}

// stepUpCodes lets package account check codes that package passwordless mails,
// which is wired after it.
type stepUpCodes struct{ app *App }

// CheckStepUpCode implements account.Codes.
func (c stepUpCodes) CheckStepUpCode(ctx context.Context, userID, sessionID, code string) error {
	return c.app.Passwordless.CheckStepUpCode(ctx, userID, sessionID, code)
}

// Flow returns the flow that an earlier request for a link or a code left in the
// browser, for hosts that call App.Passwordless from pages of their own; it may be
// empty.
func (a *App) Flow(r *http.Request) string { return a.passwordlessHTTP.Flow(r) }

// KeepFlow leaves a flow in the browser: the code that was asked for works there
// only (rule R10).
func (a *App) KeepFlow(w http.ResponseWriter, flow token.Secret) {
	a.passwordlessHTTP.KeepFlow(w, flow)
}
