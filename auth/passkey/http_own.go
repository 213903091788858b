package passkey

import (
	"encoding/json"
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
)

type registerQuery struct {
	AuthenticatorAttachment string `json:"authenticatorAttachment" enum:"platform,cross-platform" description:"A hint to the browser"`
	Name                    string `json:"name" maxLength:"128" description:"Accepted; verify-registration takes the name"`
	Context                 string `json:"context" description:"Accepted and ignored"`
}

// RegisterOptions answers GET /passkey/generate-register-options.
func (h *Handler) RegisterOptions(w http.ResponseWriter, r *http.Request) {
	var query registerQuery
	var options CreationOptions
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	if err == nil {
		options, err = h.svc.BeginRegistration(r.Context(), caller, query.AuthenticatorAttachment)
	}
	route.Respond(w, r, options, err)
}

type registerRequest struct {
	Response      json.RawMessage `json:"response" required:"true" description:"The credential that the browser made, as WebAuthn writes it in JSON"`
	Name          string          `json:"name" maxLength:"128" description:"What the user calls the passkey. Defaults to where it is kept."`
	CreateSession *bool           `json:"createSession" description:"Accepted; who registers a passkey is signed in already"`
}

// Register answers POST /passkey/verify-registration.
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) {
	var body registerRequest
	var p Passkey
	caller, err := h.read(r, &body)
	if err == nil {
		p, err = h.svc.Register(r.Context(), caller, body.Response, body.Name)
	}
	route.Respond(w, r, newPasskeyResponse(p), err)
}

// List answers GET /passkey/list-user-passkeys.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	var have []Passkey
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	if err == nil {
		have, err = h.svc.List(r.Context(), caller)
	}
	list := make([]passkeyResponse, len(have))
	for i, p := range have {
		list[i] = newPasskeyResponse(p)
	}
	route.Respond(w, r, list, err)
}

type renameRequest struct {
	ID   string `json:"id" required:"true" maxLength:"64" description:"The passkey"`
	Name string `json:"name" required:"true" maxLength:"128" description:"What the user calls it"`
}

type renameResponse struct {
	Passkey passkeyResponse `json:"passkey"`
}

// Rename answers POST /passkey/update-passkey.
func (h *Handler) Rename(w http.ResponseWriter, r *http.Request) {
	var body renameRequest
	var p Passkey
	caller, err := h.read(r, &body)
	if err == nil {
		p, err = h.svc.Rename(r.Context(), caller, body.ID, body.Name)
	}
	route.Respond(w, r, renameResponse{Passkey: newPasskeyResponse(p)}, err)
}

type deleteRequest struct {
	ID string `json:"id" required:"true" maxLength:"64" description:"The passkey"`
}

// Delete answers POST /passkey/delete-passkey.
func (h *Handler) Delete(w http.ResponseWriter, r *http.Request) {
	var body deleteRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.Delete(r.Context(), caller, body.ID)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}
