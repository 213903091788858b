package invitation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// Newcomer is a request of somebody who is not signed in and has the secret of a mailed
// invitation.
type Newcomer struct {
	Secret string
	// ShownID is as in AcceptParams.
	ShownID string
	// Name and Password are what was typed; both may be empty.
	Name, Password string
	// CallbackURL is where the client goes next.
	CallbackURL string
	// Page says that a form of our own pages was sent.
	Page bool
}

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a callbackURL may lead to. Defaults to the own site.
	RedirectTargets []string
	// Newcomers signs somebody up by an invitation and answers the request, whether the
	// address has an account or not (rule R21); see package auth/invited. An error says
	// that nothing was answered. Defaults to nil: without an account nobody gets in.
	Newcomers func(w http.ResponseWriter, r *http.Request, n Newcomer) error
	// Activate makes the organization that a user just joined the active one of their
	// session, in the transaction of ctx, and the team, if the invitation names exactly
	// one; it may be gone. Defaults to nil: the session stays where it is.
	Activate func(ctx context.Context, caller *principal.Principal, organizationID, teamID string) error
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts that route
// by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc   *Service
	cfg   HandlerConfig
	site  link.Site
	links link.Parking
}

// cookieLink is the name of the cookie that keeps the secret of a link while its page is
// open (rule R24).
const cookieLink = "invitation"

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("invitation: handler: a Service is required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("invitation: handler: %w", err)
	}
	return &Handler{svc: svc, cfg: cfg, site: site, links: site.Parking(cookieLink)}, nil
}

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/organization/invite-member", Access: route.User, InPerson: true, Limit: route.LimitMail,
			Summary: "Invite an address into an organization by mail; the answer never says who has it",
			Request: inviteRequest{}, Response: invitationResponse{}, Handler: h.Invite,
		},
		{
			Method: http.MethodGet, Path: PathAccept, Access: route.Public, Enrolment: true, // it names who is signed in
			Summary: "Show the page of a mailed invitation; it consumes nothing",
			Request: linkQuery{}, Handler: h.AcceptPage,
		},
		{
			Method: http.MethodPost, Path: PathAccept, Access: route.Public, FirstFactor: h.cfg.Newcomers != nil, InPerson: true,
			Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Accept an invitation by its id, or by the secret of its mail, also to sign up",
			Request: acceptRequest{}, Query: linkQuery{}, Response: acceptResponse{}, Handler: h.Accept,
		},
		{
			Method: http.MethodPost, Path: "/organization/reject-invitation", Access: route.Public, InPerson: true,
			Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: "Decline an invitation by its id, or by the secret of its mail",
			Request: rejectRequest{}, Response: rejectResponse{}, Handler: h.Reject,
		},
		{
			Method: http.MethodPost, Path: "/organization/cancel-invitation", Access: route.User,
			Summary: "Take an invitation back",
			Request: cancelRequest{}, Response: invitationResponse{}, Handler: h.Cancel,
		},
		{
			Method: http.MethodGet, Path: "/organization/get-invitation", Access: route.User,
			Summary: "An invitation to the caller's address",
			Request: getQuery{}, Response: receivedResponse{}, Handler: h.Get,
		},
		{
			Method: http.MethodGet, Path: "/organization/list-invitations", Access: route.User,
			Summary: "The invitations of an organization, whatever became of them",
			Request: listQuery{}, Response: []invitationResponse{}, Handler: h.List,
		},
		{
			Method: http.MethodGet, Path: "/organization/list-user-invitations", Access: route.User,
			Summary: "The open invitations to the caller's address",
			// Whoever asks for another address is shown the own one's.
			Ignored:  []string{"email"},
			Response: []receivedResponse{}, Handler: h.ListReceived,
		},
	}
}

// invitationResponse is an invitation on the wire, as the official client reads it.
type invitationResponse struct {
	ID             string     `json:"id" description:"It opens nothing."`
	OrganizationID string     `json:"organizationId"`
	Email          string     `json:"email"`
	Role           string     `json:"role" description:"One role, or several with commas between them."`
	TeamID         *string    `json:"teamId" description:"The teams to join, with commas between them."`
	InviterID      string     `json:"inviterId" description:"Who vouches for it: who invited, or who mailed it again."`
	Status         Status     `json:"status" enum:"pending,accepted,rejected,canceled"`
	ExpiresAt      route.Time `json:"expiresAt"`
	CreatedAt      route.Time `json:"createdAt"`
}

