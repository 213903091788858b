package tenon

import (
	"net/http"

	"github.com/tenon-go/tenon/auth/passwordless"
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
	})
	return err
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
