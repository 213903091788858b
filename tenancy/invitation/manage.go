package invitation

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// List returns the organization's invitations, whatever their status, the oldest first,
// to a member. Errors: those of tenancy.Service.Enter.
func (s *Service) List(ctx context.Context, caller *principal.Principal, organizationID string) ([]Invitation, error) {
	if _, _, err := s.cfg.Organizations.Enter(ctx, caller, organizationID); err != nil {
		return nil, fmt.Errorf("invitation: list: %w", err)
	}
	list, err := s.store.Sent(rowscope.Within(ctx, organizationID), organizationID)
	if err != nil {
		return nil, fmt.Errorf("invitation: list: %w", err)
	}
	return list, nil
}

// Cancel takes an open invitation back; its links are dead. The caller needs
// "invitation: cancel" in the organization. It joins the transaction of ctx;
// Hooks.Canceled runs in it. Errors: ErrNotFound, also for another organization's, and
// those of tenancy.Service.Authorize.
func (s *Service) Cancel(ctx context.Context, caller *principal.Principal, id string) (i Invitation, err error) {
	err = s.store.InTx(rowscope.Asking(ctx, caller.UserID, ""), func(ctx context.Context) error {
		i, err = s.cancel(ctx, caller, id)
		return err
	})
	if errors.Is(err, tenancy.ErrNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: cancel: %w", err)
	}
	return i, nil
}

func (s *Service) cancel(ctx context.Context, caller *principal.Principal, id string) (Invitation, error) {
	seen, err := s.store.FindForMember(ctx, caller.UserID, id)
	if err != nil {
		return Invitation{}, err
	}
	o, m, err := s.cfg.Organizations.Authorize(ctx, caller, seen.OrganizationID, "invitation", "cancel")
	if err != nil {
		return Invitation{}, err
	}
	ctx = rowscope.Within(ctx, o.ID)
	i, err := s.store.Decide(ctx, Decision{ID: seen.ID, OrganizationID: o.ID, To: Canceled, At: s.now()})
	if err != nil {
		return Invitation{}, err
	}
	if err := s.cfg.Tokens.RevokeSubject(ctx, Purpose, i.ID, o.ID); err != nil {
		return Invitation{}, err
	}
	return i, hook.Call(ctx, s.cfg.Hooks.Canceled, Withdrawn{Invitation: i, ActorID: m.UserID})
}
