package invitation

import (
	"context"
	"errors"
	"net/http"

	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/token"
)

type linkQuery struct {
	Token       string `json:"token" maxLength:"200" description:"The secret of the mailed link"`
	CallbackURL string `json:"callbackURL" maxLength:"2048" description:"Where the page leads when it is done"`
	Declined    string `json:"declined" maxLength:"1" description:"1 shows that the invitation was declined"`
}

type acceptRequest struct {
	InvitationID string `json:"invitationId" maxLength:"64" description:"The invitation, for a user whose proven address is the invited one"`
	Token        string `json:"token" maxLength:"200" description:"The secret of the mailed link, in place of the id"`
	Shown        string `json:"shown" maxLength:"64" description:"The id of the invitation that a page showed"`
	As           string `json:"as" maxLength:"64" description:"The caller's user id, from a user with another address than the invited one who was shown both"`
	Name         string `json:"name" maxLength:"128" description:"Of somebody who signs up: what to call them"`
	Password     string `json:"password" maxLength:"1024" description:"Of somebody who signs up: a password, if they want one"`
}

type acceptResponse struct {
	Invitation invitationResponse `json:"invitation"`
	Member     memberResponse     `json:"member"`
}

type memberResponse struct {
	ID             string     `json:"id"`
	OrganizationID string     `json:"organizationId"`
	UserID         string     `json:"userId"`
	Role           string     `json:"role"`
	CreatedAt      route.Time `json:"createdAt"`
}

func newMemberResponse(m tenancy.Member) memberResponse {
	return memberResponse{
		ID: m.ID, OrganizationID: m.OrganizationID, UserID: m.UserID, Role: m.Role, CreatedAt: route.NewTime(m.CreatedAt),
	}
}

// person returns the user who calls in a session of their own, or nil for nobody: keys
// accept nothing.
func person(r *http.Request) (*principal.Principal, error) {
	caller, err := principal.RequireUser(r.Context())
	switch {
	case errors.Is(err, problem.ErrUnauthenticated):
		return nil, nil //nolint:nilnil // nobody is signed in, which is no error here
	case err != nil:
		return nil, err
	case caller.ImpersonatorID != "":
		return nil, route.ErrImpersonated
	case caller.SessionID == "" || caller.APIKeyID != "":
		return nil, problem.ErrForbidden
	}
	return caller, nil
}

// Accept answers POST /organization/accept-invitation: for whoever is signed in as
// themselves, for others as somebody who signs up by the mailed secret. Programs get
// JSON, our own page gets redirects and pages.
func (h *Handler) Accept(w http.ResponseWriter, r *http.Request) {
	query, err := h.linkQuery(r)
	var body acceptRequest
	if err == nil {
		err = route.Decode(r, &body)
	}
	var caller *principal.Principal
	if err == nil {
		caller, err = person(r)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	secret := ""
	if body.InvitationID == "" {
		secret = h.links.Presented(r, body.Token, query.Token)
	}
	var a Acceptance
	switch {
	case caller != nil:
		a, err = h.accept(r.Context(), AcceptParams{
			Caller: caller, ID: body.InvitationID, Token: secret, ShownID: body.Shown, As: body.As,
		})
	case secret == "" || h.cfg.Newcomers == nil:
		err = problem.ErrUnauthenticated
	default:
		err = h.cfg.Newcomers(w, r, Newcomer{
			Secret: secret, ShownID: body.Shown, Name: body.Name, Password: body.Password,
			CallbackURL: query.CallbackURL, Page: link.IsForm(r),
		})
		if err == nil {
			return // answered
		}
	}
	h.finish(w, r, query, acceptResponse{Invitation: newInvitationResponse(a.Invitation), Member: newMemberResponse(a.Member)}, err)
}

// accept makes the organization active in the transaction that makes the member.
func (h *Handler) accept(ctx context.Context, p AcceptParams) (a Acceptance, err error) {
	if p.ID == "" && p.Token == "" {
		return Acceptance{}, ErrNotFound
	}
	err = h.svc.store.InTx(ctx, func(ctx context.Context) error {
		if a, err = h.svc.Accept(ctx, p); err != nil || h.cfg.Activate == nil {
			return err
		}
		team := ""
		if len(a.Invitation.TeamIDs) == 1 {
			team = a.Invitation.TeamIDs[0]
		}
		return h.cfg.Activate(ctx, p.Caller, a.Organization.ID, team)
	})
	return a, err
}

// finish answers programs with JSON and the page's form with where to go.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, query linkQuery, response any, err error) {
	failure, ok := errors.AsType[*problem.Error](err)
	switch {
	case !link.IsForm(r):
		route.Respond(w, r, response, err)
	case err == nil:
		h.links.Leave(w)
		link.SeeOther(w, next(query))
	case errors.Is(err, token.ErrInvalid) || !ok || failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.dead(w, r, query, err)
	default:
		h.show(w, r, query, failure)
	}
}

