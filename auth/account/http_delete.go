package account

import (
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
)

type deleteUserRequest struct {
	Password    string `json:"password" maxLength:"1024" description:"The password of now: with it, the account is deleted at once"`
	Token       string `json:"token" maxLength:"200" description:"The secret of the mailed link: with it, the account is deleted at once"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the page of the mailed link leads"`
}

// deleteUserResponse is the official client's.
type deleteUserResponse struct {
	Success bool   `json:"success"`
	Message string `json:"message" enum:"User deleted,Verification email sent"`
}

func deleted() deleteUserResponse { return deleteUserResponse{Success: true, Message: "User deleted"} }

// DeleteUser answers POST /delete-user: with a password or a token it deletes the
// account, without either it mails the link that does.
func (h *Handler) DeleteUser(w http.ResponseWriter, r *http.Request) {
	var body deleteUserRequest
	caller, err := h.read(r, &body)
	if err == nil {
		body.CallbackURL, err = h.callback(body.CallbackURL)
	}
	response := deleted()
	switch {
	case err != nil:
	case body.Token != "":
		err = h.svc.DeleteByLink(r.Context(), caller, body.Token)
	case body.Password != "":
		err = h.svc.DeleteByPassword(r.Context(), caller, body.Password)
	default:
		response.Message = "Verification email sent"
		err = h.svc.RequestDeletion(r.Context(), caller, body.CallbackURL)
	}
	if err == nil && response == deleted() {
		h.cfg.ClearSession(w, r)
	}
	route.Respond(w, r, response, err)
}

// deletePage is the page of the link that deletes an account.
func (h *Handler) deletePage() linkPage {
	return linkPage{
		path: pathDeleteUser, cookie: "delete",
		card: func(r *http.Request, secret string) (page.Card, error) {
			caller, err := h.anybody(r)
			if err != nil {
				return page.Card{}, err
			}
			user, err := h.svc.WaitingDeletion(r.Context(), caller, secret)
			if errors.Is(err, ErrSignInFirst) {
				return page.Card{
					Title: "Sign in first", Tone: page.Failure, Notice: ErrSignInFirst.Message,
					Links: []page.Link{{Href: "/", Text: "Go on"}},
				}, nil
			}
			return page.Card{
				Title: "Delete your account?",
				Text: []string{
					"This deletes the account of " + user.Display + " and everything that belongs to it alone. It cannot be undone.",
				},
				Form: &page.Form{Submit: "Delete the account of " + user.Display},
			}, err
		},
		done: page.Card{Title: "Your account is deleted", Notice: "Everything that belonged to it alone is gone."},
	}
}

// DeleteUserPage answers GET /delete-user/callback.
func (h *Handler) DeleteUserPage(w http.ResponseWriter, r *http.Request) {
	h.showLink(w, r, h.deletePage())
}

// DeleteUserCallback answers POST /delete-user/callback.
func (h *Handler) DeleteUserCallback(w http.ResponseWriter, r *http.Request) {
	h.actOnLink(w, r, h.deletePage(), func(secret, _ string) (any, error) {
		caller, err := h.anybody(r)
		if err == nil {
			err = h.svc.DeleteByLink(r.Context(), caller, secret)
		}
		if err == nil {
			h.cfg.ClearSession(w, r)
		}
		return deleted(), err
	})
}
