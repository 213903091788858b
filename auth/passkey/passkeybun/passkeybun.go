// Package passkeybun keeps the passkeys of package passkey in PostgreSQL or SQLite
// through Bun, and makes them a feature of package tenon:
//
//	app, err := tenon.New(tenon.Config{
//		…
//		Passkeys: passkeybun.New(passkey.Config{}),
//	})
package passkeybun

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/bundb"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "passkey", FS: files}
}

// Store implements passkey.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	handle       bundb.Statement
	byCredential bundb.Statement
	use          bundb.Statement
	claim        bundb.Statement
}

var _ passkey.Store = (*Store)(nil)

const byCredentialSQL = `
SELECT p.id, p.user_id, p.credential_id, p.public_key, p.name, p.aaguid, p.transports,
    p.sign_count, p.backup_eligible, p.backup_state, p.user_verified, p.created_at, p.last_used_at, h.handle
FROM tenon_passkeys AS p JOIN tenon_passkey_handles AS h ON h.user_id = p.user_id WHERE p.credential_id = ?`

// The counter of an authenticator that counts only rises; one that does not count
// stays at zero (WebAuthn §6.1.1).
const useSQL = `
UPDATE tenon_passkeys SET sign_count = ?, backup_state = ?, last_used_at = ?
WHERE id = ? AND user_id = ? AND (sign_count < ? OR (sign_count = 0 AND sign_count = ?))`

const claimSQL = `
DELETE FROM tenon_passkey_ceremonies WHERE challenge = ? AND owner = ? AND expires_at > ?
RETURNING id, kind, owner, challenge, user_id, security_version, user_verification, bearer, created_at, expires_at`

// NewStore returns a Store on db, whose Schema must have been migrated.
func NewStore(db *bundb.DB) *Store {
	return &Store{
		DB:           db,
		handle:       db.Statement("SELECT handle FROM tenon_passkey_handles WHERE user_id = ?"),
		byCredential: db.Statement(byCredentialSQL),
		use:          db.Statement(useSQL),
		claim:        db.Statement(claimSQL),
	}
}

type passkeyModel struct {
	bun.BaseModel `bun:"table:tenon_passkeys,alias:p"`

	ID             string    `bun:"id,pk"`
	UserID         string    `bun:"user_id"`
	CredentialID   []byte    `bun:"credential_id"`
	PublicKey      []byte    `bun:"public_key"`
	Name           string    `bun:"name"`
	AAGUID         string    `bun:"aaguid"`
	Transports     string    `bun:"transports"`
	SignCount      int64     `bun:"sign_count"`
	BackupEligible bool      `bun:"backup_eligible"`
	BackupState    bool      `bun:"backup_state"`
	UserVerified   bool      `bun:"user_verified"`
	CreatedAt      time.Time `bun:"created_at"`
	LastUsedAt     time.Time `bun:"last_used_at,nullzero"`
}

func newPasskeyModel(p passkey.Passkey) *passkeyModel {
	return &passkeyModel{
		ID: p.ID, UserID: p.UserID, CredentialID: p.CredentialID, PublicKey: p.PublicKey, Name: p.Name,
		AAGUID: p.AAGUID.String(), Transports: strings.Join(p.Transports, ","), SignCount: int64(p.SignCount),
		BackupEligible: p.BackupEligible, BackupState: p.BackupState, UserVerified: p.UserVerified,
		CreatedAt: p.CreatedAt.UTC(), LastUsedAt: p.LastUsedAt.UTC(),
	}
}

func (m *passkeyModel) passkey() (passkey.Passkey, error) {
	aaguid, err := uuid.Parse(m.AAGUID)
	p := passkey.Passkey{
		ID: m.ID, UserID: m.UserID, CredentialID: m.CredentialID, PublicKey: m.PublicKey, Name: m.Name, AAGUID: aaguid,
		SignCount: uint32(m.SignCount), BackupEligible: m.BackupEligible, BackupState: m.BackupState,
		UserVerified: m.UserVerified, CreatedAt: m.CreatedAt.UTC(), LastUsedAt: m.LastUsedAt.UTC(),
	}
	if m.Transports != "" {
		p.Transports = strings.Split(m.Transports, ",")
	}
	return p, err
}

// found returns the passkey that a query found.
func found(m *passkeyModel, op string, err error) (passkey.Passkey, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return passkey.Passkey{}, passkey.ErrNotFound
	}
	if err != nil {
		return passkey.Passkey{}, bundb.Wrap(op, err)
	}
	p, err := m.passkey()
	return p, bundb.Wrap(op, err)
}

