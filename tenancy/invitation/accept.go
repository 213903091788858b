package invitation

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/token"
)

// AcceptParams say who accepts what.
type AcceptParams struct {
	Caller *principal.Principal
	// ID names the invitation. It works for whoever's proven address is the invited one.
	ID string
	// Token is the secret of the mail, in place of ID.
	Token string
	// ShownID, if set, is the invitation that was shown to the person who accepts. The
	// secret of another one is refused.
	ShownID string
	// As is the id of the user who was shown the invited address and their own one. It
	// must be the caller's where the two differ, which Config.OtherAddresses must allow.
	As string
}

// Acceptance is what accepting came to.
type Acceptance struct {
	Invitation   Invitation
	Organization tenancy.Organization
	Member       tenancy.Member
}

// Accept makes the caller a member (rule R21): with the id, whose proven address is the
// invited one; with the mailed secret, somebody with another proven address, too, where
// Config.OtherAddresses allows it and they confirmed it. Of any number of concurrent
// calls for one invitation, one succeeds.
//
// It joins the transaction of ctx; the hooks of package tenancy for new members and
// Hooks.Accepted run in it. Errors: ErrNotFound for an id, token.ErrInvalid for a secret,
// that does not or no longer work for the caller; ErrNotRecipient, ErrConfirmAddress,
// ErrUnverified and ErrReplaced, for a secret only; ErrInviterGone, ErrRole,
// principal.ErrSecondFactorRequired, those of tenancy.Service.Join.
func (s *Service) Accept(ctx context.Context, p AcceptParams) (a Acceptance, err error) {
	err = s.store.InTx(rowscope.Asking(ctx, p.Caller.UserID, ""), func(ctx context.Context) error {
		// The user before everything else: a deletion locks in that order (rule R3).
		person, err := s.cfg.People.HoldPerson(ctx, p.Caller.UserID)
		if err != nil {
			return err
		}
		i, err := s.presented(ctx, person, p)
		if err != nil {
			return err
		}
		a, err = s.join(ctx, i, person, p.Caller)
		return err
	})
	if p.Token != "" && errors.Is(err, ErrNotFound) {
		err = token.ErrInvalid
	}
	if err != nil {
		return Acceptance{}, fmt.Errorf("invitation: accept: %w", err)
	}
	return a, nil
}

// presented finds the invitation that the person may accept.
func (s *Service) presented(ctx context.Context, person Person, p AcceptParams) (Invitation, error) {
	if p.Token == "" {
		return s.receivedByID(ctx, person, p.ID)
	}
	i, err := s.bySecret(ctx, p.Token)
	switch {
	case err != nil:
		return Invitation{}, err
	case p.ShownID != "" && p.ShownID != i.ID:
		return Invitation{}, ErrReplaced
	case !person.Verified:
		return Invitation{}, ErrUnverified
	case person.Address.Key == i.Address.Key:
		return i, nil
	case !s.cfg.OtherAddresses:
		return Invitation{}, ErrNotRecipient
	case p.As != person.ID:
		return Invitation{}, ErrConfirmAddress
	}
	return i, nil
}

// receivedByID finds an open invitation to the person's proven address.
func (s *Service) receivedByID(ctx context.Context, person Person, id string) (Invitation, error) {
	if !person.Verified || id == "" {
		return Invitation{}, ErrNotFound
	}
	list, err := s.store.Received(ctx, person.Address.Key, id, s.now())
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Invitation{}, err
	}
	return list[0].Invitation, nil
}

// bySecret finds the open invitation that a mailed secret belongs to.
func (s *Service) bySecret(ctx context.Context, raw string) (Invitation, error) {
	secret, err := s.cfg.Tokens.Peek(ctx, Purpose, raw)
	if err != nil {
		return Invitation{}, err
	}
	i, err := s.store.Find(rowscope.Within(ctx, secret.Tenant), secret.Tenant, secret.Subject)
	if err != nil {
		return Invitation{}, err
	}
	if !i.Open(s.now()) {
		return Invitation{}, ErrNotFound
	}
	return i, nil
}

// join makes the person, who is held, a member, in the transaction of ctx. Everything
// that permits it is asked now, under locks: what was true when the mail went counts for
// nothing. The UPDATE that claims the invitation decides between concurrent calls, and
// its row is what is judged.
func (s *Service) join(ctx context.Context, seen Invitation, person Person, caller *principal.Principal) (Acceptance, error) {
	ctx = rowscope.Within(ctx, seen.OrganizationID) // which invites them
	o, inviter, _, err := s.vouched(ctx, seen)
	if err != nil {
		return Acceptance{}, err
	}
	if err := o.SecondFactor.Check(caller, s.now()); err != nil {
		return Acceptance{}, err
	}
	i, err := s.store.Decide(ctx, Decision{ID: seen.ID, OrganizationID: o.ID, To: Accepted, UserID: person.ID, At: s.now()})
	if err != nil {
		return Acceptance{}, err
	}
	if i.InviterID != inviter.UserID { // mailed again by somebody else meanwhile
		return Acceptance{}, problem.ErrUnavailable
	}
	if err := s.stillGrantable(ctx, o, inviter, i); err != nil {
		return Acceptance{}, err
	}
	member, err := s.cfg.Organizations.Join(ctx, tenancy.JoinParams{
		OrganizationID: o.ID, UserID: person.ID, Role: i.Role, Teams: i.TeamIDs, InvitationID: i.ID, UserName: person.Name, Held: &o,
	})
	if err != nil {
		return Acceptance{}, err
	}
	if s.cfg.Teams != nil && len(i.TeamIDs) > 0 {
		if err := s.cfg.Teams.Join(ctx, o.ID, person.ID, i.TeamIDs); err != nil {
			return Acceptance{}, err
		}
	}
	if err := s.cfg.Tokens.RevokeSubject(ctx, Purpose, i.ID, o.ID); err != nil {
		return Acceptance{}, err
	}
	event := Joined{
		Organization: o, Invitation: i, Member: member, Address: person.Address, OtherAddress: person.Address.Key != i.Address.Key,
	}
	if err := hook.Call(ctx, s.cfg.Hooks.Accepted, event); err != nil {
		return Acceptance{}, fmt.Errorf("hook: %w", err)
	}
	return Acceptance{Invitation: i, Organization: o, Member: member}, nil
}

// vouched returns the organization and who vouches for the invitation, if they still
// may, and holds both. ErrNotFound is for an organization that is gone.
func (s *Service) vouched(ctx context.Context, i Invitation) (tenancy.Organization, tenancy.Member, Person, error) {
	o, m, err := s.cfg.Organizations.AuthorizeUser(ctx, i.InviterID, i.OrganizationID, "invitation", "create")
	if problem.KindOf(err) == problem.PermissionDenied || errors.Is(err, tenancy.ErrNotFound) {
		err = ErrInviterGone.With(err)
	}
	if err != nil {
		return tenancy.Organization{}, tenancy.Member{}, Person{}, err
	}
	inviter, err := s.cfg.People.ByID(ctx, m.UserID)
	if err == nil && inviter.Banned {
		err = ErrInviterGone
	}
	return o, m, inviter, err
}

// stillGrantable judges the role anew: that it is there, and that who vouches for the
// invitation may give it.
func (s *Service) stillGrantable(ctx context.Context, o tenancy.Organization, inviter tenancy.Member, i Invitation) error {
	_, err := s.grantable(ctx, o, inviter, i.Role)
	if errors.Is(err, tenancy.ErrRoleNotFound) {
		err = ErrRole.With(err)
	}
	return err
}
