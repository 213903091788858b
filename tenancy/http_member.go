package tenancy

import (
	"cmp"
	"context"
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) memberRoutes() route.Table {
	return route.Table{
		get("list-members", "The members of an organization", listMembersQuery{}, listMembersResponse{}, h.ListMembers),
		get("get-active-member", "The caller's place in the active organization", emptyQuery{}, describedMember{}, h.GetActiveMember),
		get("get-active-member-role", "A member's role, the caller's by default", memberRoleQuery{}, roleResponse{}, h.GetActiveMemberRole),
		post("update-member-role", "Give a member other roles", updateRoleOfRequest{}, wireMember{}, h.UpdateMemberRole),
		post("remove-member", "End a membership", removeMemberRequest{}, removedResponse{}, h.RemoveMember),
		post("leave", "End the caller's membership", organizationRequest{}, describedMember{}, h.Leave),
		post("has-permission", "Whether the caller's role allows something", permissionRequest{}, permissionResponse{}, h.HasPermission),
	}
}

func (h *Handler) ownershipRoutes() route.Table {
	return route.Table{
		h.inPerson(post("transfer-ownership", "Offer the organization to a member", offerRequest{}, offerResponse{}, h.TransferOwnership)),
		h.inPerson(post("accept-ownership", "Become the owner of an organization that was offered", organizationRequest{}, wireOrganization{}, h.AcceptOwnership)),
	}
}

type wireMember struct {
	ID             string     `json:"id"`
	OrganizationID string     `json:"organizationId"`
	UserID         string     `json:"userId"`
	Role           string     `json:"role" description:"owner, or one or more other roles with commas between them"`
	CreatedAt      route.Time `json:"createdAt"`
}

func newWireMember(m Member) wireMember {
	return wireMember{ID: m.ID, OrganizationID: m.OrganizationID, UserID: m.UserID, Role: m.Role, CreatedAt: route.NewTime(m.CreatedAt)}
}

// describedMember is a member as fellow members see them.
type describedMember struct {
	wireMember

	User memberUser `json:"user"`
}

type memberUser struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Email string  `json:"email"`
	Image *string `json:"image"`
}

// describe adds who the members are.
func (h *Handler) describe(ctx context.Context, members ...Member) ([]describedMember, error) {
	known, err := h.svc.profiles(ctx, members)
	if err != nil {
		return nil, err
	}
	list := make([]describedMember, 0, len(members))
	for _, m := range members {
		p := known[m.UserID]
		list = append(list, describedMember{
			wireMember: newWireMember(m),
			User:       memberUser{ID: m.UserID, Name: p.Name, Email: p.Email, Image: route.OrNull(p.Image)},
		})
	}
	return list, nil
}

func (h *Handler) describeOne(ctx context.Context, m Member) (describedMember, error) {
	list, err := h.describe(ctx, m)
	if err != nil {
		return describedMember{}, err
	}
	return list[0], nil
}

// members returns one page.
func (h *Handler) members(ctx context.Context, caller *principal.Principal, q MemberQuery) ([]describedMember, int, error) {
	q.Limit = cmp.Or(q.Limit, defaultMembers)
	page, total, err := h.svc.Members(ctx, caller, q)
	if err != nil {
		return nil, 0, err
	}
	list, err := h.describe(ctx, page...)
	return list, total, err
}

type listMembersQuery struct {
	organizationQuery

	Limit          int      `json:"limit" minimum:"1" description:"How many members at most, 500 in any case. Defaults to 100."`
	Offset         int      `json:"offset" minimum:"0" maximum:"1000000" description:"How many members to pass over"`
	SortBy         string   `json:"sortBy" enum:"createdAt,role,userId,id" description:"Defaults to createdAt."`
	SortDirection  string   `json:"sortDirection" enum:"asc,desc" description:"Defaults to asc."`
	FilterField    string   `json:"filterField" enum:"role,userId,id" description:"What filterValue is compared with"`
	FilterOperator string   `json:"filterOperator" enum:"eq,ne,in,not_in,contains,starts_with,ends_with" description:"Defaults to eq."`
	FilterValue    []string `json:"filterValue" maxItems:"100" maxLength:"640" description:"One value, or several for in and not_in"`
}

