package tenancybun

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

type roleModel struct {
	bun.BaseModel `bun:"table:tenon_organization_roles,alias:r"`

	ID             string    `bun:"id,pk"`
	OrganizationID string    `bun:"organization_id"`
	Name           string    `bun:"name"`
	Permissions    string    `bun:"permissions"`
	CreatedAt      time.Time `bun:"created_at"`
	UpdatedAt      time.Time `bun:"updated_at"`
}

func newRoleModel(r tenancy.Role) (*roleModel, error) {
	permissions, err := json.Marshal(r.Permissions)
	if err != nil {
		return nil, fmt.Errorf("tenancybun: encode permissions: %w", err)
	}
	return &roleModel{
		ID: r.ID, OrganizationID: r.OrganizationID, Name: r.Name, Permissions: string(permissions),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}

// rolesSQL reads the version with the roles: both are of one moment.
const rolesSQL = `
SELECT o.roles_version, r.id, COALESCE(r.name, ''), COALESCE(r.permissions, ''), r.created_at, r.updated_at
FROM tenon_organizations AS o LEFT JOIN tenon_organization_roles AS r ON r.organization_id = o.id
WHERE o.id = ? ORDER BY r.name`

// Roles implements tenancy.RoleStore.
func (s *Store) Roles(ctx context.Context, organizationID string) (roles []tenancy.Role, version int64, err error) {
	rows, err := s.roles.Query(ctx, organizationID)
	if err != nil {
		return nil, 0, bundb.Wrap("tenancybun: roles", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id          sql.NullString // NULL: the organization has none
			r           = tenancy.Role{OrganizationID: organizationID}
			permissions string
		)
		err := rows.Scan(&version, &id, &r.Name, &permissions, bundb.ScanTime(&r.CreatedAt), bundb.ScanTime(&r.UpdatedAt))
		if err != nil {
			return nil, 0, bundb.Wrap("tenancybun: roles", err)
		}
		if !id.Valid {
			continue
		}
		r.ID = id.String
		if err := json.Unmarshal([]byte(permissions), &r.Permissions); err != nil {
			return nil, 0, fmt.Errorf("tenancybun: role %s: the stored permissions are none: %w", r.ID, err)
		}
		roles = append(roles, r)
	}
	return roles, version, bundb.Wrap("tenancybun: roles", rows.Err())
}

// HoldRoles implements tenancy.RoleStore. On SQLite the transaction is the only writer
// already.
func (s *Store) HoldRoles(ctx context.Context, organizationID string, names []string) (found []string, err error) {
	if !s.InTransaction(ctx) {
		return nil, tenancy.ErrNoTransaction
	}
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model((*roleModel)(nil)).Column("r.name").
		Where("r.organization_id = ? AND r.name IN (?)", organizationID, bun.List(names)).OrderExpr("r.name")
	if s.Dialect() == bundb.Postgres {
		query.For("KEY SHARE")
	}
	return found, bundb.Wrap("tenancybun: hold roles", query.Scan(ctx, &found))
}

// CreateRole implements tenancy.RoleStore.
func (s *Store) CreateRole(ctx context.Context, r tenancy.Role) error {
	return s.changeRoles(ctx, r, func(ctx context.Context, m *roleModel) (sql.Result, error) {
		return s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx)
	})
}

// UpdateRole implements tenancy.RoleStore.
func (s *Store) UpdateRole(ctx context.Context, r tenancy.Role) error {
	return s.changeRoles(ctx, r, func(ctx context.Context, m *roleModel) (sql.Result, error) {
		return s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model(m).Column("name", "permissions", "updated_at").
			Where("r.id = ? AND r.organization_id = ?", m.ID, m.OrganizationID).Exec(ctx)
	})
}

// DeleteRole implements tenancy.RoleStore. Whoever holds the role is about to give it to
// a member: the search comes after they are done, in a statement of its own.
func (s *Store) DeleteRole(ctx context.Context, r tenancy.Role) error {
	return s.changeRoles(ctx, r, func(ctx context.Context, m *roleModel) (sql.Result, error) {
		result, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*roleModel)(nil)).
			Where("id = ? AND organization_id = ? AND name = ?", m.ID, m.OrganizationID, m.Name).Exec(ctx)
		if err != nil {
			return nil, err
		}
		holders, err := s.RoleHolders(ctx, m.OrganizationID, m.Name)
		if err == nil && len(holders) > 0 {
			err = tenancy.ErrRoleInUse
		}
		return result, err
	})
}

// changeRoles runs one change and raises the version that permissions are remembered
// under.
func (s *Store) changeRoles(ctx context.Context, r tenancy.Role, change func(context.Context, *roleModel) (sql.Result, error)) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	m, err := newRoleModel(r)
	if err != nil {
		return err
	}
	// A savepoint in the caller's transaction, which has to survive a taken name.
	return s.InTx(ctx, func(ctx context.Context) error {
		result, err := change(ctx, m)
		if strings.Contains(bundb.Violated(err), "name") {
			return tenancy.ErrRoleTaken
		}
		if err != nil {
			return bundb.Wrap("tenancybun: change a role", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(bundb.Wrap("tenancybun: change a role", err), error(tenancy.ErrRoleNotFound))
		}
		_, err = s.raiseRoles.Exec(ctx, r.OrganizationID)
		return bundb.Wrap("tenancybun: raise the version of roles", err)
	})
}

const raiseRolesSQL = "UPDATE tenon_organizations SET roles_version = roles_version + 1 WHERE id = ?"

// RoleHolders implements tenancy.RoleStore.
func (s *Store) RoleHolders(ctx context.Context, organizationID, name string) (userIDs []string, err error) {
	pattern := "%," + strings.ReplaceAll(name, "_", "!_") + ",%"
	err = s.Bun().NewSelect().Conn(s.Conn(ctx)).Model((*memberModel)(nil)).Column("m.user_id").
		Where("m.organization_id = ? AND ',' || m.role || ',' LIKE ? ESCAPE '!'", organizationID, pattern).
		OrderExpr("m.created_at, m.id").Scan(ctx, &userIDs)
	return userIDs, bundb.Wrap("tenancybun: who has a role", err)
}
