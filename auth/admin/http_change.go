package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

type createRequest struct {
	Email    string          `json:"email" required:"true" maxLength:"254" description:"The user's address"`
	Name     string          `json:"name" required:"true" maxLength:"128" description:"The name to call the user by"`
	Password string          `json:"password" maxLength:"1024" description:"Refused unless the installation lets superusers type passwords and data.emailVerified is true. Left out, the user is mailed a link."`
	Role     json.RawMessage `json:"role" description:"user or admin, as a text or a list of one. Defaults to user."`
	Data     map[string]any  `json:"data" description:"image, role if it does not stand beside, and emailVerified: true vouches for the address where the installation lets superusers type passwords"`
}

type updateRequest struct {
	UserID string         `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
	Data   map[string]any `json:"data" required:"true" description:"What changes: name, image, role"`
}

type roleRequest struct {
	UserID string          `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
	Role   json.RawMessage `json:"role" required:"true" description:"user or admin, as a text or a list of one"`
}

type banRequest struct {
	UserID       string  `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
	BanReason    string  `json:"banReason" maxLength:"500" description:"Why; the user is not shown it"`
	BanExpiresIn float64 `json:"banExpiresIn" minimum:"0" maximum:"3155760000" description:"Seconds until the ban ends by itself. Defaults to never."`
}

type passwordRequest struct {
	UserID      string `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
	NewPassword string `json:"newPassword" maxLength:"1024" description:"Refused unless the installation lets superusers type passwords. Left out, the user is mailed a link."`
}

// CreateUser answers POST admin/create-user.
func (h *Handler) CreateUser(w http.ResponseWriter, r *http.Request) {
	var body createRequest
	actor, err := decode(r, &body)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	n := NewUser{Email: body.Email, Name: body.Name, Password: body.Password, ActorID: actor, Client: auth.ClientOf(r)}
	n.EmailVerified, err = vouched(body.Data)
	var fields Update
	if err == nil {
		fields, err = profile(body.Data)
	}
	if err == nil && fields.Name != nil {
		err = invalid("data.name", "stands beside data here; move it there")
	}
	if err == nil && len(body.Role) > 0 && string(body.Role) != "null" {
		fields.Role, err = roleOf(body.Role)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if fields.Image != nil {
		n.Image = *fields.Image
	}
	if fields.Role != nil {
		n.Role = *fields.Role
	}
	record, err := h.svc.Create(r.Context(), n)
	answer(w, r, wrappedUser{User: h.newUserResponse(record)}, err)
}

// vouched takes out of data whether the superuser vouches for the address.
func vouched(data map[string]any) (bool, error) {
	const name = "emailVerified"
	value, said := data[name]
	delete(data, name)
	yes, ok := value.(bool)
	if said && !ok {
		return false, invalid("data."+name, "must be true or false")
	}
	return yes, nil
}

// UpdateUser answers POST admin/update-user.
func (h *Handler) UpdateUser(w http.ResponseWriter, r *http.Request) {
	var body updateRequest
	actor, err := decode(r, &body)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	update, err := profile(body.Data)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	update.UserID, update.ActorID = body.UserID, actor
	record, err := h.svc.Update(r.Context(), update)
	answer(w, r, h.newUserResponse(record), err)
}

// profile reads the fields that a client puts into data. Every other one is
// refused by name (rule R26).
func profile(data map[string]any) (u Update, err error) {
	for _, name := range slices.Sorted(maps.Keys(data)) {
		text, isText := data[name].(string)
		switch {
		case name == "password":
			return Update{}, ErrPasswordInUpdate
		case name == "role":
			raw, marshalErr := json.Marshal(data[name])
			if marshalErr != nil {
				return Update{}, ErrRoleUnknown
			}
			if u.Role, err = roleOf(raw); err != nil {
				return Update{}, err
			}
		case name == "name" && isText:
			u.Name = &text
		case name == "image" && (isText || data[name] == nil):
			u.Image = &text
		case name == "name" || name == "image":
			return Update{}, invalid("data."+name, "must be a string")
		default:
			return Update{}, problem.ErrValidation.WithFields(problem.FieldError{
				Field: "data." + printable(name), Code: "UNKNOWN_FIELD", Message: "cannot be set here; remove it",
			})
		}
	}
	return u, nil
}

// printable keeps what is echoed of a field's name short and plain.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 64)]
}

