package tenancy

import (
	"context"
	"errors"
	"fmt"
)

// HoldDefault returns the id of the organization that a user's new session
// starts in, the one they joined first, and keeps it from being deleted until
// the transaction of ctx ends (rule R3). It returns "" if the user is in none,
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
	if err := s.store.HoldOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("tenancy: hold: %w", err)
	}
	return nil
}
