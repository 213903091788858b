package tenon

import (
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokenbun"
)

func (a *App) wireToken() (err error) {
	a.tokens, err = token.New(tokenbun.New(a.DB), token.Config{
		Peppers: a.Keys,
		Now:     a.DB.Now,
		Logger:  a.cfg.Logger,
	})
	return err
}