func newInvitationResponse(i Invitation) invitationResponse {
	r := invitationResponse{
		ID: i.ID, OrganizationID: i.OrganizationID, Email: i.Address.Display, Role: i.Role, InviterID: i.InviterID,
		Status: i.Status, ExpiresAt: route.NewTime(i.ExpiresAt), CreatedAt: route.NewTime(i.CreatedAt),
	}
	if len(i.TeamIDs) > 0 {
		teams := strings.Join(i.TeamIDs, ",")
		r.TeamID = &teams
	}
	return r
}

type receivedResponse struct {
	invitationResponse

	OrganizationName string `json:"organizationName"`
	OrganizationSlug string `json:"organizationSlug"`
	InviterEmail     string `json:"inviterEmail,omitempty"`
}

func newReceivedResponse(r Received) receivedResponse {
	return receivedResponse{
		invitationResponse: newInvitationResponse(r.Invitation), OrganizationName: r.OrganizationName, OrganizationSlug: r.OrganizationSlug,
	}
}

type inviteRequest struct {
	Email          string        `json:"email" required:"true" maxLength:"254" description:"The address to invite"`
	Role           route.Strings `json:"role" required:"true" description:"The roles to give, never owner; a list, or names with commas"`
	OrganizationID string        `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
	Resend         bool          `json:"resend" description:"Mail the open invitation again, with this role and these teams."`
	TeamID         route.Strings `json:"teamId" description:"The teams to join: one id or a list"`
}

// Invite answers POST /organization/invite-member.
func (h *Handler) Invite(w http.ResponseWriter, r *http.Request) {
	var body inviteRequest
	caller, err := caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	organizationID := ""
	if err == nil {
		organizationID, err = tenancy.Resolve(caller, body.OrganizationID)
	}
	var i Invitation
	if err == nil {
		i, err = h.svc.Invite(r.Context(), InviteParams{
			Caller: caller, OrganizationID: organizationID, Email: body.Email, Roles: body.Role, TeamIDs: body.TeamID, Resend: body.Resend,
		})
	}
	route.Respond(w, r, newInvitationResponse(i), err)
}

type cancelRequest struct {
	InvitationID string `json:"invitationId" required:"true" maxLength:"64"`
}

// Cancel answers POST /organization/cancel-invitation.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request) {
	var body cancelRequest
	caller, err := caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	var i Invitation
	if err == nil {
		i, err = h.svc.Cancel(r.Context(), caller, body.InvitationID)
	}
	route.Respond(w, r, newInvitationResponse(i), err)
}

type getQuery struct {
	ID string `json:"id" required:"true" maxLength:"64"`
}

// Get answers GET /organization/get-invitation.
func (h *Handler) Get(w http.ResponseWriter, r *http.Request) {
	var query getQuery
	caller, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	var (
		received Received
		inviter  Person
	)
	if err == nil {
		received, inviter, err = h.svc.Get(r.Context(), caller, query.ID)
	}
	response := newReceivedResponse(received)
	response.InviterEmail = inviter.Address.Display
	route.Respond(w, r, response, err)
}

type listQuery struct {
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Defaults to the active organization."`
}

// List answers GET /organization/list-invitations.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	var query listQuery
	caller, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	organizationID := ""
	if err == nil {
		organizationID, err = tenancy.Resolve(caller, query.OrganizationID)
	}
	var response any
	if err == nil {
		response, err = h.Listed(r.Context(), caller, organizationID)
	}
	route.Respond(w, r, response, err)
}

// Listed returns the organization's invitations as the wire shows them; it is a
// tenancy.List.
func (h *Handler) Listed(ctx context.Context, caller *principal.Principal, organizationID string) (any, error) {
	list, err := h.svc.List(ctx, caller, organizationID)
	if err != nil {
		return nil, err
	}
	response := make([]invitationResponse, 0, len(list))
	for _, i := range list {
		response = append(response, newInvitationResponse(i))
	}
	return response, nil
}

// ListReceived answers GET /organization/list-user-invitations.
func (h *Handler) ListReceived(w http.ResponseWriter, r *http.Request) {
	caller, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &struct{}{})
	}
	var list []Received
	if err == nil {
		list, err = h.svc.ListReceived(r.Context(), caller)
	}
	response := make([]receivedResponse, 0, len(list))
	for _, received := range list {
		response = append(response, newReceivedResponse(received))
	}
	route.Respond(w, r, response, err)
}

// caller returns the user who calls.
func caller(r *http.Request) (*principal.Principal, error) { return principal.RequireUser(r.Context()) }

// next is where a page leads that is done.
func next(query linkQuery) string { return cmp.Or(query.CallbackURL, "/") }
