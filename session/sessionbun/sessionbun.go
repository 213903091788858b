package sessionbun

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/session"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables, tenon_sessions and
// tenon_session_revocations.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "session", FS: files}
}

// KIDs tells which keys live sessions need: a key that one of them was hashed
// under must not be destroyed (rule R28).
func KIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_sessions WHERE revoked_at IS NULL GROUP BY kid")
	return crypto.KIDSource{Name: "sessions", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("sessionbun: count keys", err)
	}}
}

// Config holds the joins of the lookup. The session's row has the alias s.
type Config struct {
	// User joins the user as u. It must find no row for a user who is banned or
	// gone, or whose security version is not s.security_version (rule R1). Its
	// columns are the e-mail address, name, image, whether the address is
	// verified, whether the user is a superuser, whether they turned a second factor
	// on, and the times of creation and of
	// the last change. None may be NULL. Required.
	User bundb.Join
	// Member joins the user's membership in s.organization_id, if there is one,
	// as m. Its columns are the role, empty where there is no membership; the time from
	// which the organization demands a second factor of its members, or NULL;
	// whether trusted devices satisfy it; and the version of the organization's roles, 0
	// where there is none. Defaults to none: no organization is ever in
	// scope.
	Member bundb.Join
}

const (
	userColumns   = 8
	memberColumns = 4
)

// Store implements session.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	create, find, findByID, findActor, owner, list, touch bundb.Statement
	rotate, replay, families                              bundb.Statement
	byID, elevate, fail, crowded                          bundb.Statement
	*revocations
}

var _ session.Store = (*Store)(nil)

// New returns a Store on db, whose Schema must have been migrated. It does no
// I/O.
func New(db *bundb.DB, cfg Config) (*Store, error) {
	if cfg.User.SQL == "" || len(cfg.User.Columns) != userColumns {
		return nil, fmt.Errorf("sessionbun: Config.User must be a join with %d columns", userColumns)
	}
	member := []string{"''", "NULL", "FALSE", "CAST(0 AS BIGINT)"}
	if cfg.Member.SQL != "" {
		member = cfg.Member.Columns
	}
	if len(member) != memberColumns {
		return nil, fmt.Errorf("sessionbun: Config.Member must have %d columns", memberColumns)
	}
	find := "SELECT " + sessionColumns + ", s.kid, s.verifier, " + strings.Join(slices.Concat(cfg.User.Columns, member), ", ") +
		" FROM tenon_sessions AS s " + cfg.User.SQL + " " + cfg.Member.SQL + " WHERE s.revoked_at IS NULL AND "
	return &Store{
		DB:          db,
		revocations: newRevocations(db),

		find:      db.Statement(find + "s.selector = ? AND s.generation = 0"),
		findByID:  db.Statement(find + "s.id = ? AND s.generation > 0"),
		owner:     db.Statement("SELECT s.user_id FROM tenon_sessions AS s WHERE s.id = ? AND s.revoked_at IS NULL"),
		findActor: db.Statement(find + "s.id = ? AND s.generation = 0"),
		list: db.Statement("SELECT " + sessionColumns +
			" FROM tenon_sessions AS s " + cfg.User.SQL +
			" WHERE s.user_id = ? AND s.revoked_at IS NULL AND s.idle_ends_at > ? AND s.ends_at > ?" +
			" ORDER BY s.last_seen_at DESC, s.id DESC LIMIT ?"),
		byID: db.Statement("SELECT " + sessionColumns + " FROM tenon_sessions AS s " + cfg.User.SQL +
			" WHERE s.id = ? AND s.user_id = ? AND s.revoked_at IS NULL"),
		touch:   db.Statement(touchSQL),
		create:  db.Statement(createSQL),
		elevate: db.Statement(elevateSQL),
		fail:    db.Statement(failSQL),
		crowded: db.Statement(crowdedSQL),

		rotate:   db.Statement(rotateSQL + admitted(cfg.User) + rotateGuard + familyReturning),
		replay:   db.Statement(replaySQL + admitted(cfg.User) + replayGuard + familyReturning),
		families: db.Statement("SELECT " + familyColumns + " FROM tenon_sessions WHERE id = ? AND generation > 0 AND revoked_at IS NULL"),
	}, nil
}
