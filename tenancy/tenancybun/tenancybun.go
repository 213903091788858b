package tenancybun

import (
	"embed"
	"io/fs"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables: tenon_organizations,
// tenon_members and tenon_organization_roles.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "tenancy", FS: files}
}

// Secured returns whose the rows of the package's tables are, for row security. An
// organization's scope opens all that is its own; a user's lets read, and not change, the
// own memberships and what members may know of their organizations, and the invitations
// to the user with who invites. address is SQL for the proven address of the scope's user,
// as invitations have it, such as authbun.ScopedAddress returns; empty, there is none.
func Secured(address string) []bundb.SecuredTable {
	const (
		own    = "user_id = " + bundb.ScopedUser
		places = "(SELECT m.organization_id FROM tenon_members AS m WHERE m." + own + ")"
		inside = "organization_id IN " + places
	)
	invited, inviting := inside, "id IN "+places
	if address != "" {
		invited += " OR email = " + address
		inviting += " OR id IN (SELECT i.organization_id FROM tenon_invitations AS i WHERE i.status = 'pending' AND i.email = " + address + ")"
	}
	return []bundb.SecuredTable{
		{Table: "tenon_organizations", Organization: "id", ReadIf: inviting, LockIf: "id IN " + places},
		{Table: "tenon_members", Organization: "organization_id", ReadIf: own, LockIf: own},
		{Table: "tenon_organization_roles", Organization: "organization_id"},
		{Table: "tenon_invitations", Organization: "organization_id", ReadIf: invited},
		{Table: "tenon_teams", Organization: "organization_id", ReadIf: inside},
		{Table: "tenon_team_members", Organization: "organization_id", ReadIf: own},
	}
}

// SessionJoin is what the statement that looks sessions up needs to know of the
// user's place in the session's organization: the role, empty where there is
// none (rule R18), what the organization demands of its members (rule R13), and the version
// of its own roles. The
// session has the alias s.
func SessionJoin() bundb.Join {
	return bundb.Join{
		SQL: "LEFT JOIN tenon_members AS m ON m.organization_id = s.organization_id AND m.user_id = s.user_id" +
			" LEFT JOIN tenon_organizations AS o ON o.id = m.organization_id",
		Columns: []string{"COALESCE(m.role, '')", "o.second_factor_from", "COALESCE(o.second_factor_trusts, FALSE)", "COALESCE(o.roles_version, 0)"},
	}
}

// Store implements tenancy.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	membership, bySlug, hold, holdFirst, share, choose bundb.Statement
	lock                                               bundb.Statement
	holdMembership, holdAsMember, lockAsMember         bundb.Statement
	addMember, setRole, removeMember                   bundb.Statement
	offer, findOffer, withdraw                         bundb.Statement
	roles, raiseRoles, managers                        bundb.Statement
}

var _ tenancy.Store = (*Store)(nil)

// New returns a Store on db, whose Schema must have been migrated. It does no
// I/O.
func New(db *bundb.DB) *Store {
	// lock adds what PostgreSQL locks; on SQLite a transaction is the only writer.
	lock := func(query, clause string) bundb.Statement {
		if db.Dialect() == bundb.Postgres {
			query += " " + clause
		}
		return db.Statement(query)
	}
	return &Store{
		DB:         db,
		membership: db.Statement(membershipSQL), bySlug: db.Statement(bySlugSQL),
		hold: lock(holdSQL, "FOR KEY SHARE"), holdFirst: lock(holdFirstSQL, "FOR KEY SHARE OF o, m"),
		lock:  lock(lockSQL, "FOR UPDATE"),
		share: db.Statement(shareSQL), choose: db.Statement(chooseSQL),
		holdMembership: lock(membershipSQL, "FOR KEY SHARE OF o FOR SHARE OF m"), holdAsMember: lock(asMemberSQL, "FOR KEY SHARE OF o"),
		lockAsMember: lock(asMemberSQL, "FOR NO KEY UPDATE OF o"),
		addMember:    db.Statement(addMemberSQL), setRole: db.Statement(setRoleSQL), removeMember: db.Statement(removeMemberSQL),
		offer: db.Statement(offerSQL), findOffer: db.Statement(findOfferSQL), withdraw: db.Statement(withdrawSQL),
		roles: db.Statement(rolesSQL), raiseRoles: db.Statement(raiseRolesSQL), managers: db.Statement(managersSQL),
	}
}
