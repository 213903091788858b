package tenancybun

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

// LockOwned implements tenancy.DepartureStore. On SQLite the transaction is the
// only writer already.
func (s *Store) LockOwned(ctx context.Context, userID string) ([]tenancy.Organization, error) {
	if !s.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	var models []organizationModel
	ctx = s.AsSystem(ctx)
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("o.owner_id = ?", userID).OrderExpr("o.id")
	if s.Dialect() == bundb.Postgres {
		query.For("UPDATE")
	}
	if err := query.Scan(ctx); err != nil {
		return nil, bundb.Wrap("tenancybun: lock what a user owns", err)
	}
	owned := make([]tenancy.Organization, 0, len(models))
	for _, m := range models {
		owned = append(owned, m.organization())
	}
	return owned, nil
}

// Members implements tenancy.DepartureStore.
func (s *Store) Members(ctx context.Context, organizationID string) ([]tenancy.Member, error) {
	var models []memberModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).
		Where("m.organization_id = ?", organizationID).OrderExpr("m.created_at, m.id").Scan(ctx)
	return members(models), bundb.Wrap("tenancybun: members", err)
}

// LockMembers implements tenancy.DepartureStore.
func (s *Store) LockMembers(ctx context.Context, organizationID string) ([]tenancy.Member, error) {
	if !s.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	// The second statement sees what was committed while the first one waited.
	var id string
	if err := s.lock.QueryRow(ctx, organizationID).Scan(&id); err != nil {
		return nil, notFound("tenancybun: lock the members", err)
	}
	return s.Members(ctx, organizationID)
}

func members(models []memberModel) []tenancy.Member {
	list := make([]tenancy.Member, 0, len(models))
	for _, m := range models {
		list = append(list, m.member())
	}
	return list
}

// Transfer implements tenancy.DepartureStore. The keys between owner and members
// are judged when the transaction commits; what the savepoint takes back on a row
// that is missing, they never see.
func (s *Store) Transfer(ctx context.Context, organizationID, from, to string, now time.Time) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		// The old owner first: two cannot have the role at one time.
		for _, step := range []struct {
			query string
			args  []any
		}{
			{"UPDATE tenon_organizations SET owner_id = ?, updated_at = ? WHERE id = ? AND owner_id = ?", []any{to, now.UTC(), organizationID, from}},
			{"UPDATE tenon_members SET role = 'admin' WHERE organization_id = ? AND user_id = ?", []any{organizationID, from}},
			{"UPDATE tenon_members SET role = 'owner' WHERE organization_id = ? AND user_id = ?", []any{organizationID, to}},
		} {
			result, err := s.Bun().NewRaw(step.query, step.args...).Conn(s.Conn(ctx)).Exec(ctx)
			if err != nil {
				return bundb.Wrap("tenancybun: transfer", err)
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return missing(err)
			}
		}
		_, err := s.withdraw.Exec(ctx, organizationID)
		return bundb.Wrap("tenancybun: withdraw an offer", err)
	})
}

// missing says why a statement touched no row.
func missing(err error) error {
	if err != nil {
		return bundb.Wrap("tenancybun: count rows", err)
	}
	return tenancy.ErrNotFound
}

// DeleteOrganization implements tenancy.DepartureStore. Members go by the foreign
// key.
func (s *Store) DeleteOrganization(ctx context.Context, id string) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	result, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_organizations").Where("id = ?", id).Exec(ctx)
	if err != nil {
		return bundb.Wrap("tenancybun: delete", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return missing(err)
	}
	return nil
}

// RemoveMemberships implements tenancy.DepartureStore.
func (s *Store) RemoveMemberships(ctx context.Context, userID string) ([]tenancy.Member, error) {
	if !s.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	var gone []memberModel
	ctx = s.AsSystem(ctx)
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*memberModel)(nil)).
		Where("m.user_id = ?", userID).Returning("id, organization_id, user_id, role, created_at").Exec(ctx, &gone)
	return members(gone), bundb.Wrap("tenancybun: remove memberships", err)
}

// Share implements tenancy.DepartureStore.
func (s *Store) Share(ctx context.Context, userID, otherID string) (bool, error) {
	var shared bool
	ctx = s.AsSystem(ctx)
	err := s.share.QueryRow(ctx, userID, otherID).Scan(&shared)
	return shared, bundb.Wrap("tenancybun: share", err)
}

const lockSQL = "SELECT o.id FROM tenon_organizations AS o WHERE o.id = ?"

const shareSQL = `
SELECT EXISTS (
  SELECT 1 FROM tenon_members AS a JOIN tenon_members AS b ON b.organization_id = a.organization_id
  WHERE a.user_id = ? AND b.user_id = ?)`
