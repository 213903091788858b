package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
)

// HoldDefault returns the id of the organization that a user's new session
// starts in, the one that they made active last, or else the one that they joined
// first, and keeps it from being deleted until the transaction of ctx ends (rule R3). It returns "" if the user is in none,
// and ErrNoTransaction outside a transaction.
func (s *Service) HoldDefault(ctx context.Context, userID string) (organizationID string, err error) {
	organizationID, err = s.store.HoldFirst(ctx, userID)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("tenancy: hold the first membership's organization: %w", err)
	}
	return organizationID, nil
}

// Membership returns the organization and the user's place in it. It returns
// ErrNotFound to everybody who is not a member (promise 7).
func (s *Service) Membership(ctx context.Context, organizationID, userID string) (Organization, Member, error) {
	o, m, err := s.store.Membership(ctx, organizationID, userID)
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: membership: %w", err)
	}
	return o, m, nil
}

// Hold keeps the organization from being deleted until the transaction of ctx
// ends, for rows elsewhere that refer to it (rule R3). It returns ErrNotFound if
// there is none and ErrNoTransaction outside a transaction.
func (s *Service) Hold(ctx context.Context, organizationID string) error {
	if _, err := s.store.HoldOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("tenancy: hold: %w", err)
	}
	return nil
}

// JoinParams say who becomes a member of what.
type JoinParams struct {
	OrganizationID, UserID string
	// Role is one role or several, as ParseRoles reads them, and never RoleOwner.
	Role string
	// Teams, ActorID and InvitationID are for the hooks; see MemberJoined. ActorID
	// defaults to UserID.
	Teams                 []string
	ActorID, InvitationID string
	// UserName spares the hooks a look at the user. Defaults to "", who does not know.
	UserName string
	// Held is the organization that the transaction of ctx holds already, as Authorize
	// and AuthorizeUser return it in one, for callers who hold the user, too, whom they
	// take first: neither is held again then. There is no savepoint either: who gets an
	// error rolls the transaction back. Defaults to nil: Join holds both.
	Held *Organization
}

// Join makes a user a member of an organization, whoever asks for it: judge that first.
// It is the only way in but that of an owner. It joins the transaction of ctx, holds the
// user and then the organization (rule R3), asks Hooks.BeforeMemberJoined, which may
// refuse, inserts, and calls Hooks.MemberJoined. Of any number of concurrent calls for
// one user, one succeeds.
//
// Errors: that of Users.Hold if there is no such user; ErrNotFound if there is no such
// organization; ErrAlreadyMember; those of ResolveRoles; those of the hooks.
func (s *Service) Join(ctx context.Context, p JoinParams) (m Member, err error) {
	switch {
	case p.Held == nil:
		// Its caller has judged who may join what.
		err = s.store.InTx(rowscope.Within(ctx, p.OrganizationID), func(ctx context.Context) error {
			m, err = s.join(ctx, p)
			return err
		})
	case s.store.InTransaction(ctx):
		m, err = s.join(rowscope.Within(ctx, p.OrganizationID), p)
	default:
		err = ErrNoTransaction // nothing is held
	}
	if err != nil {
		return Member{}, fmt.Errorf("tenancy: join: %w", err)
	}
	return m, nil
}

// holdForJoin holds the user and the organization, unless the caller did.
func (s *Service) holdForJoin(ctx context.Context, p JoinParams) (Organization, error) {
	switch {
	case p.Held != nil && p.Held.ID != p.OrganizationID:
		return Organization{}, errors.New("JoinParams.Held is another organization")
	case p.Held != nil:
		return *p.Held, nil
	}
	if err := s.cfg.Users.Hold(ctx, p.UserID); err != nil {
		return Organization{}, err
	}
	return s.store.HoldOrganization(ctx, p.OrganizationID)
}

func (s *Service) join(ctx context.Context, p JoinParams) (Member, error) {
	o, err := s.holdForJoin(ctx, p)
	if err != nil {
		return Member{}, err
	}
	role, err := s.ResolveRoles(ctx, o, p.Role)
	if err != nil {
		return Member{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Member{}, err
	}
	event := MemberJoined{
		Organization: o,
		Member:       Member{ID: id, OrganizationID: o.ID, UserID: p.UserID, Role: role, CreatedAt: s.now()},
		UserName:     p.UserName,
		Teams:        p.Teams, ActorID: cmp.Or(p.ActorID, p.UserID), InvitationID: p.InvitationID,
	}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeMemberJoined, event); err != nil {
		return Member{}, fmt.Errorf("hook: %w", err)
	}
	if err := s.store.AddMember(ctx, event.Member); err != nil {
		return Member{}, err
	}
	if err := hook.Call(ctx, s.cfg.Hooks.MemberJoined, event); err != nil {
		return Member{}, fmt.Errorf("hook: %w", err)
	}
	return event.Member, nil
}
