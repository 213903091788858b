package twofactor

import (
	"context"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type verifyRequest struct {
	Code           string `json:"code" required:"true" maxLength:"100" description:"The code, as it is read"`
	TrustDevice    bool   `json:"trustDevice" description:"Asks not to be asked again in this browser"`
	ChallengeToken string `json:"challengeToken" maxLength:"200" description:"What the first factor answered, for bearer clients"`
}

// VerifyTOTP answers POST /two-factor/verify-totp.
func (h *Handler) VerifyTOTP(w http.ResponseWriter, r *http.Request) {
	h.verify(w, r, auth.MethodTOTP, h.svc.VerifyInSession)
}

// VerifyBackupCode answers POST /two-factor/verify-backup-code.
func (h *Handler) VerifyBackupCode(w http.ResponseWriter, r *http.Request) {
	h.verify(w, r, auth.MethodRecovery, h.svc.RecoverInSession)
}

// VerifyOTP answers POST /two-factor/verify-otp. A mailed code makes no session fresh
// (rule R12).
func (h *Handler) VerifyOTP(w http.ResponseWriter, r *http.Request) {
	h.verify(w, r, auth.MethodMailCode, func(context.Context, account.Caller, string) (auth.User, auth.Grant, error) {
		return auth.User{}, auth.Grant{}, ErrMailCodeNotOffered
	})
}

// proveAgain takes a code from somebody who is signed in.
type proveAgain func(ctx context.Context, c account.Caller, code string) (auth.User, auth.Grant, error)

// verify takes a code for the sign-in that the request continues, or, where there is
// none, for the session that it has.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, method string, again proveAgain) {
	var body verifyRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	challenge, _, err := h.cfg.Auth.Challenge(r, body.ChallengeToken)
	if errors.Is(err, auth.ErrNoChallenge) && body.ChallengeToken == "" {
		h.verifyInSession(w, r, body.Code, again)
		return
	}
	var met Met
	if err == nil {
		met, err = h.svc.Meet(r.Context(), challenge, MeetParams{
			Method: method, Code: body.Code, TrustDevice: body.TrustDevice, Device: h.cfg.Auth.Device(r), Client: auth.ClientOf(r),
		})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if !challenge.Bearer {
		h.cfg.Auth.LeaveChallenge(w)
	}
	h.cfg.Auth.Answer(w, r, auth.Answer{User: met.User, Outcome: met.Outcome})
}

func (h *Handler) verifyInSession(w http.ResponseWriter, r *http.Request, code string, again proveAgain) {
	caller, err := h.cfg.Caller(r)
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.PermissionDenied:
		err = auth.ErrNoChallenge
	}
	var user auth.User
	var grant auth.Grant
	if err == nil {
		user, grant, err = again(r.Context(), caller, code)
	}
	response := auth.SignInResponse{User: auth.NewUserResponse(user)}
	if err == nil {
		response.Tokens = h.renew(w, r, grant)
	}
	route.Respond(w, r, response, err)
}

type sendRequest struct {
	ChallengeToken string `json:"challengeToken" maxLength:"200" description:"What the first factor answered, for bearer clients"`
}

// SendOTP answers POST /two-factor/send-otp.
func (h *Handler) SendOTP(w http.ResponseWriter, r *http.Request) {
	var body sendRequest
	err := route.Decode(r, &body)
	var challenge auth.Challenge
	if err == nil {
		challenge, _, err = h.cfg.Auth.Challenge(r, body.ChallengeToken)
	}
	if err == nil {
		err = h.svc.SendCode(r.Context(), challenge, auth.ClientOf(r))
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}
