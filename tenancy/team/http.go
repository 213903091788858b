package team

import (
	"context"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// HandlerConfig configures a Handler.
type HandlerConfig struct {
	// Active returns the active team of the caller's session, or "". Activate makes a
	// team the active one, in the transaction of ctx, or none. They default to nil: there
	// is no active team, and no route that chooses one.
	Active   func(r *http.Request) string
	Activate func(ctx context.Context, caller *principal.Principal, organizationID, teamID string) error
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that route
// by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc *Service
	cfg HandlerConfig
}

// NewHandler returns a Handler on svc.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || (cfg.Active == nil) != (cfg.Activate == nil) {
		return nil, errors.New("team: handler: a Service is required, and Active and Activate go together")
	}
	return &Handler{svc: svc, cfg: cfg}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	post := func(name, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodPost, Path: "/organization/" + name, Access: route.User,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	get := func(name, summary string, query, response any, handler http.HandlerFunc) route.Route {
		r := post(name, summary, query, response, handler)
		r.Method = http.MethodGet
		return r
	}
	table := route.Table{
		post("create-team", "Make a team in an organization", createRequest{}, teamResponse{}, h.Create),
		post("update-team", "Rename a team", updateRequest{}, teamResponse{}, h.Update),
		post("remove-team", "Delete a team", removeRequest{}, messageResponse{}, h.Remove),
		get("list-teams", "The teams of an organization", listQuery{}, []teamResponse{}, h.List),
		get("list-user-teams", "The teams that a user is in", userQuery{}, []teamResponse{}, h.ListOf),
		get("list-team-members", "Who is in a team", membersQuery{}, []memberResponse{}, h.Members),
		post("add-team-member", "Put a member of the organization into a team", memberRequest{}, memberResponse{}, h.AddMember),
		post("remove-team-member", "Take somebody out of a team", memberRequest{}, messageResponse{}, h.RemoveMember),
	}
	if h.cfg.Activate != nil {
		table = append(table, post("set-active-team", "Make a team the active one, or none", activeRequest{}, teamResponse{}, h.SetActive))
	}
	return table
}

// teamResponse is a team on the wire, as the official client reads it.
type teamResponse struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	OrganizationID string     `json:"organizationId"`
	CreatedAt      route.Time `json:"createdAt"`
	UpdatedAt      route.Time `json:"updatedAt"`
}

func newTeamResponse(t Team) teamResponse {
	return teamResponse{
		ID: t.ID, Name: t.Name, OrganizationID: t.OrganizationID, CreatedAt: route.NewTime(t.CreatedAt), UpdatedAt: route.NewTime(t.UpdatedAt),
	}
}

func newTeamResponses(list []Team) []teamResponse {
	response := make([]teamResponse, 0, len(list))
	for _, t := range list {
		response = append(response, newTeamResponse(t))
	}
	return response
}

type memberResponse struct {
	ID        string     `json:"id"`
	TeamID    string     `json:"teamId"`
	UserID    string     `json:"userId"`
	CreatedAt route.Time `json:"createdAt"`
}

func newMemberResponse(m Member) memberResponse {
	return memberResponse{ID: m.ID, TeamID: m.TeamID, UserID: m.UserID, CreatedAt: route.NewTime(m.CreatedAt)}
}

type messageResponse struct {
	Message string `json:"message"`
}

type createRequest struct {
	Name           string `json:"name" required:"true" maxLength:"100"`
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
}

// Create answers POST /organization/create-team.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request) {
	var body createRequest
	var t Team
	err := inOrganization(r, &body, &body.OrganizationID, func(caller *principal.Principal, organizationID string) (err error) {
		t, err = h.svc.Create(r.Context(), caller, organizationID, body.Name)
		return err
	})
	route.Respond(w, r, newTeamResponse(t), err)
}

type updateRequest struct {
	TeamID string     `json:"teamId" required:"true" maxLength:"64"`
	Data   updateData `json:"data" required:"true"`
}

type updateData struct {
	Name           string `json:"name" required:"true" maxLength:"100"`
	OrganizationID string `json:"organizationId" maxLength:"64" description:"The team's organization. Defaults to the active one."`
}

// Update answers POST /organization/update-team.
func (h *Handler) Update(w http.ResponseWriter, r *http.Request) {
	var body updateRequest
	var t Team
	err := inOrganization(r, &body, &body.Data.OrganizationID, func(caller *principal.Principal, organizationID string) (err error) {
		t, err = h.svc.Rename(r.Context(), caller, organizationID, body.TeamID, body.Data.Name)
		return err
	})
	route.Respond(w, r, newTeamResponse(t), err)
}

type removeRequest struct {
	TeamID         string `json:"teamId" required:"true" maxLength:"64"`
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
}

// Remove answers POST /organization/remove-team.
func (h *Handler) Remove(w http.ResponseWriter, r *http.Request) {
	var body removeRequest
	err := inOrganization(r, &body, &body.OrganizationID, func(caller *principal.Principal, organizationID string) error {
		return h.svc.Remove(r.Context(), caller, organizationID, body.TeamID)
	})
	route.Respond(w, r, messageResponse{"Team removed successfully."}, err)
}

type listQuery struct {
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
}

// List answers GET /organization/list-teams.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	var query listQuery
	var list []Team
	err := inOrganization(r, &query, &query.OrganizationID, func(caller *principal.Principal, organizationID string) (err error) {
		list, err = h.svc.List(r.Context(), caller, organizationID)
		return err
	})
	route.Respond(w, r, newTeamResponses(list), err)
}

// Listed returns the organization's teams as the wire shows them; it is a tenancy.List.
func (h *Handler) Listed(ctx context.Context, caller *principal.Principal, organizationID string) (any, error) {
	list, err := h.svc.List(ctx, caller, organizationID)
	if err != nil {
		return nil, err
	}
	return newTeamResponses(list), nil
}

type userQuery struct {
	UserID         string `json:"userId" maxLength:"64" description:"A member of the organization. Defaults to the caller."`
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to all for the caller, and to the active one for somebody else."`
}

// ListOf answers GET /organization/list-user-teams.
func (h *Handler) ListOf(w http.ResponseWriter, r *http.Request) {
	var query userQuery
	caller, err := principal.RequireUser(r.Context())
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	organizationID := query.OrganizationID
	if err == nil && (organizationID != "" || query.UserID != "" && query.UserID != caller.UserID) {
		organizationID, err = tenancy.Resolve(caller, organizationID)
	}
	var list []Team
	if err == nil {
		list, err = h.svc.ListOf(r.Context(), caller, query.UserID, organizationID)
	}
	route.Respond(w, r, newTeamResponses(list), err)
}

// inOrganization decodes the request and finds out which organization it is about.
func inOrganization(
	r *http.Request, request any, named *string, act func(caller *principal.Principal, organizationID string) error,
) error {
	caller, err := principal.RequireUser(r.Context())
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		err = route.DecodeQuery(r, request)
	} else {
		err = route.Decode(r, request)
	}
	if err != nil {
		return err
	}
	organizationID, err := tenancy.Resolve(caller, *named)
	if err != nil {
		return err
	}
	return act(caller, organizationID)
}
