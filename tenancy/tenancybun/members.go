package tenancybun

import (
	"cmp"
	"context"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

// addMemberSQL lets a second place be no row instead of an error, which would end the
// caller's transaction on PostgreSQL.
const addMemberSQL = `
INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (organization_id, user_id) DO NOTHING`

// AddMember implements tenancy.MemberStore.
func (s *Store) AddMember(ctx context.Context, m tenancy.Member) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	result, err := s.addMember.Exec(ctx, m.ID, m.OrganizationID, m.UserID, m.Role, m.CreatedAt)
	if err != nil {
		return bundb.Wrap("tenancybun: add a member", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(bundb.Wrap("tenancybun: add a member", err), error(tenancy.ErrAlreadyMember))
	}
	return nil
}
