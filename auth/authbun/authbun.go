// Package authbun keeps the users of package auth in PostgreSQL or SQLite
// through Bun.
package authbun

import (
	"context"
	"embed"
	"io/fs"
	"sync"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "auth", FS: files}
}

// Sealed lists the columns that hold sealed values, for re-encryption.
func Sealed() []crypto.SealedColumn {
	return []crypto.SealedColumn{
		{Column: auth.PasswordField("tenon_credentials", "").Column, IDColumn: "user_id"},
		{Column: auth.PasswordField("tenon_sign_ups", "").Column},
		{Column: twofactor.SecretField("").Column},
	}
}

// SessionJoin is what the statement that looks sessions up needs to know of the
// user. It finds no row if the user is gone or banned, or if what protects the
// account changed since the session was made (rule R1).
func SessionJoin() bundb.Join {
	return bundb.Join{
		SQL: "JOIN tenon_users AS u ON u.id = s.user_id AND u.security_version = s.security_version AND u.banned_at IS NULL",
		Columns: []string{
			"u.email_display", "u.name", "u.image", "u.email_verified", "u.superuser", "u.second_factor_at IS NOT NULL AND NOT u.second_factor_mail", "u.created_at", "u.updated_at",
		},
	}
}

// ScopedAddress returns the SQL for the proven address of the user whose scope it is, as
// invitations have it, NULL where there is none; see tenancybun.Secured.
func ScopedAddress() string {
	return "(SELECT u.email FROM tenon_users AS u WHERE u.id = " + bundb.ScopedUser + " AND u.email_verified)"
}

// Store implements auth.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	userByEmail     bundb.Statement
	user, holdUser  bundb.Statement
	holdOne         [2]bundb.Statement // the second one does not wait
	admit           bundb.Statement
	admitRefund     bundb.Statement
	raiseVersion    bundb.Statement
	replacePassword bundb.Statement
	password        bundb.Statement
	spend           bundb.Statement
	refund          bundb.Statement
	device          bundb.Statement
	challenge       bundb.Statement
	charges         sync.Map // of auth.Pace to bundb.Statement
	changed         func(ctx context.Context, userID string) error
}

var _ auth.Store = (*Store)(nil)

// New returns a Store on db, whose Schema must have been migrated.
func New(db *bundb.DB) *Store {
	return NewWatched(db, func(context.Context, string) error { return nil })
}

// NewWatched is New for a host that remembers something of users. The Store calls
// changed in the transaction of whatever changes what [SessionJoin] reads of a user,
// or ends them: a new security version, a ban, another address, profile or power.
// Its error undoes the change.
func NewWatched(db *bundb.DB, changed func(ctx context.Context, userID string) error) *Store {
	// lock adds what PostgreSQL locks; on SQLite a transaction is the only writer.
	lock := func(query, clause string) bundb.Statement {
		if db.Dialect() == bundb.Postgres {
			query += clause
		}
		return db.Statement(query)
	}
	return &Store{
		DB:              db,
		changed:         changed,
		userByEmail:     db.Statement(userByEmailSQL),
		user:            db.Statement(userSQL),
		holdUser:        lock(userSQL, " FOR KEY SHARE"),
		holdOne:         [2]bundb.Statement{lock(holdOneSQL, " FOR KEY SHARE"), lock(holdOneSQL, " FOR KEY SHARE SKIP LOCKED")},
		admit:           db.Statement(admitSQL),
		admitRefund:     db.Statement(admitAndRefundSQL),
		raiseVersion:    db.Statement(raiseVersionSQL),
		replacePassword: db.Statement(replacePasswordSQL),
		password:        db.Statement(passwordSQL),
		spend:           db.Statement(spendSQL),
		refund:          db.Statement(refundSQL),
		device:          db.Statement(deviceSQL),
		challenge:       db.Statement(challengeSQL),
	}
}

// change runs fn, which changes a user, and tells who watches, in one transaction.
// Inside one it makes no savepoint: what fails here fails the caller.
func (s *Store) change(ctx context.Context, userID string, fn func(ctx context.Context) error) error {
	both := func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return s.changed(ctx, userID)
	}
	if s.InTransaction(ctx) {
		return both(ctx)
	}
	return s.InTx(ctx, both)
}