type listMembersResponse struct {
	Members []describedMember `json:"members"`
	Total   int               `json:"total" description:"How many there are without limit and offset"`
}

// ListMembers answers GET organization/list-members.
func (h *Handler) ListMembers(w http.ResponseWriter, r *http.Request) {
	var request listMembersQuery
	caller, err := query(r, &request)
	var o Organization
	if err == nil {
		o, _, err = h.enter(r.Context(), caller, request.OrganizationID, request.OrganizationSlug)
	}
	q := MemberQuery{
		OrganizationID: o.ID, Limit: request.Limit, Offset: request.Offset,
		SortBy: MemberField(request.SortBy), Descending: request.SortDirection == "desc",
		Filter: MemberField(request.FilterField), Operator: cmp.Or(Operator(request.FilterOperator), Equal), Values: request.FilterValue,
	}
	if err == nil && q.Filter != "" && len(q.Values) == 0 {
		err = problem.ErrValidation.WithFields(problem.FieldError{Field: "filterValue", Code: "REQUIRED", Message: "is required; add it"})
	}
	var response listMembersResponse
	if err == nil {
		response.Members, response.Total, err = h.members(r.Context(), caller, q)
	}
	answer(w, r, response, err)
}

// GetActiveMember answers GET organization/get-active-member.
func (h *Handler) GetActiveMember(w http.ResponseWriter, r *http.Request) {
	caller, err := query(r, &emptyQuery{})
	var m Member
	if err == nil {
		_, m, err = h.enter(r.Context(), caller, "", "")
	}
	var described describedMember
	if err == nil {
		described, err = h.describeOne(r.Context(), m)
	}
	answer(w, r, described, err)
}

type memberRoleQuery struct {
	organizationQuery

	UserID string `json:"userId" maxLength:"64" description:"Whose role. Defaults to the caller."`
}

type roleResponse struct {
	Role string `json:"role"`
}

// GetActiveMemberRole answers GET organization/get-active-member-role. Who is not a
// member and who is no user at all are the same 404.
func (h *Handler) GetActiveMemberRole(w http.ResponseWriter, r *http.Request) {
	var request memberRoleQuery
	caller, err := query(r, &request)
	var (
		o Organization
		m Member
	)
	if err == nil {
		o, m, err = h.enter(r.Context(), caller, request.OrganizationID, request.OrganizationSlug)
	}
	if err == nil && request.UserID != "" {
		m, err = h.svc.memberOf(rowscope.Within(r.Context(), o.ID), o.ID, request.UserID)
	}
	answer(w, r, roleResponse{Role: m.Role}, err)
}

type updateRoleOfRequest struct {
	OrganizationID string        `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	MemberID       string        `json:"memberId" required:"true" maxLength:"64" description:"The member's id, which is not the user's"`
	Role           route.Strings `json:"role" required:"true" description:"The roles, as a list or with commas between them"`
}

// UpdateMemberRole answers POST organization/update-member-role.
func (h *Handler) UpdateMemberRole(w http.ResponseWriter, r *http.Request) {
	var request updateRoleOfRequest
	caller, err := body(r, &request)
	p := UpdateMemberRoleParams{Caller: caller, MemberID: request.MemberID, Roles: request.Role}
	if err == nil {
		p.OrganizationID, err = Resolve(caller, request.OrganizationID)
	}
	var m Member
	if err == nil {
		m, err = h.svc.UpdateMemberRole(r.Context(), p)
	}
	answer(w, r, newWireMember(m), err)
}

type removeMemberRequest struct {
	OrganizationID  string `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	MemberIDOrEmail string `json:"memberIdOrEmail" required:"true" maxLength:"254" description:"The member's id, or the user's address"`
}

