package tenancybun

import (
	"context"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

const managersSQL = `
SELECT o.name, o.owner_id, m.user_id
FROM tenon_organizations AS o JOIN tenon_members AS m ON m.organization_id = o.id
WHERE o.id = ? AND (m.role = '` + tenancy.RoleOwner + `' OR ',' || m.role || ',' LIKE '%,` + tenancy.RoleAdmin + `,%')
ORDER BY CASE WHEN m.role = '` + tenancy.RoleOwner + `' THEN 0 ELSE 1 END, m.created_at, m.id LIMIT ?`

// Managers returns the organization's id, name and owner, and the users who own or
// administer it, the owner first and then the longest-standing, limit at most. It locks
// nothing. It returns tenancy.ErrNotFound if there is no such organization.
func (s *Store) Managers(ctx context.Context, organizationID string, limit int) (o tenancy.Organization, userIDs []string, err error) {
	rows, err := s.managers.Query(ctx, organizationID, limit)
	if err != nil {
		return tenancy.Organization{}, nil, bundb.Wrap("tenancybun: managers", err)
	}
	defer rows.Close()
	for rows.Next() {
		var userID string
		if err := rows.Scan(&o.Name, &o.OwnerID, &userID); err != nil {
			return tenancy.Organization{}, nil, bundb.Wrap("tenancybun: managers", err)
		}
		o.ID, userIDs = organizationID, append(userIDs, userID)
	}
	if err := rows.Err(); err != nil {
		return tenancy.Organization{}, nil, bundb.Wrap("tenancybun: managers", err)
	}
	if len(userIDs) == 0 {
		return tenancy.Organization{}, nil, tenancy.ErrNotFound
	}
	return o, userIDs, nil
}
