package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// actorName is the cookie in which a superuser's own session waits while they act
// as somebody else.
const actorName = "actor"

// freshFor is how old a superuser's proof may be for these routes (rule R22).
const freshFor = 10 * time.Minute

type sessionsOfUser struct {
	UserID string `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
}

type sessionOfUser struct {
	SessionToken string `json:"sessionToken" required:"true" maxLength:"64" description:"The session's id, as list-user-sessions gives it."`
}

type sessionList struct {
	Sessions []wireSession `json:"sessions"`
}

type succeeded struct {
	Success bool `json:"success"`
}

// superuserRoutes are for superusers in person, but for the one that ends an
// impersonation.
func (h *Handler) superuserRoutes() route.Table {
	post := func(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodPost, Path: "/admin/" + path, Access: route.Superuser, Fresh: freshFor,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	stop := post("stop-impersonating", "End acting as a user and go on in the own session", empty{}, sessionAndUser{}, h.StopImpersonating)
	stop.Access, stop.Fresh, stop.Enrolment = route.User, 0, true
	return route.Table{
		post("list-user-sessions", "A user's live sessions", sessionsOfUser{}, sessionList{}, h.ListUserSessions),
		post("revoke-user-session", "End a session, whoever it belongs to", sessionOfUser{}, succeeded{}, h.RevokeUserSession),
		post("revoke-user-sessions", "End all of a user's sessions", sessionsOfUser{}, succeeded{}, h.RevokeUserSessions),
		stop,
	}
}

// ListUserSessions answers POST admin/list-user-sessions.
func (h *Handler) ListUserSessions(w http.ResponseWriter, r *http.Request) {
	var request sessionsOfUser
	err := route.Decode(r, &request)
	var devices []Device
	if err == nil {
		devices, err = h.svc.List(r.Context(), request.UserID, "")
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	list := make([]wireSession, 0, len(devices))
	for _, d := range devices {
		list = append(list, newWireSession(d))
	}
	route.WriteJSON(w, r, http.StatusOK, sessionList{Sessions: list})
}

// RevokeUserSession answers POST admin/revoke-user-session.
func (h *Handler) RevokeUserSession(w http.ResponseWriter, r *http.Request) {
	var request sessionOfUser
	err := route.Decode(r, &request)
	if err == nil {
		err = h.svc.RevokeAny(r.Context(), request.SessionToken)
	}
	succeed(w, r, err)
}

// RevokeUserSessions answers POST admin/revoke-user-sessions.
func (h *Handler) RevokeUserSessions(w http.ResponseWriter, r *http.Request) {
	var request sessionsOfUser
	err := route.Decode(r, &request)
	if err == nil {
		_, err = h.svc.RevokeAll(r.Context(), request.UserID)
	}
	succeed(w, r, err)
}

func succeed(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, succeeded{Success: true})
}

// Impersonate makes the browser go on in a session in which its superuser acts as
// somebody else, and answers with that session and its user. The superuser's own
// session waits in a cookie of its own and is neither ended nor used; without it
// the other one is dead (rule R22).
func (h *Handler) Impersonate(w http.ResponseWriter, r *http.Request, g Grant) {
	identity, err := h.svc.Lookup(r.Context(), g.Token.Reveal())
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.cookies.Set(w, actorName, h.token(r), impersonation)
	h.activate(w, identity.Session, g.Token.Reveal())
	h.answerActive(w, r, *identity)
}

func (h *Handler) answerActive(w http.ResponseWriter, r *http.Request, i Identity) {
	route.WriteJSON(w, r, http.StatusOK, describe(i, true))
}

// StopImpersonating answers POST admin/stop-impersonating: it ends the session in
// which the caller acts as somebody else, and goes on in the caller's own. If that
// has ended meanwhile, the browser is signed out.
func (h *Handler) StopImpersonating(w http.ResponseWriter, r *http.Request) {
	caller, err := callerOf(r)
	if err == nil {
		err = route.Decode(r, &empty{})
	}
	if err == nil && caller.ImpersonatorID == "" {
		err = ErrNotImpersonating
	}
	if err == nil {
		err = h.svc.Revoke(r.Context(), caller.UserID, caller.SessionID)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.resume(w, r, caller)
}

// resume makes the session that waits active again, if it is the impersonator's.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, caller *principal.Principal) {
	raw := h.cookies.Get(r, actorName)
	h.cookies.Clear(w, actorName)
	own, err := h.svc.Lookup(r.Context(), raw)
	if err == nil && own.User.ID != caller.ImpersonatorID {
		err = ErrNoSession
	}
	if err != nil {
		if errors.Is(err, ErrNoSession) {
			h.ClearCookie(w)
		}
		problem.Write(w, r, err)
		return
	}
	h.activate(w, own.Session, raw)
	h.answerActive(w, r, *own)
}

// endActor ends the session of a superuser who signs out while acting as somebody
// else: signing out means out.
func (h *Handler) endActor(w http.ResponseWriter, r *http.Request) error {
	raw := h.cookies.Get(r, actorName)
	if raw == "" {
		return nil
	}
	if err := h.svc.SignOut(r.Context(), raw); err != nil {
		return err
	}
	h.cookies.Clear(w, actorName)
	return nil
}
