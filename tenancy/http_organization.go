package tenancy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) organizationRoutes() route.Table {
	create := post("create", "Make an organization, which the caller owns", createRequest{}, createdResponse{}, h.Create)
	create.Ignored, create.Limit = []string{"userId"}, route.LimitAccount
	policy := post("set-second-factor-policy", "Demand a second factor of an organization's members, or stop to", policyRequest{}, policyResponse{}, h.SetSecondFactorPolicy)
	return route.Table{
		create, h.inPerson(policy),
		h.inPerson(post("delete", "Delete an organization with all its members", organizationRequest{}, wireOrganization{}, h.Delete)),
		post("update", "Change an organization", updateRequest{}, wireOrganization{}, h.Update),
		post("check-slug", "Whether an organization could have a slug", slugRequest{}, slugResponse{}, h.CheckSlug),
		post("set-active", "Choose the organization that the session acts in", setActiveRequest{}, wireOrganization{}, h.SetActive),
		get("list", "The caller's organizations", emptyQuery{}, []wireOrganization{}, h.List),
		get("get-organization", "One organization", organizationQuery{}, wireOrganization{}, h.GetOrganization),
		get("get-full-organization", "One organization with its members, invitations and teams", fullQuery{}, fullOrganization{}, h.GetFullOrganization),
	}
}

type emptyQuery struct{}

type organizationRequest struct {
	OrganizationID string `json:"organizationId" required:"true" maxLength:"64" description:"The organization"`
}

