package tenon

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireSession() error {
	store, err := sessionbun.New(a.DB, sessionbun.Config{User: authbun.SessionJoin(), Member: tenancybun.SessionJoin()})
	if err != nil {
		return err
	}
	cfg := a.cfg.Sessions
	cfg.Idle = cmp.Or(a.cfg.SessionIdle, cfg.Idle)
	cfg.Absolute = cmp.Or(a.cfg.SessionAbsolute, cfg.Absolute)
	cfg.BrowserOnly = cmp.Or(a.cfg.SessionBrowserOnly, cfg.BrowserOnly)
	cfg.Peppers, cfg.AccessTokens, cfg.Users, cfg.Organizations = a.Keys, accessTokens{a.AccessTokens}, a.users, a.Organizations
	cfg.SecondFactor, cfg.Permissions = a.cfg.SecondFactor, a.permissions()
	cfg.Hooks, cfg.Logger, cfg.Now = session.JoinHooks(a.auditSessions(), a.cfg.SessionHooks), a.cfg.Logger, a.DB.Now
	if a.Sessions, err = session.New(store, cfg); err != nil {
		return err
	}
	finder, err := a.finder()
	if err != nil {
		return err
	}
	a.sessionHTTP, err = session.NewHandler(a.Sessions, session.HandlerConfig{
		Finder: finder, RowSecurity: a.DB.RowSecurity(),
		BaseURL: a.cfg.BaseURL, TrustedOrigins: a.cfg.TrustedOrigins, BearerOrigins: a.cfg.BearerOrigins, Logger: a.cfg.Logger,
		MultiSession: a.cfg.MultiSession, MaxPerBrowser: a.cfg.MaxSessionsPerBrowser,
	})
	return err
}

// permissions returns what says what a role allows, to lookups of sessions, which have
// found the user in the organization. Without row security they pay nothing for it.
func (a *App) permissions() func(ctx context.Context, organizationID, role string, version int64) (principal.Permissions, error) {
	if !a.DB.RowSecurity() {
		return a.Organizations.Permissions
	}
	return func(ctx context.Context, organizationID, role string, version int64) (principal.Permissions, error) {
		return a.Organizations.Permissions(bundb.ForOrganization(ctx, organizationID), organizationID, role, version)
	}
}

// sessions lets package auth start sessions without knowing package session.
type sessions struct {
	svc *session.Service
}

// Start implements auth.Sessions.
func (s sessions) Start(ctx context.Context, pass door.Pass) (auth.Grant, error) {
	grant, err := s.svc.Start(ctx, pass)
	return authGrant(grant), err
}

// Elevate makes the caller's session fresh by what was just proven, and returns
// it with a new token.
func (s sessions) Elevate(ctx context.Context, caller *principal.Principal, proof door.Proof) (auth.Grant, error) {
	grant, err := s.svc.Elevate(ctx, caller, proof)
	return authGrant(grant), err
}

// RecordStepUpFailure counts a failed step-up and says whether it ended the
// caller's session.
func (s sessions) RecordStepUpFailure(ctx context.Context, caller *principal.Principal) (ended bool, err error) {
	return s.svc.RecordStepUpFailure(ctx, caller)
}

// Lives reports whether the session of the caller has not ended since they asked.
func (s sessions) Lives(ctx context.Context, caller *principal.Principal) (bool, error) {
	devices, err := s.svc.List(ctx, caller.UserID, caller.SessionID)
	return slices.ContainsFunc(devices, func(d session.Device) bool { return d.Current }), err
}

func authGrant(g session.Grant) auth.Grant {
	return auth.Grant{
		SessionID: g.Session.ID, Token: g.Token, BrowserOnly: g.Session.BrowserOnly,
		CreatedAt: g.Session.CreatedAt, IdleEndsAt: g.Session.IdleEndsAt, EndsAt: g.Session.EndsAt,
		Access: g.Pair.Access, AccessEndsAt: g.Pair.AccessEndsAt,
		Refresh: g.Pair.Refresh, RefreshEndsAt: g.Pair.RefreshEndsAt,
	}
}

// EndOthers implements auth.Sessions.
func (s sessions) EndOthers(ctx context.Context, userID, keepID string, newVersion int64) error {
	return s.svc.RevokeUser(ctx, userID, keepID, newVersion)
}

// Enter hands what the door answered to the browser, for hosts that sign users in
// from pages of their own, and returns where the browser goes next. It keeps a
// session that was started, and the browser becomes a known device of the user
// (rule R9); the session that it had before ends, unless Config.MultiSession lets it
// wait. Where a second factor is asked for, nobody is signed in yet, and next is the
// page that asks.
func (a *App) Enter(w http.ResponseWriter, r *http.Request, outcome auth.Outcome) (next string) {
	return a.authHTTP.Enter(w, r, outcome)
}

func (a *App) setSessionCookie(w http.ResponseWriter, r *http.Request, grant auth.Grant) {
	a.sessionHTTP.AddSession(w, r, sessionGrant(grant))
}

// RenewSession makes the browser keep the new token of the session that it has,
// after a step-up or a change of the password, and stay a known device of the user.
func (a *App) RenewSession(w http.ResponseWriter, r *http.Request, grant auth.Grant) {
	a.authHTTP.KeepDevice(w, r, grant)
	a.sessionHTTP.SetCookie(w, sessionGrant(grant))
}

func sessionGrant(g auth.Grant) session.Grant {
	return session.Grant{
		Session: session.Session{ID: g.SessionID, EndsAt: g.EndsAt, BrowserOnly: g.BrowserOnly},
		Token:   g.Token,
	}
}

// SignOut ends the session of the request's cookie and clears it, for hosts that
// sign users out from pages of their own. On an error the cookie stays.
func (a *App) SignOut(w http.ResponseWriter, r *http.Request) error {
	return a.sessionHTTP.EndSession(w, r)
}
