package tenon

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireSession() error {
	store, err := sessionbun.New(a.DB, sessionbun.Config{User: authbun.SessionJoin(), Member: tenancybun.SessionJoin()})
	if err != nil {
		return err
	}
	a.Sessions, err = session.New(store, session.Config{
		Peppers:       a.Keys,
		AccessTokens:  accessTokens{a.AccessTokens},
		Idle:          a.cfg.SessionIdle,
		Absolute:      a.cfg.SessionAbsolute,
		BrowserOnly:   a.cfg.SessionBrowserOnly,
		Users:         a.users,
		Organizations: a.Organizations,
		Hooks:         a.cfg.SessionHooks,
		Logger:        a.cfg.Logger,
		Now:           a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.sessionHTTP, err = session.NewHandler(a.Sessions, session.HandlerConfig{
		BaseURL: a.cfg.BaseURL, TrustedOrigins: a.cfg.TrustedOrigins, BearerOrigins: a.cfg.BearerOrigins, Logger: a.cfg.Logger,
	})
	return err
}

// sessions lets package auth start sessions without knowing package session.
type sessions struct {
	svc *session.Service
}

// Start implements auth.Sessions.
func (s sessions) Start(ctx context.Context, pass door.Pass) (auth.Grant, error) {
	grant, err := s.svc.Start(ctx, pass)
	if err != nil {
		return auth.Grant{}, err
	}
	return auth.Grant{
		SessionID: grant.Session.ID, Token: grant.Token,
		EndsAt: grant.Session.EndsAt, BrowserOnly: grant.Session.BrowserOnly,
		Access: grant.Pair.Access, AccessEndsAt: grant.Pair.AccessEndsAt,
		Refresh: grant.Pair.Refresh, RefreshEndsAt: grant.Pair.RefreshEndsAt,
	}, nil
}

// EndOthers implements auth.Sessions.
func (s sessions) EndOthers(ctx context.Context, userID, keepID string, newVersion int64) error {
	return s.svc.RevokeUser(ctx, userID, keepID, newVersion)
}

// SetSession makes the browser keep a session that App.Auth started, and ends the
// one that it had before, for hosts that sign users in from pages of their own.
func (a *App) SetSession(w http.ResponseWriter, r *http.Request, grant auth.Grant) {
	a.sessionHTTP.ReplaceSession(w, r, session.Grant{
		Session: session.Session{ID: grant.SessionID, EndsAt: grant.EndsAt, BrowserOnly: grant.BrowserOnly},
		Token:   grant.Token,
	})
}

// SignOut ends the session of the request's cookie and clears it, for hosts that
// sign users out from pages of their own. On an error the cookie stays.
func (a *App) SignOut(w http.ResponseWriter, r *http.Request) error {
	return a.sessionHTTP.EndSession(w, r)
}
