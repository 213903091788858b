package tenancy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
)

// OfferLife is how long the offer of an ownership is open.
const OfferLife = 7 * 24 * time.Hour

// Offer is an owner's offer to hand the organization to a member. It ends with the
// membership, with the ownership of who made it, and with any change of what protects
// that one's account: it was made under one security version (rule R1).
type Offer struct {
	OrganizationID, UserID string
	SecurityVersion        int64
	EndsAt                 time.Time
}

// OfferOwnership offers the organization to one of its members, who becomes the owner
// when they accept it within OfferLife. A new offer replaces the one before; one to the
// owner takes it back. It joins the transaction of ctx. The caller is the owner, whose
// proof whoever calls this has judged to be fresh (rule R12). Errors: those of Enter;
// NotAllowed for a member who is not the owner; ErrMemberNotFound.
func (s *Service) OfferOwnership(ctx context.Context, caller *principal.Principal, organizationID, userID string) (offer Offer, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		version, err := s.holdVersion(ctx, caller.UserID)
		if err != nil {
			return err
		}
		return s.change(ctx, caller, organizationID, "", "", func(ctx context.Context, o Organization, own Member) error {
			if o.OwnerID != own.UserID {
				return ErrNotOwner
			}
			if userID == o.OwnerID {
				return s.withdraw(ctx, o)
			}
			offer = Offer{OrganizationID: o.ID, UserID: userID, SecurityVersion: version, EndsAt: s.now().Add(OfferLife)}
			if err := s.store.OfferOwnership(ctx, offer); err != nil {
				return err
			}
			event := OwnershipOffered{Organization: o, From: o.OwnerID, To: userID, EndsAt: offer.EndsAt}
			return hook.Call(ctx, s.cfg.Hooks.OwnershipOffered, event)
		})
	})
	if err != nil {
		return Offer{}, fmt.Errorf("tenancy: offer the ownership: %w", err)
	}
	return offer, nil
}

// holdVersion reads what an offer of the user is bound to. Locks of users come before
// those of organizations.
func (s *Service) holdVersion(ctx context.Context, userID string) (int64, error) {
	if s.cfg.People == nil {
		return 0, s.cfg.Users.Hold(ctx, userID)
	}
	return s.cfg.People.HoldVersion(ctx, userID)
}

func (s *Service) withdraw(ctx context.Context, o Organization) error {
	withdrawn, err := s.store.WithdrawOffer(ctx, o.ID)
	if err != nil || !withdrawn {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.OwnershipOffered, OwnershipOffered{Organization: o, From: o.OwnerID})
}

// AcceptOwnership makes the caller, to whom the owner offered it, the owner of the
// organization, and the owner before an admin. It joins the transaction of ctx. The
// caller's proof is to be fresh, too. Errors: those of Enter; ErrNoOffer.
func (s *Service) AcceptOwnership(ctx context.Context, caller *principal.Principal, organizationID string) (o Organization, err error) {
	err = s.store.InTx(rowscope.Asking(ctx, caller.UserID, organizationID), func(ctx context.Context) error {
		seen, _, err := s.Enter(ctx, caller, organizationID)
		if err != nil {
			return err
		}
		version, err := s.holdBoth(ctx, seen.OwnerID, caller.UserID)
		if err != nil {
			return err
		}
		return s.change(ctx, caller, organizationID, "", "", func(ctx context.Context, found Organization, _ Member) error {
			o = found
			return s.accept(ctx, &o, seen.OwnerID, caller.UserID, version)
		})
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: accept the ownership: %w", err)
	}
	return o, nil
}

// holdBoth holds two users in the order of their ids, so that two transfers between the
// same people do not wait for each other, and returns the owner's version.
func (s *Service) holdBoth(ctx context.Context, ownerID, userID string) (version int64, err error) {
	both := []string{ownerID, userID}
	slices.Sort(both)
	for _, id := range slices.Compact(both) {
		if id == ownerID {
			version, err = s.holdVersion(ctx, id)
		} else {
			err = s.cfg.Users.Hold(ctx, id)
		}
		if err != nil {
			return 0, err
		}
	}
	return version, nil
}

// accept judges the offer now that nobody can change it.
func (s *Service) accept(ctx context.Context, o *Organization, ownerID, userID string, version int64) error {
	offer, err := s.store.FindOffer(ctx, o.ID, userID)
	if err != nil {
		return err
	}
	now := s.now()
	if o.OwnerID != ownerID || offer.SecurityVersion != version || !now.Before(offer.EndsAt) {
		return ErrNoOffer
	}
	err = s.store.Transfer(ctx, o.ID, ownerID, userID, now)
	if errors.Is(err, ErrNotFound) {
		return ErrNoOffer
	}
	if err != nil {
		return err
	}
	event := OwnerChanged{Organization: *o, From: ownerID, To: userID, ActorID: userID}
	o.OwnerID, o.UpdatedAt = userID, now
	return hook.Call(ctx, s.cfg.Hooks.OwnerChanged, event)
}