// Handle implements passkey.PasskeyStore.
func (s *Store) Handle(ctx context.Context, userID string, fresh []byte) ([]byte, error) {
	if len(fresh) > 0 {
		_, err := s.Bun().NewRaw("INSERT INTO tenon_passkey_handles (user_id, handle) VALUES (?, ?) ON CONFLICT (user_id) DO NOTHING", userID, fresh).
			Conn(s.Conn(ctx)).Exec(ctx)
		if err != nil {
			return nil, bundb.Wrap("passkeybun: make a handle", err)
		}
	}
	var handle []byte
	err := s.handle.QueryRow(ctx, userID).Scan(&handle)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, passkey.ErrNotFound
	}
	return handle, bundb.Wrap("passkeybun: find a handle", err)
}

// Add implements passkey.PasskeyStore.
func (s *Store) Add(ctx context.Context, p passkey.Passkey) error {
	n, err := affected(s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newPasskeyModel(p)).On("CONFLICT (credential_id) DO NOTHING").Exec(ctx))
	if err == nil && n == 0 {
		return passkey.ErrAlreadyRegistered
	}
	return bundb.Wrap("passkeybun: add a passkey", err)
}

// Passkeys implements passkey.PasskeyStore.
func (s *Store) Passkeys(ctx context.Context, userID string) ([]passkey.Passkey, error) {
	var models []passkeyModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("p.user_id = ?", userID).OrderExpr("p.created_at, p.id").Scan(ctx)
	all := make([]passkey.Passkey, len(models))
	for i := range models {
		if err == nil {
			all[i], err = models[i].passkey()
		}
	}
	if err != nil {
		return nil, bundb.Wrap("passkeybun: list passkeys", err)
	}
	return all, nil
}

// ByCredential implements passkey.PasskeyStore.
func (s *Store) ByCredential(ctx context.Context, credentialID []byte) (passkey.Passkey, []byte, error) {
	m, handle := new(passkeyModel), []byte(nil)
	err := s.byCredential.QueryRow(ctx, credentialID).Scan(&m.ID, &m.UserID, &m.CredentialID, &m.PublicKey, &m.Name, &m.AAGUID, &m.Transports,
		&m.SignCount, &m.BackupEligible, &m.BackupState, &m.UserVerified, bundb.ScanTime(&m.CreatedAt), bundb.ScanTime(&m.LastUsedAt), &handle)
	p, err := found(m, "passkeybun: find a passkey", err)
	return p, handle, err
}

// Use implements passkey.PasskeyStore.
func (s *Store) Use(ctx context.Context, u passkey.Use) (bool, error) {
	count := int64(u.SignCount)
	n, err := affected(s.use.Exec(ctx, count, u.BackupState, u.At, u.ID, u.UserID, count, count))
	return n == 1, bundb.Wrap("passkeybun: use a passkey", err)
}

// Rename implements passkey.PasskeyStore.
func (s *Store) Rename(ctx context.Context, userID, id, name string) (passkey.Passkey, error) {
	m := new(passkeyModel)
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model(m).Set("name = ?", name).
		Where("p.id = ?", id).Where("p.user_id = ?", userID).Returning("?Columns").Exec(ctx))
	return found(m, "passkeybun: rename a passkey", one(n, err))
}

// Remove implements passkey.PasskeyStore.
func (s *Store) Remove(ctx context.Context, userID, id string) (passkey.Passkey, error) {
	m := new(passkeyModel)
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Model(m).
		Where("p.id = ?", id).Where("p.user_id = ?", userID).Returning("?Columns").Exec(ctx))
	return found(m, "passkeybun: remove a passkey", one(n, err))
}

// one makes no row the error that a query for one returns.
func one(n int, err error) error {
	if err == nil && n == 0 {
		return sql.ErrNoRows
	}
	return err
}

// Forget implements passkey.PasskeyStore.
func (s *Store) Forget(ctx context.Context, userID string) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for _, table := range []string{"tenon_passkeys", "tenon_passkey_handles", "tenon_passkey_ceremonies"} {
			_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table(table).Where("user_id = ?", userID).Exec(ctx)
			if err != nil {
				return bundb.Wrap("passkeybun: forget a user", err)
			}
		}
		return nil
	})
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
