package account

import (
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/bearer"
	"github.com/tenon-go/tenon/internal/route"
)

// renew hands the caller's session its new token: in the cookie, or, for a bearer's,
// as the pair that is returned for the body (rule R16).
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, g auth.Grant) *bearer.Tokens {
	if g.Bearer() {
		tokens := bearer.NewTokens(g.Access, g.AccessEndsAt, g.Refresh, g.RefreshEndsAt)
		return &tokens
	}
	h.cfg.SetSession(w, r, g)
	return nil
}

type changePasswordRequest struct {
	NewPassword         string `json:"newPassword" required:"true" maxLength:"1024" description:"8 to 256 characters"`
	CurrentPassword     string `json:"currentPassword" required:"true" maxLength:"1024" description:"The password of now"`
	RevokeOtherSessions *bool  `json:"revokeOtherSessions" description:"Accepted; the other sessions always end"`
}

// changePasswordResponse is the official client's. The new token is in the cookie.
type changePasswordResponse struct {
	Token *string           `json:"token"`
	User  auth.UserResponse `json:"user"`
	*bearer.Tokens
}

// ChangePassword answers POST /change-password.
func (h *Handler) ChangePassword(w http.ResponseWriter, r *http.Request) {
	var body changePasswordRequest
	var user auth.User
	var grant auth.Grant
	caller, err := h.read(r, &body)
	if err == nil {
		user, grant, err = h.svc.ChangePassword(r.Context(), caller, PasswordParams{Current: body.CurrentPassword, New: body.NewPassword})
	}
	response := changePasswordResponse{User: auth.NewUserResponse(user)}
	if err == nil {
		response.Tokens = h.renew(w, r, grant)
	}
	route.Respond(w, r, response, err)
}

type setPasswordRequest struct {
	NewPassword string `json:"newPassword" required:"true" maxLength:"1024" description:"8 to 256 characters"`
}

// SetPassword answers POST /set-password.
func (h *Handler) SetPassword(w http.ResponseWriter, r *http.Request) {
	var body setPasswordRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.SetPassword(r.Context(), caller, body.NewPassword)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}

type verifyPasswordRequest struct {
	Password string `json:"password" required:"true" maxLength:"1024" description:"The password of now"`
}

// VerifyPassword answers POST /verify-password.
func (h *Handler) VerifyPassword(w http.ResponseWriter, r *http.Request) {
	var body verifyPasswordRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.VerifyPassword(r.Context(), caller, body.Password)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}

type stepUpRequest struct {
	Password string `json:"password" maxLength:"1024" description:"The password of now"`
	Code     string `json:"code" maxLength:"64" description:"A mailed code, for accounts that have nothing stronger"`
	TOTPCode string `json:"totpCode" maxLength:"64" description:"A code of the authenticator app"`

	BackupCode string `json:"backupCode" maxLength:"100" description:"A recovery code"`
}

type stepUpResponse struct {
	FreshUntil route.Time `json:"freshUntil" description:"Until then the proof permits what is sensitive"`
	*bearer.Tokens
}

// StepUp answers POST /step-up.
func (h *Handler) StepUp(w http.ResponseWriter, r *http.Request) {
	var body stepUpRequest
	var result StepUpResult
	caller, err := h.read(r, &body)
	if err == nil {
		result, err = h.svc.StepUp(r.Context(), caller, StepUpParams(body))
	}
	response := stepUpResponse{FreshUntil: route.NewTime(result.FreshUntil)}
	if err == nil {
		response.Tokens = h.renew(w, r, result.Grant)
	}
	route.Respond(w, r, response, err)
}
