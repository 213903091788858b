package tenon

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/jwt"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
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

// accessTokens lets package session make and read access tokens without knowing
// package jwt.
type accessTokens struct{ svc *jwt.Service }

// Mint implements session.AccessTokens.
func (a accessTokens) Mint(ctx context.Context, claims session.AccessClaims) (token.Secret, error) {
	return a.svc.Mint(ctx, jwt.Claims(claims))
}

// Verify implements session.AccessTokens.
func (a accessTokens) Verify(ctx context.Context, raw string) (session.AccessClaims, error) {
	claims, err := a.svc.Verify(ctx, raw)
	if errors.Is(err, jwt.ErrInvalid) {
		return session.AccessClaims{}, session.ErrNoSession
	}
	return session.AccessClaims(claims), err
}
