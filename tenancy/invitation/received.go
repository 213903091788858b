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

// ListReceived returns the open invitations to the caller's address, the oldest first.
// Errors: ErrAddressUnproven for a caller whose address is not proven.
func (s *Service) ListReceived(ctx context.Context, caller *principal.Principal) ([]Received, error) {
	person, err := s.cfg.People.ByID(ctx, caller.UserID)
	if err != nil {
		return nil, fmt.Errorf("invitation: list received: %w", err)
	}
	if !person.Verified {
		return nil, ErrAddressUnproven
	}
	list, err := s.store.Received(rowscope.As(ctx, person.ID), person.Address.Key, "", s.now())
	if err != nil {
		return nil, fmt.Errorf("invitation: list received: %w", err)
	}
	return list, nil
}

// Get returns an open invitation to the caller's proven address, and who vouches for it.
// Errors: ErrNotFound, also for somebody else's; ErrInviterGone if they may not invite
// any more.
func (s *Service) Get(ctx context.Context, caller *principal.Principal, id string) (Received, Person, error) {
	received, inviter, err := s.get(ctx, caller, id)
	if err != nil {
		return Received{}, Person{}, fmt.Errorf("invitation: get: %w", err)
	}
	return received, inviter, nil
}

func (s *Service) get(ctx context.Context, caller *principal.Principal, id string) (Received, Person, error) {
	person, err := s.cfg.People.ByID(ctx, caller.UserID)
	if err != nil {
		return Received{}, Person{}, err
	}
	if !person.Verified || id == "" {
		return Received{}, Person{}, ErrNotFound
	}
	list, err := s.store.Received(rowscope.As(ctx, person.ID), person.Address.Key, id, s.now())
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Received{}, Person{}, err
	}
	_, _, inviter, err := s.vouched(rowscope.Within(ctx, list[0].OrganizationID), list[0].Invitation)
	return list[0], inviter, err
}

// RejectParams say who declines what.
type RejectParams struct {
	// Caller is the signed-in user whose proven address is the invited one. It may be nil
	// where Token is set.
	Caller *principal.Principal
	ID     string
	// Token is the secret of the mail, in place of ID: whoever has it may decline.
	Token string
	// ShownID is as in AcceptParams.
	ShownID string
}

// Reject declines an invitation. It joins the transaction of ctx; Hooks.Rejected runs in
// it. Errors: ErrNotFound for an id, token.ErrInvalid for a secret, that does not or no
// longer work for the caller; ErrReplaced.
func (s *Service) Reject(ctx context.Context, p RejectParams) (i Invitation, err error) {
	userID := ""
	if p.Caller != nil {
		userID = p.Caller.UserID
	}
	err = s.store.InTx(rowscope.Asking(ctx, userID, ""), func(ctx context.Context) error {
		var person Person
		if userID != "" {
			if person, err = s.cfg.People.HoldPerson(ctx, userID); err != nil {
				return err
			}
		}
		seen, err := s.declined(ctx, person, p)
		if err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, seen.OrganizationID)
		if err := s.cfg.Organizations.Hold(ctx, seen.OrganizationID); err != nil {
			return err
		}
		i, err = s.store.Decide(ctx, Decision{
			ID: seen.ID, OrganizationID: seen.OrganizationID, To: Rejected, UserID: userID, At: s.now(),
		})
		if err != nil {
			return err
		}
		if err := s.cfg.Tokens.RevokeSubject(ctx, Purpose, i.ID, i.OrganizationID); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.Rejected, Declined{Invitation: i, UserID: userID})
	})
	if errors.Is(err, ErrNotFound) || errors.Is(err, tenancy.ErrNotFound) {
		err = ErrNotFound
		if p.Token != "" {
			err = token.ErrInvalid
		}
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: reject: %w", err)
	}
	return i, nil
}

func (s *Service) declined(ctx context.Context, person Person, p RejectParams) (Invitation, error) {
	if p.Token != "" {
		i, err := s.bySecret(ctx, p.Token)
		if err == nil && p.ShownID != "" && p.ShownID != i.ID {
			err = ErrReplaced
		}
		return i, err
	}
	if p.Caller == nil {
		return Invitation{}, problem.ErrUnauthenticated
	}
	return s.receivedByID(ctx, person, p.ID)
}

// Offer is what a mailed secret offers, and to whom.
type Offer struct {
	Invitation   Invitation
	Organization tenancy.Organization
	// Inviter vouches for it.
	Inviter Person
	// OtherAddresses says that a signed-in user with another address may accept it.
	OtherAddresses bool
}

// Peek returns what a mailed secret offers, if it could be accepted now by somebody
// whose session has nothing to show. It consumes nothing, and asks nothing about who has
// the address. Errors: token.ErrInvalid, ErrInviterGone, ErrRole.
func (s *Service) Peek(ctx context.Context, raw string) (Offer, error) {
	i, err := s.bySecret(ctx, raw)
	if errors.Is(err, ErrNotFound) {
		return Offer{}, token.ErrInvalid
	}
	if err != nil {
		return Offer{}, err
	}
	offer, err := s.offer(ctx, i)
	if err != nil {
		return Offer{}, fmt.Errorf("invitation: peek: %w", err)
	}
	return offer, nil
}

func (s *Service) offer(ctx context.Context, i Invitation) (Offer, error) {
	ctx = rowscope.Within(ctx, i.OrganizationID)
	o, m, inviter, err := s.vouched(ctx, i)
	if err != nil {
		return Offer{}, err
	}
	if err := s.stillGrantable(ctx, o, m, i); err != nil {
		return Offer{}, err
	}
	return Offer{Invitation: i, Organization: o, Inviter: inviter, OtherAddresses: s.cfg.OtherAddresses}, nil
}

// Admits returns principal.ErrSecondFactorRequired where the organization demands more
// of a session than somebody can have who signs up by the invitation (rule R13).
func (s *Service) Admits(o tenancy.Organization) error {
	return o.SecondFactor.Check(&principal.Principal{Assurance: 1}, s.now())
}

// Welcome makes a user a member whose mailbox the secret has just proven, in the
// transaction that made them, and uses the secret up. The invitation's address must be
// theirs. Errors: token.ErrInvalid, principal.ErrSecondFactorRequired, and those of
// Accept.
func (s *Service) Welcome(ctx context.Context, raw, userID string) (Acceptance, error) {
	if !s.store.InTransaction(ctx) {
		return Acceptance{}, tenancy.ErrNoTransaction
	}
	a, err := s.welcome(ctx, raw, userID)
	if errors.Is(err, ErrNotFound) {
		err = token.ErrInvalid
	}
	if err != nil {
		return Acceptance{}, fmt.Errorf("invitation: welcome: %w", err)
	}
	return a, nil
}

func (s *Service) welcome(ctx context.Context, raw, userID string) (Acceptance, error) {
	i, err := s.bySecret(ctx, raw)
	if err != nil {
		return Acceptance{}, err
	}
	person, err := s.cfg.People.HoldPerson(ctx, userID)
	switch {
	case err != nil:
		return Acceptance{}, err
	case !person.Verified || person.Address.Key != i.Address.Key:
		return Acceptance{}, ErrNotRecipient
	}
	a, err := s.join(ctx, i, person, &principal.Principal{UserID: userID, Assurance: 1})
	return a, err
}
