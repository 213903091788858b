// Package auditbun keeps the audit trail of package audit in PostgreSQL or SQLite
// through Bun.
package auditbun

import (
	"context"
	"embed"
	"io/fs"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "audit", FS: files}
}

// Secured returns whose the rows of the package's tables are, for row security. The
// scope of an organization reads and adds entries and changes none; whoever is known
// or not adds those that belong to no organization. Sealing, verifying, erasing and
// retention are the system's.
func Secured() []bundb.SecuredTable {
	const own = "organization_id = " + bundb.ScopedOrganization
	return []bundb.SecuredTable{
		{Table: "tenon_audit_entries", ReadIf: own, InsertIf: own + " OR organization_id = ''"},
		{Table: "tenon_audit_chains", ReadIf: own},
		{Table: "tenon_audit_sealer"},
	}
}

// Sealed lists the columns that hold sealed values, for re-encryption.
func Sealed() []crypto.SealedColumn { return []crypto.SealedColumn{audit.SealedColumn()} }

// KIDs counts the rows by the keys of their MACs: a key that is gone verifies nothing
// any more.
func KIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement(`SELECT k.kid, count(*) FROM (
    SELECT kid FROM tenon_audit_entries UNION ALL SELECT link_kid FROM tenon_audit_entries WHERE link_kid IS NOT NULL
    UNION ALL SELECT head_kid FROM tenon_audit_chains UNION ALL SELECT base_kid FROM tenon_audit_chains WHERE base_kid <> ''
    UNION ALL SELECT chains_kid FROM tenon_audit_sealer WHERE chains_kid <> ''
) AS k GROUP BY k.kid`)
	return crypto.KIDSource{Name: "audit entries", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("auditbun: count keys", err)
	}}
}

// Store implements audit.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	insert, unsealed, chain, acquire, fence bundb.Statement
}

var _ audit.Store = (*Store)(nil)

// New returns a Store on db, whose Schema must have been migrated. It does no I/O.
func New(db *bundb.DB) *Store {
	return &Store{
		DB: db, insert: db.Statement(insertSQL), unsealed: db.Statement(unsealedSQL), chain: db.Statement(chainSQL),
		acquire: db.Statement(acquireSQL), fence: db.Statement(fenceSQL),
	}
}

// requireTx returns audit.ErrNoTransaction outside a transaction.
func (s *Store) requireTx(ctx context.Context) error {
	if !s.InTransaction(ctx) {
		return audit.ErrNoTransaction
	}
	return nil
}
