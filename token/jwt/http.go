package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// HandlerConfig configures a [Handler]. Its zero value serves the key set only.
type HandlerConfig struct {
	// ThirdPartyAudience names another service that signed-in users may fetch tokens for, with GET token. Defaults to
	// none: there is no such route. It must not be Config.Audience (R16).
	ThirdPartyAudience string
	// TrustedOrigins are further origins whose pages may read the answers with the user's cookies. Defaults to none.
	TrustedOrigins []string
	// Logger gets what went wrong. Defaults to slog.Default().
	Logger *slog.Logger
}

// Handler serves the key set and, where the host wants that, tokens for a third party, relative to where it is mounted.
// It is safe for concurrent use.
type Handler struct {
	svc      *Service
	audience string
	served   http.Handler
}

// NewHandler returns the Handler of svc, or an [ErrConfig] that says what is wrong with cfg.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, fmt.Errorf("jwt: a service is required: %w", ErrConfig)
	}
	if cfg.ThirdPartyAudience != "" && !svc.isThirdParty(cfg.ThirdPartyAudience) {
		return nil, fmt.Errorf("jwt: HandlerConfig.ThirdPartyAudience must be printable and not our own audience: %w", ErrConfig)
	}
	h := &Handler{svc: svc, audience: cfg.ThirdPartyAudience}
	served, err := h.Routes().Handler(route.Config{TrustedOrigins: cfg.TrustedOrigins, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("jwt: routes: %w", errors.Join(err, ErrConfig))
	}
	h.served = served
	return h, nil
}

// ServeHTTP serves the routes of [Handler.Routes].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.served.ServeHTTP(w, r) }

// Routes lists the endpoints. GET token is among them only with HandlerConfig.ThirdPartyAudience.
func (h *Handler) Routes() route.Table {
	table := route.Table{{
		Method: http.MethodGet, Path: "/jwks", Access: route.Public,
		Summary: "The public keys of access tokens, as a JWK Set", Request: empty{}, Response: jwks{}, Handler: h.JWKS,
	}}
	if h.audience == "" {
		return table
	}
	return append(table, route.Route{
		Method: http.MethodGet, Path: "/token", Access: route.User,
		Summary: "A token that tells another service who the user is; it is not accepted here",
		Request: empty{}, Response: minted{}, Handler: h.Token,
	})
}

type empty struct{}

// minted is the one answer that carries a token, shown once and never stored.
type minted struct {
	Token string `json:"token"`
}

// JWKS answers GET jwks with the key set, which may be cached for Config.JWKSMaxAge. The empty set of an installation
// that has not signed anything yet may not.
func (h *Handler) JWKS(w http.ResponseWriter, r *http.Request) {
	if err := route.DecodeQuery(r, &empty{}); err != nil {
		problem.Write(w, r, err)
		return
	}
	set, err := h.svc.keys.current(r.Context())
	if err != nil {
		problem.Write(w, r, fmt.Errorf("jwt: key set: %w", err))
		return
	}
	if len(set.byID) == 0 {
		route.WriteJSON(w, r, http.StatusOK, json.RawMessage(set.jwks))
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(h.svc.cfg.JWKSMaxAge/time.Second)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(set.jwks)))
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(set.jwks)
	}
}

// Token answers GET token with {token} for the user of the session that calls. A key has no session, and who
// impersonates must not become the user elsewhere, where we could not end it (R22): both get 403.
func (h *Handler) Token(w http.ResponseWriter, r *http.Request) {
	caller, err := principal.RequireUser(r.Context())
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	if err == nil && (caller.SessionID == "" || caller.APIKeyID != "" || caller.ImpersonatorID != "") {
		err = problem.ErrForbidden
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	secret, err := h.svc.MintFor(r.Context(), h.audience, caller.UserID)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, minted{Token: secret.Reveal()})
}
