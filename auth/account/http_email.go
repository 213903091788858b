package account

import (
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
)

type changeEmailRequest struct {
	NewEmail    string `json:"newEmail" required:"true" maxLength:"254" description:"The address to move to"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the pages of the mailed links lead"`
}

// changeEmailResponse is the official client's.
type changeEmailResponse struct {
	Status  bool   `json:"status"`
	Message string `json:"message" enum:"Verification email sent"`
}

// ChangeEmail answers POST /change-email: the same for addresses that are taken
// and for those that are free.
func (h *Handler) ChangeEmail(w http.ResponseWriter, r *http.Request) {
	var body changeEmailRequest
	caller, err := h.read(r, &body)
	if err == nil {
		body.CallbackURL, err = h.callback(body.CallbackURL)
	}
	if err == nil {
		err = h.svc.RequestEmail(r.Context(), caller, EmailParams{New: body.NewEmail, CallbackURL: body.CallbackURL})
	}
	route.Respond(w, r, changeEmailResponse{Status: true, Message: "Verification email sent"}, err)
}

// leavePage is the page of the link that went to the present address.
func (h *Handler) leavePage() linkPage {
	return linkPage{
		path: pathLeaveEmail, cookie: "leave",
		card: func(r *http.Request, secret string) (page.Card, error) {
			change, err := h.svc.WaitingEmail(r.Context(), PurposeLeaveEmail, secret)
			return page.Card{
				Title: "Move your account to another address?",
				Text: []string{
					"Somebody who is signed in to the account of " + change.User.Display + " asked to move it to " + change.To.Display + ".",
					"If that was you, confirm it. We then write to the new address. If it was not, close this page and change your password.",
				},
				Form: moveForm(change, "Yes, move it to "+change.To.Display),
			}, err
		},
		done: page.Card{
			Title:  "One more step",
			Notice: "Thank you. Open the message that goes to the new address, and confirm it there.",
		},
	}
}

func moveForm(change EmailChange, submit string) *page.Form {
	return &page.Form{Submit: submit, Hidden: []page.Hidden{{Name: "shown", Value: change.To.Key}}}
}

// ConfirmEmailPage answers GET /change-email/confirm.
func (h *Handler) ConfirmEmailPage(w http.ResponseWriter, r *http.Request) {
	h.showLink(w, r, h.leavePage())
}

// ConfirmEmail answers POST /change-email/confirm.
func (h *Handler) ConfirmEmail(w http.ResponseWriter, r *http.Request) {
	h.actOnLink(w, r, h.leavePage(), func(secret, shown string) (any, error) {
		_, err := h.svc.ConfirmEmail(r.Context(), secret, shown, auth.ClientOf(r))
		return statusResponse{Status: true}, err
	})
}

type verifyEmailResponse struct {
	Status bool              `json:"status"`
	User   auth.UserResponse `json:"user"`
}

// enterPage is the page of the link that went to the new address.
func (h *Handler) enterPage() linkPage {
	return linkPage{
		path: pathEnterEmail, cookie: "enter",
		card: func(r *http.Request, secret string) (page.Card, error) {
			change, err := h.svc.WaitingEmail(r.Context(), PurposeEnterEmail, secret)
			return page.Card{
				Title: "Confirm your new address",
				Text: []string{
					"The account of " + change.User.Display + " moves to " + change.To.Display + ". You are signed out everywhere else.",
				},
				Form: moveForm(change, "Confirm "+change.To.Display),
			}, err
		},
		done: page.Card{Title: "Your address is changed", Notice: "From now on, sign in with the new address."},
	}
}

// VerifyEmailPage answers GET /change-email/verify.
func (h *Handler) VerifyEmailPage(w http.ResponseWriter, r *http.Request) {
	h.showLink(w, r, h.enterPage())
}

// VerifyEmail answers POST /change-email/verify.
func (h *Handler) VerifyEmail(w http.ResponseWriter, r *http.Request) {
	h.actOnLink(w, r, h.enterPage(), func(secret, shown string) (any, error) {
		caller, err := h.anybody(r)
		if err != nil {
			return nil, err
		}
		user, err := h.svc.VerifyEmail(r.Context(), VerifyEmailParams{Token: secret, Shown: shown, Caller: caller})
		return verifyEmailResponse{Status: true, User: auth.NewUserResponse(user)}, err
	})
}
