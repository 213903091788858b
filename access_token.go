package tenon

import (
	"fmt"

	"github.com/tenon-go/tenon/token/jwt"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
)

// wireAccessTokens makes the service of access tokens, whose issuer and audience
// are this site, and its routes.
func (a *App) wireAccessTokens() (err error) {
	a.AccessTokens, err = jwt.New(jwtbun.New(a.DB), jwt.Config{
		Sealer:   a.Keys,
		Issuer:   a.cfg.BaseURL,
		Audience: a.cfg.BaseURL,
		Now:      a.DB.Now,
		Logger:   a.cfg.Logger,
	})
	if err != nil {
		return err
	}
	a.jwtHTTP, err = jwt.NewHandler(a.AccessTokens, jwt.HandlerConfig{
		ThirdPartyAudience: a.cfg.ThirdPartyAudience,
		TrustedOrigins:     a.cfg.TrustedOrigins,
		Logger:             a.cfg.Logger,
	})
	if err != nil {
		return fmt.Errorf("Config.ThirdPartyAudience: %w", err)
	}
	return nil
}
