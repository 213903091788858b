package invited

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
)

// Handler answers those who come by an invitation. The route is that of the
// invitations. It is safe for concurrent use.
type Handler struct {
	svc  *Service
	auth *auth.Handler
}

// NewHandler returns a Handler on svc that hands sessions over by answers. It does no
// I/O.
func NewHandler(svc *Service, answers *auth.Handler) (*Handler, error) {
	if svc == nil || answers == nil {
		return nil, errors.New("invited: handler: a Service and the Handler of package auth are required")
	}
	return &Handler{svc: svc, auth: answers}, nil
}

// Entry is a request of somebody who comes by an invitation. The fields mean what they
// mean in Params.
type Entry struct {
	Secret, ShownID, Name, Password string
	// CallbackURL is where the client goes next. It must have passed the list of redirect
	// targets.
	CallbackURL string
	// Page answers a form of our own pages.
	Page bool
}

// Enter lets somebody in who is not signed in, and answers them: as a sign-in does, with
// the same body whether the address has an account or not. Only the session is missing
// where it has one. An error is returned, and nothing is answered, if they may not come
// in.
func (h *Handler) Enter(w http.ResponseWriter, r *http.Request, e Entry) error {
	tokens := false
	if !e.Page {
		var err error
		if tokens, err = h.auth.WantsTokens(r); err != nil {
			return err
		}
	}
	result, err := h.svc.Enter(r.Context(), Params{
		Secret: e.Secret, ShownID: e.ShownID, Name: e.Name, Password: e.Password,
		Attempt: auth.AttemptParams{Bearer: tokens, CallbackURL: e.CallbackURL, Client: auth.ClientOf(r)},
	})
	switch {
	case err != nil:
		return err
	case !result.Known:
		h.auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome, Page: e.Page})
	case e.Page:
		link.SeeOther(w, cmp.Or(e.CallbackURL, "/"))
	default:
		response := auth.SignInResponse{User: auth.NewUserResponse(result.User)}
		if e.CallbackURL != "" {
			response.Redirect, response.URL = true, &e.CallbackURL
		}
		route.WriteJSON(w, r, http.StatusOK, response)
	}
	return nil
}
