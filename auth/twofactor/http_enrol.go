package twofactor

import (
	"net/http"
	"strconv"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

type enableRequest struct {
	Password string `json:"password" maxLength:"1024" description:"The password of now; accounts without one need a fresh proof"`
	Method   string `json:"method" enum:"totp,otp,passkey" description:"totp is an authenticator app, otp a mailed code where that is offered. Defaults to totp."`
	Issuer   string `json:"issuer" maxLength:"64" description:"What the app calls the product"`
}

type enableResponse struct {
	Method      string   `json:"method" enum:"totp,otp,passkey"`
	TOTPURI     string   `json:"totpURI,omitempty" description:"For the app. Nothing is on before a code of it was verified."`
	BackupCodes []string `json:"backupCodes,omitempty" description:"Recovery codes, shown this once, valid when the factor is on"`
}

// Enable answers POST /two-factor/enable.
func (h *Handler) Enable(w http.ResponseWriter, r *http.Request) {
	var body enableRequest
	var enabled Enabled
	caller, err := h.read(r, &body)
	if err == nil {
		enabled, err = h.svc.Enable(r.Context(), caller, EnableParams{Method: body.Method, Password: body.Password, Issuer: body.Issuer})
	}
	if err == nil && r.Header.Get("Authorization") == "" {
		// The next code is for this, and not for a sign-in that somebody gave up.
		h.cfg.Auth.LeaveChallenge(w)
	}
	route.Respond(w, r, enableResponse{Method: enabled.Method, TOTPURI: enabled.URI.Reveal(), BackupCodes: enabled.RecoveryCodes}, err)
}

type passwordRequest struct {
	Password string `json:"password" maxLength:"1024" description:"The password of now; accounts without one need a fresh proof"`
}

// Disable answers POST /two-factor/disable.
func (h *Handler) Disable(w http.ResponseWriter, r *http.Request) {
	var body passwordRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.Disable(r.Context(), caller, body.Password)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}

type uriResponse struct {
	TOTPURI string `json:"totpURI"`
}

// GetTOTPURI answers POST /two-factor/get-totp-uri.
func (h *Handler) GetTOTPURI(w http.ResponseWriter, r *http.Request) {
	var body passwordRequest
	var uri token.Secret
	caller, err := h.read(r, &body)
	if err == nil {
		_, uri, err = h.svc.Pending(r.Context(), caller, body.Password)
	}
	route.Respond(w, r, uriResponse{TOTPURI: uri.Reveal()}, err)
}

// QR answers GET /two-factor/qr.
func (h *Handler) QR(w http.ResponseWriter, r *http.Request) {
	png, err := h.picture(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	for name, value := range map[string]string{
		"Content-Type": "image/png", "Content-Length": strconv.Itoa(len(png)),
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(png) //nolint:gosec // a picture of our own, said to be one, with nosniff
	}
}

func (h *Handler) picture(r *http.Request) ([]byte, error) {
	var query empty
	if err := route.DecodeQuery(r, &query); err != nil {
		return nil, err
	}
	caller, err := h.cfg.Caller(r)
	if err != nil {
		return nil, err
	}
	if !caller.Fresh {
		return nil, account.ErrNotFresh // a GET has no password
	}
	id, uri, err := h.svc.Pending(r.Context(), caller, "")
	if err != nil {
		return nil, err
	}
	return h.qrs.draw(id, uri)
}

type codesResponse struct {
	Status      bool     `json:"status"`
	BackupCodes []string `json:"backupCodes" description:"Recovery codes, shown this once. The earlier ones are void."`
}

// GenerateBackupCodes answers POST /two-factor/generate-backup-codes.
func (h *Handler) GenerateBackupCodes(w http.ResponseWriter, r *http.Request) {
	var body passwordRequest
	var codes []string
	caller, err := h.read(r, &body)
	if err == nil {
		codes, err = h.svc.GenerateRecoveryCodes(r.Context(), caller, body.Password)
	}
	route.Respond(w, r, codesResponse{Status: true, BackupCodes: codes}, err)
}
