package tenon

import "github.com/tenon-go/tenon/auth/recovery"

func (a *App) wireRecovery() (err error) {
	a.Recovery, err = recovery.New(a.users, recovery.Config{
		Users:    a.Auth,
		Tokens:   a.tokens,
		LinkBase: a.cfg.BaseURL + a.cfg.MountPath,
		Now:      a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.recoveryHTTP, err = recovery.NewHandler(a.Recovery, recovery.HandlerConfig{
		BaseURL:         a.cfg.BaseURL,
		ProductName:     a.cfg.ProductName,
		RedirectTargets: a.cfg.RedirectTargets,
	})
	return err
}