type removedResponse struct {
	Member describedMember `json:"member"`
}

// RemoveMember answers POST organization/remove-member.
func (h *Handler) RemoveMember(w http.ResponseWriter, r *http.Request) {
	var request removeMemberRequest
	caller, err := body(r, &request)
	var id string
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	var m Member
	if err == nil {
		m, err = h.svc.RemoveMember(r.Context(), caller, id, request.MemberIDOrEmail)
	}
	var described describedMember
	if err == nil {
		described, err = h.describeOne(r.Context(), m)
	}
	answer(w, r, removedResponse{Member: described}, err)
}

// Leave answers POST organization/leave.
func (h *Handler) Leave(w http.ResponseWriter, r *http.Request) {
	var request organizationRequest
	caller, err := body(r, &request)
	var m Member
	if err == nil {
		m, err = h.svc.Leave(r.Context(), caller, request.OrganizationID)
	}
	var described describedMember
	if err == nil {
		described, err = h.describeOne(r.Context(), m)
	}
	answer(w, r, described, err)
}

type permissionRequest struct {
	OrganizationID string              `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	Permissions    map[string][]string `json:"permissions" maxItems:"100" description:"Actions by resource; all of them are asked for"`
	Permission     map[string][]string `json:"permission" maxItems:"100" description:"The older name of permissions"`
}

type permissionResponse struct {
	Error   *string `json:"error"`
	Success bool    `json:"success"`
}

// HasPermission answers POST organization/has-permission.
func (h *Handler) HasPermission(w http.ResponseWriter, r *http.Request) {
	var request permissionRequest
	caller, err := body(r, &request)
	if err == nil && (request.Permissions == nil) == (request.Permission == nil) {
		err = problem.ErrValidation.WithFields(problem.FieldError{Field: "permissions", Code: "REQUIRED", Message: "is required; add it, and not permission besides"})
	}
	var id string
	if err == nil {
		id, err = Resolve(caller, request.OrganizationID)
	}
	asked := Permissions(request.Permissions)
	if asked == nil {
		asked = request.Permission
	}
	var allowed bool
	if err == nil {
		allowed, err = h.svc.HasPermission(r.Context(), caller, id, asked)
	}
	answer(w, r, permissionResponse{Success: allowed}, err)
}

type offerRequest struct {
	OrganizationID string `json:"organizationId" required:"true" maxLength:"64" description:"The organization, which the caller owns"`
	UserID         string `json:"userId" required:"true" maxLength:"64" description:"The member who may accept; the caller's own id takes the offer back"`
}

type offerResponse struct {
	OrganizationID string      `json:"organizationId"`
	UserID         *string     `json:"userId" description:"Who may accept, or null"`
	ExpiresAt      *route.Time `json:"expiresAt" description:"Until when"`
}

// TransferOwnership answers POST organization/transfer-ownership.
func (h *Handler) TransferOwnership(w http.ResponseWriter, r *http.Request) {
	var request offerRequest
	caller, err := body(r, &request)
	var offer Offer
	if err == nil {
		offer, err = h.svc.OfferOwnership(r.Context(), caller, request.OrganizationID, request.UserID)
	}
	response := offerResponse{OrganizationID: request.OrganizationID, UserID: route.OrNull(offer.UserID)}
	if offer.UserID != "" {
		at := route.NewTime(offer.EndsAt)
		response.ExpiresAt = &at
	}
	answer(w, r, response, err)
}

// AcceptOwnership answers POST organization/accept-ownership.
func (h *Handler) AcceptOwnership(w http.ResponseWriter, r *http.Request) {
	var request organizationRequest
	caller, err := body(r, &request)
	var o Organization
	if err == nil {
		o, err = h.svc.AcceptOwnership(r.Context(), caller, request.OrganizationID)
	}
	answer(w, r, newWireOrganization(o), err)
}
