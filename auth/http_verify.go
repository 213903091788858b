package auth

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type verifyQuery struct {
	Token            string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	CallbackURL      string `json:"callbackURL" maxLength:"2048" description:"Where the page leads when it is done"`
	ErrorCallbackURL string `json:"errorCallbackURL" maxLength:"2048" description:"Where the page leads when the link is dead. Defaults to callbackURL."`
	New              string `json:"new" maxLength:"1" description:"1 shows the form for a new password"`
	Done             string `json:"done" maxLength:"1" description:"1 shows that the address is confirmed"`
}

type verifyRequest struct {
	Token       string `json:"token" maxLength:"200" description:"The secret of the mailed link, if it is not in the query"`
	Password    string `json:"password" maxLength:"1024" description:"The password chosen at sign-up, from another browser"`
	NewPassword string `json:"newPassword" maxLength:"1024" description:"A new password; what was typed at sign-up is dropped"`
	SignUp      string `json:"signUp" maxLength:"64" description:"The id of the sign-up that a page showed"`
	Name        string `json:"name" maxLength:"128" description:"With newPassword: the name to call the user by"`
}

type verifyResponse struct {
	Status bool         `json:"status"`
	User   UserResponse `json:"user"`
}

// VerifyEmail answers POST /verify-email: it consumes the secret of a mailed
// link. Programs get JSON, our own page gets redirects and pages.
func (h *Handler) VerifyEmail(w http.ResponseWriter, r *http.Request) {
	query, err := h.verifyQuery(r)
	var body verifyRequest
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	user, err := h.svc.VerifyEmail(r.Context(), VerifyEmailParams{
		Token: h.links.Presented(r, body.Token, query.Token), SignUpID: body.SignUp, Browser: h.Browser(r), Password: body.Password,
		NewPassword: body.NewPassword, Name: body.Name, Client: ClientOf(r),
	})
	switch {
	case link.IsForm(r):
		h.finishVerify(w, r, query, err)
	case err != nil:
		problem.Write(w, r, err)
	default:
		route.WriteJSON(w, r, http.StatusOK, verifyResponse{Status: true, User: NewUserResponse(user)})
	}
}

// VerifyEmailPage answers GET /verify-email. It consumes nothing: with a token
// it parks it in a cookie and drops it from the address, without one it shows
// what there is to confirm.
func (h *Handler) VerifyEmailPage(w http.ResponseWriter, r *http.Request) {
	query, err := h.verifyQuery(r)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case query.Token != "":
		h.links.Park(w, query.Token, here(query))
	case query.Done != "":
		h.site.Pages.Write(w, r, http.StatusOK, page.Card{
			Title: "Your address is confirmed", Tone: page.Success,
			Notice: "Thank you. You can sign in now.", Links: []page.Link{{Href: "/", Text: "Go on"}},
		})
	default:
		h.showVerify(w, r, query, http.StatusOK, nil)
	}
}

// verifyQuery reads the query, and refuses targets that are not allowed.
func (h *Handler) verifyQuery(r *http.Request) (verifyQuery, error) {
	var query verifyQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		return verifyQuery{}, err
	}
	for _, target := range []string{query.CallbackURL, query.ErrorCallbackURL} {
		if _, err := h.callback(target); err != nil {
			return verifyQuery{}, err
		}
	}
	return query, nil
}
