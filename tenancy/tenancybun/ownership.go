package tenancybun

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

const (
	withdrawSQL = `
UPDATE tenon_members SET offer_ends_at = NULL, offer_version = 0 WHERE organization_id = ? AND offer_ends_at IS NOT NULL`
	offerSQL = `
UPDATE tenon_members SET offer_ends_at = ?, offer_version = ? WHERE organization_id = ? AND user_id = ? AND role <> 'owner'`
	findOfferSQL = `
SELECT m.organization_id, m.user_id, m.offer_version, m.offer_ends_at FROM tenon_members AS m
WHERE m.organization_id = ? AND m.user_id = ? AND m.offer_ends_at IS NOT NULL`
)

// OfferOwnership implements tenancy.OwnershipStore. What the savepoint takes back where
// the member is missing is the withdrawal of the offer before.
func (s *Store) OfferOwnership(ctx context.Context, o tenancy.Offer) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.withdraw.Exec(ctx, o.OrganizationID); err != nil {
			return bundb.Wrap("tenancybun: withdraw an offer", err)
		}
		return s.changeMember(ctx, s.offer, o.EndsAt, o.SecurityVersion, o.OrganizationID, o.UserID)
	})
}

// FindOffer implements tenancy.OwnershipStore.
func (s *Store) FindOffer(ctx context.Context, organizationID, userID string) (tenancy.Offer, error) {
	var o tenancy.Offer
	err := s.findOffer.QueryRow(ctx, organizationID, userID).
		Scan(&o.OrganizationID, &o.UserID, &o.SecurityVersion, bundb.ScanTime(&o.EndsAt))
	if errors.Is(err, sql.ErrNoRows) {
		return tenancy.Offer{}, tenancy.ErrNoOffer
	}
	return o, bundb.Wrap("tenancybun: find an offer", err)
}

// WithdrawOffer implements tenancy.OwnershipStore.
func (s *Store) WithdrawOffer(ctx context.Context, organizationID string) (bool, error) {
	if !s.InTransaction(ctx) {
		return false, tenancy.ErrNoTransaction
	}
	result, err := s.withdraw.Exec(ctx, organizationID)
	if err != nil {
		return false, bundb.Wrap("tenancybun: withdraw an offer", err)
	}
	n, err := result.RowsAffected()
	return n > 0, bundb.Wrap("tenancybun: count offers", err)
}
