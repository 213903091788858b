package tenancy

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) roleRoutes() route.Table {
	create := post("create-role", "Make a role of the organization's own", createRoleRequest{}, createdRole{}, h.CreateRole)
	create.Ignored = []string{"additionalFields"}
	return route.Table{
		create,
		post("update-role", "Change a role of the organization's own", updateRoleRequest{}, changedRole{}, h.UpdateRole),
		post("delete-role", "Delete a role that no member has", roleRequest{}, successResponse{}, h.DeleteRole),
		get("list-roles", "The organization's own roles", rolesQuery{}, []wireRole{}, h.ListRoles),
		get("get-role", "One role of the organization's own", roleRequest{}, wireRole{}, h.GetRole),
	}
}

type wireRole struct {
	ID             string      `json:"id"`
	OrganizationID string      `json:"organizationId"`
	Role           string      `json:"role"`
	Permission     Permissions `json:"permission" description:"Actions by resource"`
	CreatedAt      route.Time  `json:"createdAt"`
	UpdatedAt      route.Time  `json:"updatedAt"`
}

func newWireRole(r Role) wireRole {
	return wireRole{
		ID: r.ID, OrganizationID: r.OrganizationID, Role: r.Name, Permission: r.Permissions,
		CreatedAt: route.NewTime(r.CreatedAt), UpdatedAt: route.NewTime(r.UpdatedAt),
	}
}

type createRoleRequest struct {
	OrganizationID string              `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	Role           string              `json:"role" required:"true" maxLength:"64" description:"The name: letters, digits, _ and -"`
	Permission     map[string][]string `json:"permission" maxItems:"100" description:"Actions by resource, all of which the caller has. Required, though it may be empty."`
}

type createdRole struct {
	Success    bool        `json:"success"`
	RoleData   wireRole    `json:"roleData"`
	Statements Permissions `json:"statements" description:"What the role allows"`
}

// CreateRole answers POST organization/create-role.
func (h *Handler) CreateRole(w http.ResponseWriter, r *http.Request) {
	var request createRoleRequest
	caller, err := body(r, &request)
	if err == nil && request.Permission == nil {
		err = problem.ErrValidation.WithFields(problem.FieldError{Field: "permission", Code: "REQUIRED", Message: "is required; add it"})
	}
	var id string
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	var made Role
	if err == nil {
		made, err = h.svc.CreateRole(r.Context(), caller, id, request.Role, request.Permission)
	}
	answer(w, r, createdRole{Success: true, RoleData: newWireRole(made), Statements: made.Permissions}, err)
}

type roleRequest struct {
	OrganizationID string `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	RoleName       string `json:"roleName" maxLength:"64" description:"The role's name"`
	RoleID         string `json:"roleId" maxLength:"64" description:"The role's id, in the place of its name"`
}

// ref returns which role is meant.
func (q roleRequest) ref() (RoleRef, error) {
	if (q.RoleName == "") == (q.RoleID == "") {
		return RoleRef{}, problem.ErrValidation.WithFields(problem.FieldError{
			Field: "roleName", Code: "REQUIRED", Message: "is required, or roleId in its place; add one of the two",
		})
	}
	return RoleRef{ID: q.RoleID, Name: q.RoleName}, nil
}

type updateRoleRequest struct {
	roleRequest

	Data updateRoleData `json:"data" required:"true" description:"What changes"`
}

type updateRoleData struct {
	Permission map[string][]string `json:"permission" maxItems:"100" description:"Actions by resource, all of which the caller has"`
	RoleName   string              `json:"roleName" maxLength:"64" description:"The new name of a role that no member has"`
}

type changedRole struct {
	Success  bool     `json:"success"`
	RoleData wireRole `json:"roleData"`
}

// UpdateRole answers POST organization/update-role.
func (h *Handler) UpdateRole(w http.ResponseWriter, r *http.Request) {
	var request updateRoleRequest
	caller, err := body(r, &request)
	p := UpdateRoleParams{Caller: caller, Name: request.Data.RoleName, Permissions: request.Data.Permission}
	if err == nil {
		p.Role, err = request.ref()
	}
	if err == nil {
		p.OrganizationID, err = Resolve(caller, request.OrganizationID)
	}
	var changed Role
	if err == nil {
		changed, err = h.svc.UpdateRole(r.Context(), p)
	}
	answer(w, r, changedRole{Success: true, RoleData: newWireRole(changed)}, err)
}

type successResponse struct {
	Success bool `json:"success"`
}

// DeleteRole answers POST organization/delete-role.
func (h *Handler) DeleteRole(w http.ResponseWriter, r *http.Request) {
	var request roleRequest
	caller, err := body(r, &request)
	var (
		ref RoleRef
		id  string
	)
	if err == nil {
		ref, err = request.ref()
	}
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	if err == nil {
		err = h.svc.DeleteRole(r.Context(), caller, id, ref)
	}
	answer(w, r, successResponse{Success: true}, err)
}

type rolesQuery struct {
	OrganizationID string `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
}

// ListRoles answers GET organization/list-roles with an array.
func (h *Handler) ListRoles(w http.ResponseWriter, r *http.Request) {
	var request rolesQuery
	caller, err := query(r, &request)
	var id string
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	var found []Role
	if err == nil {
		found, err = h.svc.Roles(r.Context(), caller, id)
	}
	list := make([]wireRole, 0, len(found))
	for _, role := range found {
		list = append(list, newWireRole(role))
	}
	answer(w, r, list, err)
}

// GetRole answers GET organization/get-role.
func (h *Handler) GetRole(w http.ResponseWriter, r *http.Request) {
	var request roleRequest
	caller, err := query(r, &request)
	var (
		ref RoleRef
		id  string
	)
	if err == nil {
		ref, err = request.ref()
	}
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	var found Role
	if err == nil {
		found, err = h.svc.Role(r.Context(), caller, id, ref)
	}
	answer(w, r, newWireRole(found), err)
}
