package tenon

import "github.com/tenon-go/tenon/auth/unlock"

func (a *App) wireUnlock() (err error) {
	a.unlockHTTP, err = unlock.NewHandler(a.Auth, unlock.HandlerConfig{BaseURL: a.cfg.BaseURL, ProductName: a.cfg.ProductName})
	return err
}
