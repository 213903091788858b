package tenancy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/problem"
)

// OwnerPolicy says what becomes of an organization with other members whose owner
// is deleted.
type OwnerPolicy int

// The policies. An organization whose only member is its owner always goes with
// the owner.
const (
	// BlockDeletion refuses to delete the owner, with ErrOwnsOrganization.
	BlockDeletion OwnerPolicy = iota
	// TransferToAdmin makes the admin who has been a member for the longest time, and is
	// not banned, the owner. Without one it is BlockDeletion.
	TransferToAdmin
	// DeleteOrganizations deletes the organization with all its members.
	DeleteOrganizations
)

func (p OwnerPolicy) valid() bool { return p >= BlockDeletion && p <= DeleteOrganizations }

// RemoveUser takes a user out of every organization, in the transaction that
// deletes them and in which they are locked: nobody can make them an owner or a
// member any more (rule R3). What becomes of organizations that they own,
// Config.OwnerPolicy says. It returns ErrOwnsOrganization where that is to refuse,
// and ErrNoTransaction outside a transaction.
func (s *Service) RemoveUser(ctx context.Context, userID string) error {
	if !s.store.InTransaction(ctx) {
		return ErrNoTransaction
	}
	owned, err := s.store.LockOwned(ctx, userID)
	if err != nil {
		return fmt.Errorf("tenancy: remove a user: %w", err)
	}
	for _, o := range owned {
		if err := s.abandon(ctx, o, userID); err != nil {
			return fmt.Errorf("tenancy: remove a user: %w", err)
		}
	}
	left, err := s.store.RemoveMemberships(ctx, userID)
	if err != nil {
		return fmt.Errorf("tenancy: remove a user: %w", err)
	}
	for _, m := range left {
		if err := hook.Call(ctx, s.cfg.Hooks.MemberLeft, MemberLeft{Member: m, ActorID: userID}); err != nil {
			return fmt.Errorf("tenancy: remove a user: hook: %w", err)
		}
	}
	return nil
}

// abandon settles one organization whose owner goes. Its row is locked, so nobody
// joins it meanwhile.
func (s *Service) abandon(ctx context.Context, o Organization, ownerID string) error {
	members, err := s.store.Members(ctx, o.ID)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return m.UserID == ownerID })
	if len(others) == 0 || s.cfg.OwnerPolicy == DeleteOrganizations {
		return s.deleteOrganization(ctx, OrganizationDeleted{Organization: o, Members: members, ActorID: ownerID})
	}
	if s.cfg.OwnerPolicy == TransferToAdmin {
		return s.transferToAdmin(ctx, o, others)
	}
	return ErrOwnsOrganization
}

func (s *Service) deleteOrganization(ctx context.Context, event OrganizationDeleted) error {
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeOrganizationDeleted, event); err != nil {
		return err
	}
	if err := s.store.DeleteOrganization(ctx, event.Organization.ID); err != nil {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.OrganizationDeleted, event)
}

// transferToAdmin asks the admins in the order in which they joined. Each is held
// before, because they may be about to be deleted, too.
func (s *Service) transferToAdmin(ctx context.Context, o Organization, members []Member) error {
	for _, m := range members {
		if !slices.Contains(strings.Split(m.Role, ","), RoleAdmin) {
			continue
		}
		able, err := s.able(ctx, m.UserID)
		if err != nil {
			return err
		}
		if !able {
			continue
		}
		if err := s.store.Transfer(ctx, o.ID, o.OwnerID, m.UserID, s.now()); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.OwnerChanged, OwnerChanged{Organization: o, From: o.OwnerID, To: m.UserID, ActorID: o.OwnerID})
	}
	return ErrOwnsOrganization
}

// able holds a user, and reports whether there is one who can act.
func (s *Service) able(ctx context.Context, userID string) (bool, error) {
	err := s.cfg.Users.Hold(ctx, userID)
	if problem.KindOf(err) == problem.NotFound {
		return false, nil
	}
	if err != nil || s.cfg.People == nil {
		return err == nil, err
	}
	banned, err := s.cfg.People.Banned(ctx, userID)
	return !banned, err
}

// Share reports whether both users are members of one organization.
func (s *Service) Share(ctx context.Context, userID, otherID string) (bool, error) {
	shared, err := s.store.Share(ctx, userID, otherID)
	if err != nil {
		return false, fmt.Errorf("tenancy: share: %w", err)
	}
	return shared, nil
}
