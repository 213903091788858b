package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// Freshness of the caller's proof (rule R22): reading people's data asks for one
// of the last hour, changing it for one of the last ten minutes.
const (
	freshToRead   = time.Hour
	freshToChange = 10 * time.Minute
)

// Handler serves the package over HTTP. Each endpoint is a method, for hosts
// that route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc *Service
	cfg HandlerConfig
}

// HandlerConfig configures a Handler.
type HandlerConfig struct {
	// Impersonate hands the browser the session in which its superuser acts as
	// somebody else, and answers the request. Required.
	Impersonate func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Impersonate == nil {
		return nil, errors.New("admin: handler: Service and Impersonate are required")
	}
	return &Handler{svc: svc, cfg: cfg}, nil
}

// Routes is the table of the package's routes, relative to its mount. All are
// for superusers in person (rule R22).
func (h *Handler) Routes() route.Table {
	read := func(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodGet, Path: "/admin/" + path, Access: route.Superuser, Fresh: freshToRead,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	change := func(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodPost, Path: "/admin/" + path, Access: route.Superuser, Fresh: freshToChange,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	return route.Table{
		read("list-users", "Find and list users", listQuery{}, listResponse{}, h.ListUsers),
		read("get-user", "One user", getQuery{}, userResponse{}, h.GetUser),
		change("create-user", "Make a user, who is mailed a link to choose a password", createRequest{}, wrappedUser{}, h.CreateUser),
		change("update-user", "Change a user's profile or role", updateRequest{}, userResponse{}, h.UpdateUser),
		change("set-role", "Make a user a superuser (admin), or take that away (user)", roleRequest{}, wrappedUser{}, h.SetRole),
		change("ban-user", "Keep a user out and end their sessions", banRequest{}, wrappedUser{}, h.BanUser),
		change("unban-user", "Lift a ban", userRequest{}, wrappedUser{}, h.UnbanUser),
		change("unlock-user", "Take back the wrong guesses at a user's password", userRequest{}, statusResponse{}, h.UnlockUser),
		change("set-user-password", "Mail a user a link to choose a password", passwordRequest{}, statusResponse{}, h.SetUserPassword),
		change("impersonate-user", "Act as a user for an hour at most", userRequest{}, nil, h.ImpersonateUser),
		change("remove-user", "Delete a user and everything that is theirs", userRequest{}, successResponse{}, h.RemoveUser),
	}
}

type statusResponse struct {
	Status bool `json:"status"`
}

type successResponse struct {
	Success bool `json:"success"`
}

type userRequest struct {
	UserID string `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
}

// userResponse is a user as the official client's admin plugin reads it.
type userResponse struct {
	auth.UserResponse

	Role       string      `json:"role"`
	Banned     bool        `json:"banned"`
	BanReason  *string     `json:"banReason"`
	BanExpires *route.Time `json:"banExpires"`
}

type wrappedUser struct {
	User userResponse `json:"user"`
}

func (h *Handler) newUserResponse(r Record) userResponse {
	response := userResponse{UserResponse: auth.NewUserResponse(r.User), Role: role(r.User)}
	if !r.Banned(h.svc.now()) {
		return response
	}
	response.Banned = true
	if r.BanReason != "" {
		response.BanReason = &r.BanReason
	}
	if !r.BannedUntil.IsZero() {
		until := route.NewTime(r.BannedUntil)
		response.BanExpires = &until
	}
	return response
}

// decode reads the request into dst and returns who asks.
func decode(r *http.Request, dst any) (actorID string, err error) {
	caller, ok := principal.FromContext(r.Context())
	if !ok {
		return "", problem.ErrUnauthenticated
	}
	return caller.UserID, route.Decode(r, dst)
}

// answerUser answers with the user as they are now.
func (h *Handler) answerUser(w http.ResponseWriter, r *http.Request, userID string, err error) {
	var record Record
	if err == nil {
		record, err = h.svc.Get(r.Context(), userID)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, wrappedUser{User: h.newUserResponse(record)})
}

// answer answers with response, which says that it is done.
func answer(w http.ResponseWriter, r *http.Request, response any, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}
