// Package cryptobun keeps the key table of package crypto in PostgreSQL or SQLite through Bun, and reaches the sealed
// columns of the same database.
package cryptobun

import (
	"embed"
	"io/fs"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the key table.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "crypto", FS: files}
}

// Store implements crypto.Store and crypto.SealedStore. It is safe for concurrent use.
type Store struct {
	*bundb.DB
}

var (
	_ crypto.Store       = (*Store)(nil)
	_ crypto.SealedStore = (*Store)(nil)
)

// New returns a Store on db, whose Schema must have been migrated.
func New(db *bundb.DB) *Store { return &Store{DB: db} }
