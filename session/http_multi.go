package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// multiName is followed by the id of a session that the browser has, active or
// not; the cookie's value is its token. The active one is in cookieName as well,
// so that making another one active writes one cookie and loses none, whatever
// order the answers of several tabs arrive in.
const multiName = "session_multi-"

const (
	defaultPerBrowser = 5
	maxPerBrowser     = 20
)

func (c *HandlerConfig) maxBrowser() (int, error) {
	n := cmp.Or(c.MaxPerBrowser, defaultPerBrowser)
	switch {
	case n < 2 || n > maxPerBrowser:
		return 0, fmt.Errorf("session: HandlerConfig.MaxPerBrowser must be between 2 and %d", maxPerBrowser)
	case !c.MultiSession:
		return 0, nil
	}
	return n, nil
}

// multiRequest names a session by what lists call its token.
type multiRequest struct {
	SessionToken string `json:"sessionToken" required:"true" maxLength:"64" description:"The session's id, as list-device-sessions gives it."`
}

func (h *Handler) multiRoutes() route.Table {
	if h.maxBrowser == 0 {
		return nil
	}
	return route.Table{
		{
			Method: http.MethodGet, Path: "/multi-session/list-device-sessions", Access: route.Public, Enrolment: true,
			Summary: "The sessions of this browser, one per user, the active one first",
			Request: empty{}, Response: []sessionAndUser{}, Handler: h.ListDeviceSessions,
		}, {
			Method: http.MethodPost, Path: "/multi-session/set-active", Access: route.Public, Enrolment: true,
			Summary: "Make another session of this browser the active one",
			Request: multiRequest{}, Response: sessionAndUser{}, Handler: h.SetActive,
		}, {
			Method: http.MethodPost, Path: "/multi-session/revoke", Access: route.User, Enrolment: true,
			Summary: "End a session of this browser; after the active one, another becomes active",
			Request: multiRequest{}, Response: status{}, Handler: h.RevokeDeviceSession,
		},
	}
}

// held is a live session of the request's browser.
type held struct {
	Identity
	raw    string
	active bool
}

func (s held) wire() sessionAndUser { return describe(s.Identity, s.active) }

// tokens returns what the request's cookies hold, the active one first, the
// others by their sessions' age. A cookie that is there twice, whose name has no
// id, or whose value is no token of ours is ignored without I/O. So are those in
// excess of twice what a browser may have: nobody gets more lookups than that
// out of one request.
func (h *Handler) tokens(r *http.Request) []held {
	if !cookiesCount(r) {
		return nil
	}
	list := []held{{raw: h.token(r), active: true}}
	seen := map[string]bool{}
	for _, c := range r.Cookies() {
		id, ours := strings.CutPrefix(c.Name, h.cookies.Name(multiName))
		if !ours || seen[id] || uuid.Validate(id) != nil {
			continue
		}
		seen[id] = true
		waiting := held{raw: h.cookies.Get(r, multiName+id)}
		waiting.Session.ID = id
		list = append(list, waiting)
	}
	list = slices.DeleteFunc(list, func(s held) bool {
		_, err := token.Parse(Kind, s.raw)
		return err != nil
	})
	slices.SortStableFunc(list, func(a, b held) int { return cmp.Compare(a.Session.ID, b.Session.ID) })
	return list[:min(len(list), 2*h.maxBrowser)]
}

// browser returns the live sessions that the request's cookies open, the active
// one first if there is one. It records no use of them. A cookie counts only
// under the id of its own session.
func (h *Handler) browser(r *http.Request) ([]held, error) {
	var list []held
	for _, s := range h.tokens(r) {
		found, err := h.svc.find(r.Context(), s.raw)
		switch {
		case errors.Is(err, ErrNoSession):
			continue
		case err != nil:
			return nil, err
		case !found.Session.Live(h.svc.now()) || !s.active && s.Session.ID != found.Session.ID:
			continue
		case slices.ContainsFunc(list, func(other held) bool { return other.Session.ID == found.Session.ID }):
			continue
		}
		h.svc.scope(&found, h.svc.now())
		list = append(list, held{Identity: found.Identity, raw: s.raw, active: s.active})
	}
	return list, nil
}

