package tenon

import (
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/auth/unlock"
)

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

func (a *App) wireUnlock() (err error) {
	a.unlockHTTP, err = unlock.NewHandler(a.Auth, unlock.HandlerConfig{BaseURL: a.cfg.BaseURL, ProductName: a.cfg.ProductName})
	return err
}
