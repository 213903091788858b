// Package oauthbun keeps what package oauth remembers in PostgreSQL or SQLite through
// Bun, and makes signing in by identity providers a feature of package tenon:
//
//	app, err := tenon.New(tenon.Config{
//		…
//		OAuth: oauthbun.New(oauth.Config{Providers: []oauth.Provider{{Provider: provider.GitHub(id, secret)}}}),
//	})
package oauthbun

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "oauth", FS: files}
}

// Sealed lists the columns that hold sealed values, for re-encryption.
func Sealed() []crypto.SealedColumn {
	return []crypto.SealedColumn{
		{Column: oauth.AccessField("").Column, IDColumn: "link_id"},
		{Column: oauth.RefreshField("").Column, IDColumn: "link_id"},
	}
}

// Store implements oauth.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	byIdentity bundb.Statement
	attachment bundb.Statement
	spend      bundb.Statement
	turn       bundb.Statement
}

var _ oauth.Store = (*Store)(nil)

const byIdentitySQL = `
SELECT id, user_id, provider, issuer, subject, email, created_at, last_used_at
FROM tenon_oauth_links WHERE issuer = ? AND subject = ?`

const attachmentSQL = `
DELETE FROM tenon_oauth_attachments WHERE sign_up_id = ? AND expires_at > ?
RETURNING sign_up_id, link_id, provider, issuer, subject, email, created_at, expires_at`

// NewStore returns a Store on db, whose Schema must have been migrated.
func NewStore(db *bundb.DB) *Store {
	return &Store{
		DB:         db,
		byIdentity: db.Statement(byIdentitySQL),
		attachment: db.Statement(attachmentSQL),
		spend:      db.Statement("INSERT INTO tenon_oauth_id_tokens (hash, expires_at) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"),
		turn:       db.Statement(turnSQL),
	}
}

type linkModel struct {
	bun.BaseModel `bun:"table:tenon_oauth_links,alias:l"`

	ID         string    `bun:"id,pk"`
	UserID     string    `bun:"user_id"`
	Provider   string    `bun:"provider"`
	Issuer     string    `bun:"issuer"`
	Subject    string    `bun:"subject"`
	Email      string    `bun:"email"`
	CreatedAt  time.Time `bun:"created_at"`
	LastUsedAt time.Time `bun:"last_used_at,nullzero"`
}

func (m *linkModel) link() oauth.Link {
	return oauth.Link{
		ID: m.ID, UserID: m.UserID, Provider: m.Provider, Identity: oauth.Identity{Issuer: m.Issuer, Subject: m.Subject},
		Email: m.Email, CreatedAt: m.CreatedAt.UTC(), LastUsedAt: m.LastUsedAt.UTC(),
	}
}

// found returns the link that a query found.
func found(m *linkModel, op string, err error) (oauth.Link, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return oauth.Link{}, oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Link{}, bundb.Wrap(op, err)
	}
	return m.link(), nil
}

// AddLink implements oauth.LinkStore.
func (s *Store) AddLink(ctx context.Context, l oauth.Link) error {
	m := &linkModel{
		ID: l.ID, UserID: l.UserID, Provider: l.Provider, Issuer: l.Identity.Issuer, Subject: l.Identity.Subject,
		Email: l.Email, CreatedAt: l.CreatedAt.UTC(), LastUsedAt: l.LastUsedAt.UTC(),
	}
	n, err := affected(s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).On("CONFLICT (issuer, subject) DO NOTHING").Exec(ctx))
	if err == nil && n == 0 {
		return oauth.ErrLinkedElsewhere
	}
	return bundb.Wrap("oauthbun: add a link", err)
}

// LinkByIdentity implements oauth.LinkStore.
func (s *Store) LinkByIdentity(ctx context.Context, id oauth.Identity) (oauth.Link, error) {
	m := new(linkModel)
	err := s.byIdentity.Scan(ctx, []any{id.Issuer, id.Subject}, &m.ID, &m.UserID, &m.Provider, &m.Issuer, &m.Subject, &m.Email,
		bundb.ScanTime(&m.CreatedAt), bundb.ScanTime(&m.LastUsedAt))
	return found(m, "oauthbun: find a link", err)
}

// Links implements oauth.LinkStore.
func (s *Store) Links(ctx context.Context, userID string) ([]oauth.Link, error) {
	var models []linkModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("l.user_id = ?", userID).OrderExpr("l.created_at, l.id").Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("oauthbun: list links", err)
	}
	all := make([]oauth.Link, len(models))
	for i := range models {
		all[i] = models[i].link()
	}
	return all, nil
}

// UseLink implements oauth.LinkStore.
func (s *Store) UseLink(ctx context.Context, userID, id, email string, at time.Time) (bool, error) {
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_oauth_links").
		Set("email = ?", email).Set("last_used_at = ?", at.UTC()).Where("id = ?", id).Where("user_id = ?", userID).Exec(ctx))
	return n == 1, bundb.Wrap("oauthbun: use a link", err)
}

// RemoveLink implements oauth.LinkStore. The grant goes with its link by its foreign key.
func (s *Store) RemoveLink(ctx context.Context, userID, id string) (oauth.Link, error) {
	m := new(linkModel)
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Model(m).
		Where("l.id = ?", id).Where("l.user_id = ?", userID).Returning("?Columns").Exec(ctx))
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return found(m, "oauthbun: remove a link", err)
}

// Forget implements oauth.LinkStore. The grants go with their links.
func (s *Store) Forget(ctx context.Context, userID string) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_oauth_links").Where("user_id = ?", userID).Exec(ctx)
	return bundb.Wrap("oauthbun: forget a user", err)
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// prune deletes at most limit rows of a table that expired.
func (s *Store) prune(ctx context.Context, table, key string, now time.Time, limit int) (int, error) {
	old := s.Bun().NewSelect().Table(table).Column(key).Where("expires_at <= ?", now.UTC()).OrderExpr("expires_at").Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		old.For("UPDATE SKIP LOCKED")
	}
	return affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table(table).Where("? IN (?)", bun.Ident(key), old).Exec(ctx))
}
