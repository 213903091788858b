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

// SessionJoin is what the statement that looks sessions up needs to know of the
// user's place in the session's organization: the role, empty where there is
// none (rule R18), and what the organization demands of its members (rule R13). The
// session has the alias s.
func SessionJoin() bundb.Join {
	return bundb.Join{
		SQL: "LEFT JOIN tenon_members AS m ON m.organization_id = s.organization_id AND m.user_id = s.user_id" +
			" LEFT JOIN tenon_organizations AS o ON o.id = m.organization_id",
		Columns: []string{"COALESCE(m.role, '')", "o.second_factor_from", "COALESCE(o.second_factor_trusts, FALSE)"},
	}
}

// Store implements tenancy.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	membership, hold, holdFirst, share      bundb.Statement
	holdMembership, holdAsMember, addMember bundb.Statement
}

var _ tenancy.Store = (*Store)(nil)

// New returns a Store on db, whose Schema must have been migrated. It does no
// I/O.
func New(db *bundb.DB) *Store {
	hold, first, place, asMember := holdSQL, holdFirstSQL, membershipSQL, holdAsMemberSQL
	if db.Dialect() == bundb.Postgres {
		hold += " FOR KEY SHARE"
		first += " FOR KEY SHARE OF o"
		place += " FOR SHARE OF m"
		asMember += " FOR KEY SHARE OF o"
	}
	return &Store{
		DB:         db,
		membership: db.Statement(membershipSQL), hold: db.Statement(hold), holdFirst: db.Statement(first),
		share: db.Statement(shareSQL), holdMembership: db.Statement(place), holdAsMember: db.Statement(asMember), addMember: db.Statement(addMemberSQL),
	}
}
