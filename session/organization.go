package session

import (
	"context"
	"fmt"
)

// SetOrganization makes the organization active in the user's session, or none
// if organizationID is empty. It joins the caller's transaction. Whether the
// user may act there is the caller's to judge (rule R13), and is read anew with
// every lookup: without a membership the organization is no scope (rule R18).
// It returns ErrSessionNotFound if the user has no such session.
func (s *Service) SetOrganization(ctx context.Context, userID, sessionID, organizationID string) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.holdOrganization(ctx, organizationID); err != nil {
			return fmt.Errorf("session: set organization: %w", err)
		}
		if err := s.store.SetOrganization(ctx, userID, sessionID, organizationID); err != nil {
			return fmt.Errorf("session: set organization: %w", err)
		}
		return nil
	})
}
