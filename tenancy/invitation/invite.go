package invitation

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/token"
)

// maxTeams is how many teams one invitation names at most.
const maxTeams = 20

// InviteParams say who is invited to what.
type InviteParams struct {
	// Caller may "invitation: create" in the organization, and has every permission
	// that the roles give.
	Caller         *principal.Principal
	OrganizationID string
	// Email is the address, as people type it.
	Email string
	// Roles are names, or lists of them with commas, and never tenancy.RoleOwner.
	Roles []string
	// TeamIDs are teams of the organization, 20 at most.
	TeamIDs []string
	// Resend mails the open invitation to the address again, within the budget of rule
	// R6: it gets these roles and teams, its life starts anew, and the caller vouches
	// for it from now on, who must be one who could have sent it. Links from before stay
	// valid. Without an open one, and without Resend, an invitation is made.
	Resend bool
}

// Invite mails an invitation. The answer and the statements are the same whoever has the
// address, and nobody (rule R7); over the budget of rule R6 no mail goes, and the
// invitation is made all the same.
//
// It joins the transaction of ctx; Hooks.BeforeInvited and Hooks.Invited run in it.
// Errors: those of tenancy.Service.Authorize and ResolveRoles; ErrInvalidEmail,
// ErrRole, ErrAlreadyMember, ErrAlreadyInvited, ErrLimitReached; for teams, an error of
// kind problem.NotFound.
func (s *Service) Invite(ctx context.Context, p InviteParams) (i Invitation, err error) {
	address, err := s.cfg.People.ParseAddress(p.Email)
	if err != nil {
		return Invitation{}, ErrInvalidEmail
	}
	err = s.store.InTx(rowscope.Asking(ctx, p.Caller.UserID, p.OrganizationID), func(ctx context.Context) error {
		i, err = s.invite(ctx, p, address)
		return err
	})
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: invite: %w", err)
	}
	return i, nil
}

func (s *Service) invite(ctx context.Context, p InviteParams, address Address) (Invitation, error) {
	if _, err := s.cfg.People.HoldPerson(ctx, p.Caller.UserID); err != nil {
		return Invitation{}, err
	}
	o, m, err := s.cfg.Organizations.AuthorizeAlone(ctx, p.Caller, p.OrganizationID, "invitation", "create")
	if err != nil {
		return Invitation{}, err
	}
	ctx = rowscope.Within(ctx, o.ID)
	role, err := s.grantable(ctx, o, m, p.Roles...)
	if err != nil {
		return Invitation{}, err
	}
	teams, err := s.teams(ctx, o.ID, p.TeamIDs)
	if err != nil {
		return Invitation{}, err
	}
	if err := s.refuseMember(ctx, o.ID, address); err != nil {
		return Invitation{}, err
	}
	if p.Resend {
		if err := s.replaceable(ctx, o, m, address); err != nil {
			return Invitation{}, err
		}
	}
	now := s.now()
	id, err := s.newID()
	if err != nil {
		return Invitation{}, err
	}
	i := Invitation{
		ID: id, OrganizationID: o.ID, Address: address, Role: role, TeamIDs: teams, InviterID: m.UserID,
		Status: Pending, ExpiresAt: now.Add(s.cfg.Life), CreatedAt: now, UpdatedAt: now,
	}
	return s.record(ctx, o, i, p.Resend)
}

// grantable returns the roles as they are stored if the member may give them.
func (s *Service) grantable(ctx context.Context, o tenancy.Organization, by tenancy.Member, roles ...string) (string, error) {
	role, err := s.cfg.Organizations.ResolveRoles(ctx, o, roles...)
	if err != nil {
		return "", err
	}
	may, err := s.cfg.Organizations.MayGrant(ctx, o, by, "", role)
	if err == nil && !may {
		err = ErrRole
	}
	return role, err
}

// replaceable returns ErrRole where the address has an open invitation that the member
// could not have sent. The organization is locked, so that it stays what it is.
func (s *Service) replaceable(ctx context.Context, o tenancy.Organization, by tenancy.Member, address Address) error {
	list, err := s.store.Received(ctx, address.Key, "", s.now())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(r Received) bool { return r.OrganizationID == o.ID })
	if at < 0 {
		return nil
	}
	may, err := s.cfg.Organizations.MayGrant(ctx, o, by, "", list[at].Role)
	if err == nil && !may {
		err = ErrRole
	}
	return err
}

// teams returns the ids sorted, each once, if they are teams of the organization.
func (s *Service) teams(ctx context.Context, organizationID string, ids []string) ([]string, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	switch {
	case len(ids) == 0:
		return nil, nil
	case s.cfg.Teams == nil || len(ids) > maxTeams || slices.ContainsFunc(ids, badTeamID):
		return nil, ErrTeams
	}
	return ids, s.cfg.Teams.Check(ctx, organizationID, ids)
}

// badTeamID finds what no list of ids can hold.
func badTeamID(id string) bool { return id == "" || len(id) > 64 || strings.Contains(id, ",") }

// refuseMember asks the same of the database whoever has the address.
func (s *Service) refuseMember(ctx context.Context, organizationID string, address Address) error {
	person, err := s.cfg.People.ByAddress(ctx, address)
	if err != nil {
		return err
	}
	_, _, err = s.cfg.Organizations.Membership(ctx, organizationID, person.ID)
	switch {
	case err == nil:
		return ErrAlreadyMember
	case errors.Is(err, tenancy.ErrNotFound):
		return nil
	}
	return err
}

// record keeps the invitation, or renews the one that there is, and mails it.
func (s *Service) record(ctx context.Context, o tenancy.Organization, i Invitation, resend bool) (Invitation, error) {
	event := Invited{Organization: o, Invitation: i, ActorID: i.InviterID}
	if resend {
		renewed, err := s.store.RenewInvitation(ctx, i)
		if err == nil {
			event.Invitation, event.Again = renewed, true
			return renewed, s.send(ctx, event)
		}
		if !errors.Is(err, ErrNotFound) {
			return Invitation{}, err
		}
	}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeInvited, event); err != nil {
		return Invitation{}, fmt.Errorf("hook: %w", err)
	}
	if err := s.store.AddInvitation(ctx, i, s.cfg.Limit); err != nil {
		return Invitation{}, err
	}
	return i, s.send(ctx, event)
}

// send mails the invitation with a secret of its own.
func (s *Service) send(ctx context.Context, e Invited) error {
	i := e.Invitation
	inviter, err := s.cfg.People.ByID(ctx, i.InviterID)
	if err != nil {
		return err
	}
	letter := Letter{To: i.Address, Kind: MailInvitation, Every: mailEvery}
	_, err = s.cfg.Post.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		life := i.ExpiresAt.Sub(s.now())
		_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
			Purpose: Purpose, Subject: i.ID, Tenant: i.OrganizationID, TTL: max(life, time.Second),
		})
		return mail.Data{
			Email: i.Address.Display, Link: s.link(secret), ExpiresIn: life,
			Extra: map[string]string{"Organization": e.Organization.Name, "Inviter": inviter.Name},
		}, err
	})
	if err != nil {
		return err
	}
	if err := hook.Call(ctx, s.cfg.Hooks.Invited, e); err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	return nil
}

func (s *Service) link(secret token.Secret) string {
	return s.cfg.LinkBase + PathAccept + "?" + url.Values{"token": {secret.Reveal()}}.Encode()
}
