package session

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

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
