package tenancybun

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

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

// FindMember implements tenancy.MemberStore.
func (s *Store) FindMember(ctx context.Context, organizationID, memberID string) (tenancy.Member, error) {
	var m memberModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&m).
		Where("m.organization_id = ? AND m.id = ?", organizationID, memberID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return tenancy.Member{}, tenancy.ErrMemberNotFound
	}
	if err != nil {
		return tenancy.Member{}, bundb.Wrap("tenancybun: find a member", err)
	}
	return m.member(), nil
}

// column returns where a field is kept.
func column(f tenancy.MemberField) string {
	switch f {
	case tenancy.MemberRole:
		return "m.role"
	case tenancy.MemberUserID:
		return "m.user_id"
	case tenancy.MemberID:
		return "m.id"
	case tenancy.MemberCreatedAt:
	}
	return "m.created_at"
}

// ListMembers implements tenancy.MemberStore.
func (s *Store) ListMembers(ctx context.Context, q tenancy.MemberQuery) ([]tenancy.Member, int, error) {
	var models []memberModel
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("m.organization_id = ?", q.OrganizationID)
	if err := filter(query, q); err != nil {
		return nil, 0, err
	}
	direction := "ASC"
	if q.Descending {
		direction = "DESC"
	}
	total, err := query.OrderExpr(column(q.SortBy) + " " + direction + ", m.id").Limit(int64(q.Limit)).Offset(int64(q.Offset)).ScanAndCount(ctx)
	if err != nil {
		return nil, 0, bundb.Wrap("tenancybun: list members", err)
	}
	return members(models), int(total), nil
}

// filter compares text; what stands for any text in LIKE is escaped.
func filter(query *bun.SelectQuery, q tenancy.MemberQuery) error {
	if q.Filter == "" {
		return nil
	}
	name, like, value := column(q.Filter), "", ""
	if len(q.Values) > 0 {
		value = q.Values[0]
	}
	escaped := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(value)
	switch q.Operator {
	case tenancy.Equal:
		query.Where(name+" = ?", value)
	case tenancy.NotEqual:
		query.Where(name+" <> ?", value)
	case tenancy.OneOf:
		query.Where(name+" IN (?)", bun.List(q.Values))
	case tenancy.NoneOf:
		query.Where(name+" NOT IN (?)", bun.List(q.Values))
	case tenancy.Contains:
		like = "%" + escaped + "%"
	case tenancy.StartsWith:
		like = escaped + "%"
	case tenancy.EndsWith:
		like = "%" + escaped
	default:
		return fmt.Errorf("tenancybun: list members: the operator %q does not exist", q.Operator)
	}
	if like != "" {
		query.Where(name+" LIKE ? ESCAPE '!'", like)
	}
	return nil
}

// SetRole implements tenancy.MemberStore.
func (s *Store) SetRole(ctx context.Context, m tenancy.Member, role string) error {
	return s.changeMember(ctx, s.setRole, role, m.ID, m.OrganizationID, m.Role)
}

// RemoveMember implements tenancy.MemberStore.
func (s *Store) RemoveMember(ctx context.Context, m tenancy.Member) error {
	return s.changeMember(ctx, s.removeMember, m.ID, m.OrganizationID)
}

const (
	setRoleSQL = `
UPDATE tenon_members SET role = ? WHERE id = ? AND organization_id = ? AND role = ? AND role <> 'owner'`
	removeMemberSQL = "DELETE FROM tenon_members WHERE id = ? AND organization_id = ? AND role <> 'owner'"
)

// changeMember runs a guarded statement: the row count decides.
func (s *Store) changeMember(ctx context.Context, statement bundb.Statement, args ...any) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	result, err := statement.Exec(ctx, args...)
	if err != nil {
		return bundb.Wrap("tenancybun: change a member", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(bundb.Wrap("tenancybun: change a member", err), error(tenancy.ErrMemberNotFound))
	}
	return nil
}
