package account

import (
	"encoding/json"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type updateUserRequest struct {
	Name  *string         `json:"name" maxLength:"128" description:"The name to call the user by"`
	Image json.RawMessage `json:"image" description:"An http or https address of a picture, or a small data URL; null takes it away"`
	Email json.RawMessage `json:"email" description:"Always refused: change-email changes the address"`
}

// profile returns the fields that the request names.
func (b updateUserRequest) profile() (auth.Profile, error) {
	if len(b.Email) > 0 {
		return auth.Profile{}, ErrEmailByUpdate
	}
	p := auth.Profile{Name: b.Name}
	if len(b.Image) == 0 {
		return p, nil
	}
	image := ""
	if err := json.Unmarshal(b.Image, &image); err != nil { // null leaves it empty
		return auth.Profile{}, problem.ErrValidation.WithFields(problem.FieldError{
			Field: "image", Code: "INVALID_TYPE", Message: "must be a string or null",
		})
	}
	p.Image = &image
	return p, nil
}

// UpdateUser answers POST /update-user.
func (h *Handler) UpdateUser(w http.ResponseWriter, r *http.Request) {
	var body updateUserRequest
	var profile auth.Profile
	caller, err := h.read(r, &body)
	if err == nil {
		profile, err = body.profile()
	}
	if err == nil {
		_, err = h.svc.UpdateProfile(r.Context(), caller, profile)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}

// accountResponse is the official client's.
type accountResponse struct {
	ID         string     `json:"id"`
	ProviderID string     `json:"providerId" description:"credential is the password"`
	AccountID  string     `json:"accountId"`
	UserID     string     `json:"userId"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  route.Time `json:"createdAt"`
	UpdatedAt  route.Time `json:"updatedAt"`
}

// ListAccounts answers GET /list-accounts with an array.
func (h *Handler) ListAccounts(w http.ResponseWriter, r *http.Request) {
	var accounts []Account
	err := route.DecodeQuery(r, &empty{})
	if err == nil {
		var caller Caller
		if caller, err = h.cfg.Caller(r); err == nil {
			accounts, err = h.svc.Accounts(r.Context(), caller)
		}
	}
	list := make([]accountResponse, 0, len(accounts))
	for _, a := range accounts {
		list = append(list, accountResponse{
			ID: a.ID, ProviderID: a.ProviderID, AccountID: a.AccountID, UserID: a.UserID, Scopes: append([]string{}, a.Scopes...),
			CreatedAt: route.NewTime(a.CreatedAt), UpdatedAt: route.NewTime(a.UpdatedAt),
		})
	}
	route.Respond(w, r, list, err)
}

type userQuery struct {
	UserID string `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
}

// GetUser answers GET /user/get. Users who are none of the caller's business and
// ids that never existed are the same 404.
func (h *Handler) GetUser(w http.ResponseWriter, r *http.Request) {
	var query userQuery
	var user auth.User
	err := route.DecodeQuery(r, &query)
	if err == nil {
		var caller Caller
		if caller, err = h.cfg.Caller(r); err == nil {
			user, err = h.svc.User(r.Context(), caller, query.UserID)
		}
	}
	route.Respond(w, r, auth.NewUserResponse(user), err)
}