// ListDeviceSessions answers GET multi-session/list-device-sessions with an array
// of {session, user}, which is empty where nobody is signed in.
func (h *Handler) ListDeviceSessions(w http.ResponseWriter, r *http.Request) {
	if err := route.DecodeQuery(r, &empty{}); err != nil {
		problem.Write(w, r, err)
		return
	}
	list, err := h.browser(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	answer, users := make([]sessionAndUser, 0, len(list)), map[string]bool{}
	for _, s := range list {
		if !users[s.User.ID] {
			answer, users[s.User.ID] = append(answer, s.wire()), true
		}
	}
	route.WriteJSON(w, r, http.StatusOK, answer)
}

// SetActive answers POST multi-session/set-active {sessionToken} with the session
// that is active from now on, and its user. It picks among this browser's cookies
// only (rule R16): everything else is ErrNotInBrowser.
func (h *Handler) SetActive(w http.ResponseWriter, r *http.Request) {
	_, chosen, err := h.pick(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	// The session that was active has its cookie already, unless it is from before
	// this browser could have several.
	if active, ok := FromContext(r.Context()); ok && active.Session.ID != chosen.Session.ID {
		h.cookies.Set(w, multiName+active.Session.ID, h.token(r), h.cookieLife(active.Session))
	}
	h.activate(w, chosen.Session, chosen.raw)
	chosen.active = true
	route.WriteJSON(w, r, http.StatusOK, chosen.wire())
}

// RevokeDeviceSession answers POST multi-session/revoke {sessionToken}. It ends a
// session of this browser. Where that was the active one, the one used last
// becomes active.
func (h *Handler) RevokeDeviceSession(w http.ResponseWriter, r *http.Request) {
	if _, err := callerOf(r); err != nil {
		problem.Write(w, r, err)
		return
	}
	others, chosen, err := h.pick(r)
	if err == nil {
		err = h.svc.endEach(r.Context(), chosen)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.cookies.Clear(w, multiName+chosen.Session.ID)
	switch {
	case !chosen.active:
	case len(others) == 0:
		h.ClearCookie(w)
	default:
		next := slices.MaxFunc(others, func(a, b held) int { return a.Session.LastSeenAt.Compare(b.Session.LastSeenAt) })
		h.activate(w, next.Session, next.raw)
	}
	route.WriteJSON(w, r, http.StatusOK, status{Status: true})
}

// pick returns the browser's session that the request's body names, and the
// others.
func (h *Handler) pick(r *http.Request) (others []held, chosen held, err error) {
	var request multiRequest
	if err := route.Decode(r, &request); err != nil {
		return nil, held{}, err
	}
	list, err := h.browser(r)
	if err != nil {
		return nil, held{}, err
	}
	i := slices.IndexFunc(list, func(s held) bool { return s.Session.ID == request.SessionToken })
	if i < 0 {
		return nil, held{}, ErrNotInBrowser
	}
	chosen = list[i]
	return slices.Delete(list, i, i+1), chosen, nil
}

// AddSession is SetCookie for a browser that signs in. Without
// HandlerConfig.MultiSession it is [Handler.ReplaceSession]. With it, the
// browser's sessions of other users stay, the oldest in excess of the limit
// excepted; one of the same user ends (ASVS 7.2.4). What has to end does so in
// one transaction. That it fails must not undo the new session; it is logged.
func (h *Handler) AddSession(w http.ResponseWriter, r *http.Request, g Grant) {
	if h.maxBrowser == 0 || g.Token.IsZero() {
		h.ReplaceSession(w, r, g)
		return
	}
	if err := h.makeRoom(w, r, g); err != nil {
		h.svc.cfg.Logger.WarnContext(r.Context(), "session: the browser's earlier sessions were not ended", "error", err)
	}
	h.SetCookie(w, g)
}

// makeRoom ends what the new session leaves no place for.
func (h *Handler) makeRoom(w http.ResponseWriter, r *http.Request, g Grant) error {
	started, err := h.svc.find(r.Context(), g.Token.Reveal())
	if err != nil {
		return err
	}
	list, err := h.browser(r)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b held) int { return b.Session.CreatedAt.Compare(a.Session.CreatedAt) })
	var doomed []held
	places := h.maxBrowser - 1
	for _, s := range list {
		if s.User.ID == started.User.ID || places == 0 {
			doomed = append(doomed, s)
			continue
		}
		places--
		if s.active { // perhaps from before this browser could have several
			h.cookies.Set(w, multiName+s.Session.ID, s.raw, h.cookieLife(s.Session))
		}
	}
	if err := h.svc.endEach(r.Context(), doomed...); err != nil {
		return err
	}
	h.forgetDead(w, r, list, doomed)
	return nil
}

// forgetDead clears the cookies of sessions that are over: of the doomed, and all
// that opened nothing.
func (h *Handler) forgetDead(w http.ResponseWriter, r *http.Request, live, doomed []held) {
	has := func(list []held, id string) bool {
		return slices.ContainsFunc(list, func(s held) bool { return s.Session.ID == id })
	}
	for _, c := range r.Cookies() {
		id, ours := strings.CutPrefix(c.Name, h.cookies.Name(multiName))
		if ours && (has(doomed, id) || !has(live, id)) {
			h.cookies.Clear(w, multiName+id)
		}
	}
}

// forgetToken clears the cookie that holds raw besides the active session's.
func (h *Handler) forgetToken(w http.ResponseWriter, r *http.Request, raw string) {
	if h.maxBrowser == 0 || raw == "" {
		return
	}
	for _, c := range r.Cookies() {
		if id, ours := strings.CutPrefix(c.Name, h.cookies.Name(multiName)); ours && c.Value == raw {
			h.cookies.Clear(w, multiName+id)
		}
	}
}

// endEach ends sessions of several users in one transaction.
func (s *Service) endEach(ctx context.Context, list ...held) error {
	if len(list) == 0 {
		return nil
	}
	return s.store.InTx(ctx, func(ctx context.Context) error {
		for _, one := range list {
			if _, err := s.end(ctx, Ending{UserID: one.Session.UserID, ID: one.Session.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}
