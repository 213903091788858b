package tenancybun

import (
	"context"
	"strings"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

// LockOrganization implements tenancy.OrganizationStore. On SQLite the transaction is
// the only writer already. The second statement sees what was committed while the first
// one waited.
func (s *Store) LockOrganization(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	if !s.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.Member{}, tenancy.ErrNoTransaction
	}
	var id string
	if err := s.lockAsMember.QueryRow(ctx, organizationID, userID).Scan(&id); err != nil {
		return tenancy.Organization{}, tenancy.Member{}, notFound("tenancybun: lock", err)
	}
	return membership(ctx, s.membership, organizationID, userID)
}

// UpdateOrganization implements tenancy.OrganizationStore.
func (s *Store) UpdateOrganization(ctx context.Context, o tenancy.Organization) error {
	// A savepoint in the caller's transaction, which has to survive a taken slug.
	return s.InTx(ctx, func(ctx context.Context) error {
		result, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model(newOrganizationModel(o)).
			Column("name", "slug", "logo", "metadata", "updated_at").WherePK().Exec(ctx)
		if strings.Contains(bundb.Violated(err), "slug") {
			return tenancy.ErrSlugTaken
		}
		if err != nil {
			return bundb.Wrap("tenancybun: update an organization", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return missing(err)
		}
		return nil
	})
}

// Organizations implements tenancy.OrganizationStore.
func (s *Store) Organizations(ctx context.Context, userID string, limit int) ([]tenancy.Organization, error) {
	var models []organizationModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).
		Join("JOIN tenon_members AS m ON m.organization_id = o.id").
		Where("m.user_id = ?", userID).OrderExpr("m.created_at, m.id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("tenancybun: organizations of a user", err)
	}
	list := make([]tenancy.Organization, 0, len(models))
	for _, m := range models {
		list = append(list, m.organization())
	}
	return list, nil
}

// SlugTaken implements tenancy.OrganizationStore.
func (s *Store) SlugTaken(ctx context.Context, slug string) (bool, error) {
	ctx = s.AsSystem(ctx)
	taken, err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model((*organizationModel)(nil)).Where("o.slug = ?", slug).Exists(ctx)
	return taken, bundb.Wrap("tenancybun: look a slug up", err)
}

// MembershipBySlug implements tenancy.MemberStore.
func (s *Store) MembershipBySlug(ctx context.Context, slug, userID string) (tenancy.Organization, tenancy.Member, error) {
	return membership(ctx, s.bySlug, slug, userID)
}

const (
	bySlugSQL = "SELECT " + organizationColumns + ", " + memberColumns + `
FROM tenon_organizations AS o JOIN tenon_members AS m ON m.organization_id = o.id
WHERE o.slug = ? AND m.user_id = ?`
	chooseSQL = "UPDATE tenon_members SET chosen_at = ? WHERE organization_id = ? AND user_id = ?"
)

// Choose implements tenancy.ChoiceStore. The organization is held first, as everywhere.
func (s *Store) Choose(ctx context.Context, organizationID, userID string, now time.Time) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		var id string
		if err := s.holdAsMember.QueryRow(ctx, organizationID, userID).Scan(&id); err != nil {
			return notFound("tenancybun: choose", err)
		}
		result, err := s.choose.Exec(ctx, now, organizationID, userID)
		if err != nil {
			return bundb.Wrap("tenancybun: choose", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return missing(err)
		}
		return nil
	})
}
