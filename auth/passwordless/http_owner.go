package passwordless

import (
	"context"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// owner returns the signed-in user who sent r.
func (h *Handler) owner(r *http.Request) (Owner, error) {
	if h.cfg.Owner == nil {
		return Owner{}, ErrPurpose
	}
	return h.cfg.Owner(r)
}

// sendStepUp mails the signed-in user a code for the step-up. The address must be
// theirs: another one means that the client believes somebody else is signed in.
func (h *Handler) sendStepUp(w http.ResponseWriter, r *http.Request, email string) {
	address, err := auth.ParseAddress(email)
	var owner Owner
	if err == nil {
		owner, err = h.owner(r)
	}
	var user auth.User
	if err == nil {
		user, err = h.svc.user(r.Context(), owner)
	}
	if err == nil && user.Email != address.Key {
		err = problem.ErrForbidden
	}
	if err == nil {
		err = h.svc.SendStepUp(r.Context(), owner)
	}
	h.succeed(w, r, err)
}

func (h *Handler) succeed(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, successResponse{Success: true})
}

type requestEmailRequest struct {
	NewEmail  string `json:"newEmail" required:"true" maxLength:"254" description:"The address to move to"`
	OTP       string `json:"otp" maxLength:"32" description:"The code of type email-verification that was mailed to the present address"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"What the request for that code answered, for clients without cookies"`
}

// RequestEmail answers POST /email-otp/request-email-change.
func (h *Handler) RequestEmail(w http.ResponseWriter, r *http.Request) {
	var body requestEmailRequest
	var owner Owner
	err := route.Decode(r, &body)
	if err == nil {
		owner, err = h.owner(r)
	}
	if err == nil {
		err = h.svc.RequestEmail(r.Context(), RequestEmailParams{
			Owner: owner, NewEmail: body.NewEmail, Code: body.OTP, Flow: h.flowOf(r, body.FlowToken),
		})
	}
	h.succeed(w, r, err)
}

type changeEmailRequest struct {
	NewEmail string `json:"newEmail" required:"true" maxLength:"254" description:"The address to move to"`
	OTP      string `json:"otp" required:"true" maxLength:"32" description:"The code that was mailed there"`
}

// ChangeEmail answers POST /email-otp/change-email.
func (h *Handler) ChangeEmail(w http.ResponseWriter, r *http.Request) {
	var body changeEmailRequest
	var owner Owner
	err := route.Decode(r, &body)
	if err == nil {
		owner, err = h.owner(r)
	}
	if err == nil {
		err = h.svc.ChangeEmail(r.Context(), owner, body.NewEmail, body.OTP,
			func(ctx context.Context, to auth.Address, consume func(ctx context.Context) error) error {
				return h.cfg.MoveTo(r.WithContext(ctx), to, consume)
			})
	}
	h.succeed(w, r, err)
}