type rejectRequest struct {
	InvitationID string `json:"invitationId" maxLength:"64" description:"The invitation, for a user whose proven address is the invited one"`
	Token        string `json:"token" maxLength:"200" description:"The secret of the mailed link, in place of the id"`
	Shown        string `json:"shown" maxLength:"64" description:"The id of the invitation that a page showed"`
}

type rejectResponse struct {
	Invitation invitationResponse `json:"invitation"`
	Member     *memberResponse    `json:"member"`
}

// Reject answers POST /organization/reject-invitation.
func (h *Handler) Reject(w http.ResponseWriter, r *http.Request) {
	var body rejectRequest
	err := route.Decode(r, &body)
	var caller *principal.Principal
	if err == nil {
		caller, err = person(r)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	secret := ""
	if body.InvitationID == "" {
		secret = h.links.Presented(r, body.Token, "")
	}
	var i Invitation
	if caller == nil && secret == "" {
		err = problem.ErrUnauthenticated
	} else {
		i, err = h.svc.Reject(r.Context(), RejectParams{Caller: caller, ID: body.InvitationID, Token: secret, ShownID: body.Shown})
	}
	switch {
	case !link.IsForm(r):
		route.Respond(w, r, rejectResponse{Invitation: newInvitationResponse(i)}, err)
	case err != nil:
		h.dead(w, r, linkQuery{}, err)
	default:
		h.links.Leave(w)
		link.SeeOther(w, here(linkQuery{Declined: "1"}))
	}
}

// linkQuery reads the query, and refuses targets that are not allowed.
func (h *Handler) linkQuery(r *http.Request) (linkQuery, error) {
	var query linkQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		return linkQuery{}, err
	}
	if !h.site.Allows(query.CallbackURL) {
		return linkQuery{}, ErrCallbackURL
	}
	return query, nil
}

// here is the address of the page without its secret.
func here(query linkQuery) string {
	return link.Here("accept-invitation", map[string]string{"callbackURL": query.CallbackURL, "declined": query.Declined})
}

// AcceptPage answers GET /organization/accept-invitation. It consumes nothing: with a
// token it parks it in a cookie and drops it from the address, without one it shows who
// is invited to what (rule R24). It says nothing about who has the invited address.
func (h *Handler) AcceptPage(w http.ResponseWriter, r *http.Request) {
	query, err := h.linkQuery(r)
	switch {
	case !page.Wants(r):
		problem.Write(w, r, link.ErrConfirmWithPost)
	case err != nil:
		h.site.Pages.WriteProblem(w, r, err)
	case query.Token != "":
		h.links.Park(w, query.Token, here(query))
	case query.Declined != "":
		h.site.Pages.Write(w, r, http.StatusOK, page.Card{
			Title: "You declined the invitation", Tone: page.Success, Notice: "You need not do anything else.",
			Links: []page.Link{{Href: "/", Text: "Go on"}},
		})
	default:
		h.show(w, r, query, nil)
	}
}

// dead answers a link that does not work.
func (h *Handler) dead(w http.ResponseWriter, r *http.Request, query linkQuery, err error) {
	if !errors.Is(err, token.ErrInvalid) {
		h.site.Pages.WriteProblem(w, r, err, page.Link{Href: "/", Text: "Go on"})
		return
	}
	h.links.Leave(w)
	link.Fail(w, r, h.site.Pages, query.CallbackURL, err)
}
