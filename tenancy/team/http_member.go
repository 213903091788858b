package team

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

type membersQuery struct {
	TeamID string `json:"teamId" maxLength:"64" description:"Defaults to the active team."`
}

// Members answers GET /organization/list-team-members.
func (h *Handler) Members(w http.ResponseWriter, r *http.Request) {
	var query membersQuery
	caller, err := principal.RequireUser(r.Context())
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	teamID := query.TeamID
	if err == nil && teamID == "" {
		teamID, err = h.active(r)
	}
	var list []Member
	if err == nil {
		list, err = h.svc.Members(r.Context(), caller, teamID)
	}
	response := make([]memberResponse, 0, len(list))
	for _, m := range list {
		response = append(response, newMemberResponse(m))
	}
	route.Respond(w, r, response, err)
}

// active returns the active team of the caller's session.
func (h *Handler) active(r *http.Request) (string, error) {
	if h.cfg.Active != nil {
		if id := h.cfg.Active(r); id != "" {
			return id, nil
		}
	}
	return "", ErrNoActiveTeam
}

type memberRequest struct {
	TeamID         string `json:"teamId" required:"true" maxLength:"64"`
	UserID         string `json:"userId" required:"true" maxLength:"64" description:"A member of the organization"`
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
}

// AddMember answers POST /organization/add-team-member.
func (h *Handler) AddMember(w http.ResponseWriter, r *http.Request) {
	var body memberRequest
	var m Member
	err := inOrganization(r, &body, &body.OrganizationID, func(caller *principal.Principal, organizationID string) (err error) {
		m, err = h.svc.AddMember(r.Context(), caller, organizationID, body.TeamID, body.UserID)
		return err
	})
	route.Respond(w, r, newMemberResponse(m), err)
}

// RemoveMember answers POST /organization/remove-team-member.
func (h *Handler) RemoveMember(w http.ResponseWriter, r *http.Request) {
	var body memberRequest
	err := inOrganization(r, &body, &body.OrganizationID, func(caller *principal.Principal, organizationID string) error {
		return h.svc.RemoveMember(r.Context(), caller, organizationID, body.TeamID, body.UserID)
	})
	route.Respond(w, r, messageResponse{"Team member removed successfully."}, err)
}

type activeRequest struct {
	TeamID json.RawMessage `json:"teamId" description:"A team of the active organization that the caller is in; null for none."`
}

// SetActive answers POST /organization/set-active-team: with the team, or with null for
// none. Without teamId nothing changes, and the active team is the answer.
func (h *Handler) SetActive(w http.ResponseWriter, r *http.Request) {
	var body activeRequest
	caller, err := principal.RequireUser(r.Context())
	if err == nil {
		err = route.Decode(r, &body)
	}
	teamID := ""
	if err == nil {
		teamID, err = body.team()
	}
	if err == nil && body.TeamID == nil && h.cfg.Active != nil {
		teamID = h.cfg.Active(r)
	}
	var t Team
	if err == nil {
		t, err = h.activate(r.Context(), caller, teamID)
	}
	if err == nil && t.ID == "" {
		route.Respond(w, r, nil, nil)
		return
	}
	route.Respond(w, r, newTeamResponse(t), err)
}

// team reads a text or null.
func (a activeRequest) team() (string, error) {
	var id *string
	if len(a.TeamID) > 0 && json.Unmarshal(a.TeamID, &id) != nil {
		return "", ErrNotFound
	}
	return *cmp.Or(id, new(string)), nil
}

func (h *Handler) activate(ctx context.Context, caller *principal.Principal, teamID string) (t Team, err error) {
	err = h.svc.store.InTx(ctx, func(ctx context.Context) error {
		organizationID := caller.OrganizationID
		if teamID == "" && organizationID == "" {
			return nil // none is active anyway
		}
		if teamID != "" {
			if organizationID, err = tenancy.Resolve(caller); err != nil {
				return err
			}
			if t, err = h.svc.Choose(ctx, caller, organizationID, teamID); err != nil {
				return err
			}
		}
		return h.cfg.Activate(ctx, caller, organizationID, teamID)
	})
	return t, err
}