type organizationQuery struct {
	OrganizationID   string `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	OrganizationSlug string `json:"organizationSlug" maxLength:"64" description:"The organization's slug, in the place of its id"`
}

type fullQuery struct {
	organizationQuery

	MembersLimit int `json:"membersLimit" minimum:"1" description:"How many members at most. Defaults to 100."`
}

// wireOrganization has the official client's fields and, after them, ours.
type wireOrganization struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Slug      string          `json:"slug"`
	Logo      *string         `json:"logo"`
	Metadata  json.RawMessage `json:"metadata" description:"The host's JSON object, or null"`
	CreatedAt route.Time      `json:"createdAt"`
	UpdatedAt route.Time      `json:"updatedAt"`
}

func newWireOrganization(o Organization) wireOrganization {
	w := wireOrganization{
		ID: o.ID, Name: o.Name, Slug: o.Slug, Logo: route.OrNull(o.Logo), Metadata: o.Metadata,
		CreatedAt: route.NewTime(o.CreatedAt), UpdatedAt: route.NewTime(o.UpdatedAt),
	}
	if w.Metadata == nil {
		w.Metadata = json.RawMessage("null")
	}
	return w
}

type createRequest struct {
	Name       string          `json:"name" required:"true" maxLength:"400" description:"1 to 100 printable characters"`
	Slug       string          `json:"slug" required:"true" maxLength:"64" description:"The unique name for URLs: lower-case letters, digits and single hyphens"`
	Logo       json.RawMessage `json:"logo" description:"The http or https address of a picture, or null"`
	Metadata   json.RawMessage `json:"metadata" description:"A JSON object of the host's"`
	KeepActive bool            `json:"keepCurrentActiveOrganization" description:"Leave the session's active organization as it is"`
}

type createdResponse struct {
	wireOrganization

	Members []wireMember `json:"members"`
}

// Create answers POST organization/create.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request) {
	var request createRequest
	caller, err := body(r, &request)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	logo, err := nullable("logo", request.Logo)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	p := CreateParams{Caller: caller, Name: request.Name, Slug: request.Slug, Metadata: request.Metadata, KeepActive: request.KeepActive}
	if logo != nil {
		p.Logo = *logo
	}
	o, owner, err := h.svc.Create(r.Context(), p)
	answer(w, r, createdResponse{wireOrganization: newWireOrganization(o), Members: []wireMember{newWireMember(owner)}}, err)
}

type updateRequest struct {
	OrganizationID string     `json:"organizationId" maxLength:"64" description:"The organization. Defaults to the active one."`
	Data           updateData `json:"data" required:"true" description:"What changes"`
}

type updateData struct {
	Name     *string         `json:"name" maxLength:"400" description:"1 to 100 printable characters"`
	Slug     *string         `json:"slug" maxLength:"64" description:"Lower-case letters, digits and single hyphens"`
	Logo     json.RawMessage `json:"logo" description:"The http or https address of a picture; null takes it away"`
	Metadata json.RawMessage `json:"metadata" description:"A JSON object of the host's; null takes it away"`
}

// Update answers POST organization/update.
func (h *Handler) Update(w http.ResponseWriter, r *http.Request) {
	var request updateRequest
	caller, err := body(r, &request)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	p := UpdateParams{Caller: caller, Name: request.Data.Name, Slug: request.Data.Slug}
	if len(request.Data.Metadata) > 0 {
		p.Metadata = &request.Data.Metadata
	}
	if p.Logo, err = nullable("data.logo", request.Data.Logo); err == nil {
		p.OrganizationID, err = Resolve(caller, request.OrganizationID)
	}
	var o Organization
	if err == nil {
		o, err = h.svc.Update(r.Context(), p)
	}
	answer(w, r, newWireOrganization(o), err)
}

// Delete answers POST organization/delete with the organization as it was.
func (h *Handler) Delete(w http.ResponseWriter, r *http.Request) {
	var request organizationRequest
	caller, err := body(r, &request)
	var o Organization
	if err == nil {
		o, err = h.svc.Delete(r.Context(), caller, request.OrganizationID)
	}
	answer(w, r, newWireOrganization(o), err)
}

type slugRequest struct {
	Slug string `json:"slug" required:"true" maxLength:"64" description:"The slug"`
}

type slugResponse struct {
	Status bool `json:"status"`
}

// CheckSlug answers POST organization/check-slug.
func (h *Handler) CheckSlug(w http.ResponseWriter, r *http.Request) {
	var request slugRequest
	_, err := body(r, &request)
	if err == nil {
		err = h.svc.CheckSlug(r.Context(), request.Slug)
	}
	answer(w, r, slugResponse{Status: true}, err)
}

type setActiveRequest struct {
	OrganizationID   json.RawMessage `json:"organizationId" description:"The organization; null for none. Defaults to the active one."`
	OrganizationSlug string          `json:"organizationSlug" maxLength:"64" description:"The organization's slug, in the place of its id"`
}

// SetActive answers POST organization/set-active with the organization, or null.
func (h *Handler) SetActive(w http.ResponseWriter, r *http.Request) {
	var request setActiveRequest
	caller, err := body(r, &request)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	id, err := nullable("organizationId", request.OrganizationID)
	if string(request.OrganizationID) == "null" {
		_, err = h.svc.SetActive(r.Context(), caller, "")
		answer(w, r, nil, err)
		return
	}
	if err == nil && id == nil {
		id = new(string)
	}
	var o Organization
	if err == nil {
		o, _, err = h.enter(r.Context(), caller, *id, request.OrganizationSlug)
	}
	if errors.Is(err, principal.ErrNoOrganization) {
		answer(w, r, nil, nil)
		return
	}
	if err == nil {
		o, err = h.svc.SetActive(r.Context(), caller, o.ID)
	}
	answer(w, r, newWireOrganization(o), err)
}

// enter returns the organization that a request names by its id or its slug, or else the
// one that is the scope, for a caller who may act there (rule R13).
func (h *Handler) enter(ctx context.Context, caller *principal.Principal, id, slug string) (Organization, Member, error) {
	if slug == "" {
		id, err := Resolve(caller, id)
		if err != nil {
			return Organization{}, Member{}, err
		}
		return h.svc.Enter(ctx, caller, id)
	}
	o, m, err := h.svc.EnterBySlug(ctx, caller, slug)
	if err == nil {
		_, err = Resolve(caller, o.ID, id)
	}
	if err != nil {
		return Organization{}, Member{}, err
	}
	return o, m, nil
}

// List answers GET organization/list with an array.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	caller, err := query(r, &emptyQuery{})
	var found []Organization
	if err == nil {
		found, err = h.svc.List(r.Context(), caller.UserID)
	}
	list := make([]wireOrganization, 0, len(found))
	for _, o := range found {
		list = append(list, newWireOrganization(o))
	}
	answer(w, r, list, err)
}

// GetOrganization answers GET organization/get-organization with the organization, or
// null where none is named and none is active.
func (h *Handler) GetOrganization(w http.ResponseWriter, r *http.Request) {
	var request organizationQuery
	caller, err := query(r, &request)
	var o Organization
	if err == nil {
		o, _, err = h.enter(r.Context(), caller, request.OrganizationID, request.OrganizationSlug)
	}
	if errors.Is(err, principal.ErrNoOrganization) {
		answer(w, r, nil, nil)
		return
	}
	answer(w, r, newWireOrganization(o), err)
}

type fullOrganization struct {
	wireOrganization

	Members     []describedMember `json:"members"`
	Invitations any               `json:"invitations"`
	Teams       any               `json:"teams"`
}

// defaultMembers is how many members are shown where nobody says how many.
const defaultMembers = 100

// GetFullOrganization answers GET organization/get-full-organization with the
// organization, or null where none is named and none is active.
func (h *Handler) GetFullOrganization(w http.ResponseWriter, r *http.Request) {
	var request fullQuery
	caller, err := query(r, &request)
	var o Organization
	if err == nil {
		o, _, err = h.enter(r.Context(), caller, request.OrganizationID, request.OrganizationSlug)
	}
	if errors.Is(err, principal.ErrNoOrganization) {
		answer(w, r, nil, nil)
		return
	}
	full := fullOrganization{wireOrganization: newWireOrganization(o)}
	if err == nil {
		q := MemberQuery{OrganizationID: o.ID, Limit: request.MembersLimit}
		full.Members, _, err = h.members(r.Context(), caller, q)
	}
	if err == nil {
		full.Invitations, err = listed(r.Context(), h.cfg.Invitations, caller, o.ID)
	}
	if err == nil {
		full.Teams, err = listed(r.Context(), h.cfg.Teams, caller, o.ID)
	}
	answer(w, r, full, err)
}

func listed(ctx context.Context, list List, caller *principal.Principal, organizationID string) (any, error) {
	if list == nil {
		return []any{}, nil
	}
	return list(ctx, caller, organizationID)
}

type policyRequest struct {
	OrganizationID       string `json:"organizationId" required:"true" maxLength:"64" description:"The organization, which the caller owns."`
	Required             *bool  `json:"required" required:"true" description:"Whether every member needs a second factor."`
	GraceDays            int    `json:"graceDays" minimum:"0" maximum:"365" description:"How many days members have to enrol. Defaults to none."`
	AcceptTrustedDevices bool   `json:"acceptTrustedDevices" description:"Whether a trusted device is enough. It proves nothing. Defaults to false."`
}

type policyResponse struct {
	OrganizationID       string      `json:"organizationId"`
	Required             bool        `json:"required"`
	RequiredFrom         *route.Time `json:"requiredFrom" description:"The end of the grace period."`
	AcceptTrustedDevices bool        `json:"acceptTrustedDevices"`
}

// SetSecondFactorPolicy answers POST organization/set-second-factor-policy. Somebody
// else's organization and one that never existed are the same 404.
func (h *Handler) SetSecondFactorPolicy(w http.ResponseWriter, r *http.Request) {
	var request policyRequest
	caller, err := body(r, &request)
	var o Organization
	if err == nil {
		o, err = h.svc.SetSecondFactorPolicy(r.Context(), SecondFactorParams{
			OrganizationID: request.OrganizationID, Caller: caller, Required: *request.Required,
			Grace: time.Duration(request.GraceDays) * 24 * time.Hour, AcceptTrustedDevices: request.AcceptTrustedDevices,
		})
	}
	response := policyResponse{OrganizationID: o.ID, AcceptTrustedDevices: o.SecondFactor.AcceptTrustedDevices}
	if from := o.SecondFactor.From; !from.IsZero() {
		at := route.NewTime(from)
		response.Required, response.RequiredFrom = true, &at
	}
	answer(w, r, response, err)
}