// roleOf reads a role, which the client sends as a text or as a list.
func roleOf(raw json.RawMessage) (*string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return &one, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, ErrRoleUnknown
	}
	for _, name := range list {
		if name != RoleUser && name != RoleAdmin {
			return nil, ErrRoleUnknown
		}
	}
	one = RoleUser
	if slices.Contains(list, RoleAdmin) {
		one = RoleAdmin
	}
	return &one, nil
}

// SetRole answers POST admin/set-role.
func (h *Handler) SetRole(w http.ResponseWriter, r *http.Request) {
	var body roleRequest
	actor, err := decode(r, &body)
	var name *string
	if err == nil {
		name, err = roleOf(body.Role)
	}
	if err == nil {
		err = h.svc.SetRole(r.Context(), body.UserID, actor, *name)
	}
	h.answerUser(w, r, body.UserID, err)
}

// BanUser answers POST admin/ban-user.
func (h *Handler) BanUser(w http.ResponseWriter, r *http.Request) {
	var body banRequest
	actor, err := decode(r, &body)
	if err == nil {
		ban := Ban{UserID: body.UserID, ActorID: actor, Reason: body.BanReason}
		if body.BanExpiresIn > 0 {
			ban.Until = h.svc.now().Add(time.Duration(body.BanExpiresIn * float64(time.Second)))
		}
		err = h.svc.Ban(r.Context(), ban)
	}
	h.answerUser(w, r, body.UserID, err)
}

// UnbanUser answers POST admin/unban-user.
func (h *Handler) UnbanUser(w http.ResponseWriter, r *http.Request) {
	var body userRequest
	actor, err := decode(r, &body)
	if err == nil {
		err = h.svc.Unban(r.Context(), body.UserID, actor)
	}
	h.answerUser(w, r, body.UserID, err)
}

// UnlockUser answers POST admin/unlock-user.
func (h *Handler) UnlockUser(w http.ResponseWriter, r *http.Request) {
	var body userRequest
	actor, err := decode(r, &body)
	if err == nil {
		err = h.svc.Unlock(r.Context(), body.UserID, actor)
	}
	answer(w, r, statusResponse{Status: true}, err)
}

// SetUserPassword answers POST admin/set-user-password.
func (h *Handler) SetUserPassword(w http.ResponseWriter, r *http.Request) {
	var body passwordRequest
	actor, err := decode(r, &body)
	if err == nil {
		err = h.svc.SetPassword(r.Context(), body.UserID, actor, body.NewPassword, auth.ClientOf(r))
	}
	answer(w, r, statusResponse{Status: true}, err)
}

// RemoveUser answers POST admin/remove-user.
func (h *Handler) RemoveUser(w http.ResponseWriter, r *http.Request) {
	var body userRequest
	actor, err := decode(r, &body)
	if err == nil {
		err = h.svc.Remove(r.Context(), body.UserID, actor)
	}
	answer(w, r, successResponse{Success: true}, err)
}

// ImpersonateUser answers POST admin/impersonate-user. Tokens are not given out
// this way (rule R22): a program that acts for a superuser has none.
func (h *Handler) ImpersonateUser(w http.ResponseWriter, r *http.Request) {
	var body userRequest
	_, err := decode(r, &body)
	if err == nil && len(r.Header["Authorization"]) > 0 {
		err = problem.ErrForbidden
	}
	var grant auth.Grant
	if err == nil {
		caller, _ := principal.FromContext(r.Context()) // decode has found one
		grant, err = h.svc.Impersonate(r.Context(), auth.ImpersonateParams{
			UserID: body.UserID, ActorID: caller.UserID, ActorSessionID: caller.SessionID, Client: auth.ClientOf(r),
		})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.cfg.Impersonate(w, r, grant)
}
