package session

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// GetSession answers GET get-session with {session, user}, or null where nobody
// is signed in. It never clears the cookie: a late answer about an old one would
// take the new one of another tab along. Here and in every endpoint
// [Handler.Middleware] has to come before.
func (h *Handler) GetSession(w http.ResponseWriter, r *http.Request) {
	if err := route.DecodeQuery(r, &empty{}); err != nil {
		problem.Write(w, r, err)
		return
	}
	if err := LookupError(r.Context()); err != nil {
		problem.Write(w, r, err)
		return
	}
	found, ok := FromContext(r.Context())
	if !ok {
		route.WriteJSON(w, r, http.StatusOK, nil)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, describe(found, true))
}

// ListSessions answers GET list-sessions with an array.
func (h *Handler) ListSessions(w http.ResponseWriter, r *http.Request) {
	caller, err := callerOf(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	devices, err := h.svc.List(r.Context(), caller.UserID, caller.SessionID)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	list := make([]wireSession, 0, len(devices))
	for _, d := range devices {
		list = append(list, newWireSession(d))
	}
	route.WriteJSON(w, r, http.StatusOK, list)
}

// RevokeSession answers POST revoke-session {token}. The session of another user
// and one that never existed are the same 404.
func (h *Handler) RevokeSession(w http.ResponseWriter, r *http.Request) {
	caller, err := callerOf(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	var request revokeRequest
	if err := route.Decode(r, &request); err != nil {
		problem.Write(w, r, err)
		return
	}
	if err := h.svc.Revoke(r.Context(), caller.UserID, request.Token); err != nil {
		problem.Write(w, r, err)
		return
	}
	if request.Token == caller.SessionID {
		h.forget(w, r)
	}
	route.WriteJSON(w, r, http.StatusOK, status{Status: true})
}

// RevokeSessions answers POST revoke-sessions: it ends all of the caller's
// sessions and clears the cookie.
func (h *Handler) RevokeSessions(w http.ResponseWriter, r *http.Request) {
	if h.revokeMany(w, r, func(*principal.Principal) string { return "" }) {
		h.forget(w, r)
		route.WriteJSON(w, r, http.StatusOK, status{Status: true})
	}
}

// RevokeOtherSessions answers POST revoke-other-sessions.
func (h *Handler) RevokeOtherSessions(w http.ResponseWriter, r *http.Request) {
	if h.revokeMany(w, r, func(caller *principal.Principal) string { return caller.SessionID }) {
		route.WriteJSON(w, r, http.StatusOK, status{Status: true})
	}
}

// revokeMany ends the caller's sessions but the one that keep names, and reports
// false where it has answered with a problem.
func (h *Handler) revokeMany(w http.ResponseWriter, r *http.Request, keep func(*principal.Principal) string) bool {
	caller, err := callerOf(r)
	if err == nil {
		err = route.Decode(r, &empty{})
	}
	if err == nil {
		_, err = h.svc.RevokeOthers(r.Context(), caller.UserID, keep(caller))
	}
	if err != nil {
		problem.Write(w, r, err)
		return false
	}
	return true
}

// SignOut answers POST sign-out. It ends the session that the cookie opens, if
// there is one, and clears the cookie, or the session of the access token; the
// browser's other sessions, where it may have some, wait until one is made active.
// It says the same to everybody. During an
// outage it answers 503 and leaves the cookie, so that another try ends the
// session rather than only hiding it.
func (h *Handler) SignOut(w http.ResponseWriter, r *http.Request) {
	if err := route.Decode(r, &empty{}); err != nil {
		problem.Write(w, r, err)
		return
	}
	if err := h.EndSession(w, r); err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, signedOut{Success: true})
}

// EndSession does what SignOut does and leaves the answer to the host, for pages
// of its own. On an error the cookie stays.
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) error {
	if !cookiesCount(r) {
		return h.svc.signOutAccess(r.Context(), bearerToken(r))
	}
	if err := h.svc.SignOut(r.Context(), h.token(r)); err != nil {
		return err
	}
	h.forget(w, r)
	return h.endActor(w, r)
}

// forget clears the cookie of the session that was ended, if it had one.
func (h *Handler) forget(w http.ResponseWriter, r *http.Request) {
	if cookiesCount(r) {
		h.ClearCookie(w)
		h.forgetToken(w, r, h.token(r))
	}
}

// callerOf returns the caller who came with a session. A key has none, and must
// not manage those of people.
func callerOf(r *http.Request) (*principal.Principal, error) {
	if err := CheckUser(r); err != nil {
		return nil, err
	}
	p, ok := principal.FromContext(r.Context())
	if !ok || p.SessionID == "" {
		return nil, problem.ErrForbidden
	}
	return p, nil
}

// refreshRequest holds a refresh token. The token's shape is for the service to
// judge.
type refreshRequest struct {
	RefreshToken string `json:"refreshToken" required:"true" maxLength:"1024" description:"The newest refresh token of the session."`
}

// tokenRoutes are the routes of bearer sessions.
func (h *Handler) tokenRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/token/refresh", Access: route.Public, Limit: route.LimitRefresh,
			Summary: "Exchange a refresh token for the next pair of tokens",
			Request: refreshRequest{}, Response: bearer.Tokens{}, Handler: h.RefreshToken,
		}, {
			Method: http.MethodPost, Path: "/token/revoke", Access: route.Public, Limit: route.LimitRefresh,
			Summary: "End the session of a refresh token",
			Request: refreshRequest{}, Response: signedOut{}, Handler: h.RevokeToken,
		},
	}
}

// RefreshToken answers POST token/refresh {refreshToken} with the next pair of
// tokens. Every token that buys nothing is the same 401. A browser gets an answer
// only on a page of HandlerConfig.BearerOrigins (rule R16).
func (h *Handler) RefreshToken(w http.ResponseWriter, r *http.Request) {
	var request refreshRequest
	err := h.bearers.Check(r)
	if err == nil {
		err = route.Decode(r, &request)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	pair, err := h.svc.Refresh(r.Context(), request.RefreshToken)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, bearer.NewTokens(pair.Access, pair.AccessEndsAt, pair.Refresh, pair.RefreshEndsAt))
}

// RevokeToken answers POST token/revoke {refreshToken}: it ends the token's
// session. It says the same for a token that is none, as RFC 7009 §2.2 asks.
func (h *Handler) RevokeToken(w http.ResponseWriter, r *http.Request) {
	var request refreshRequest
	err := route.Decode(r, &request)
	if err == nil {
		err = h.svc.RevokeRefresh(r.Context(), request.RefreshToken)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, signedOut{Success: true})
}
