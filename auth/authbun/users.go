package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/bundb"
)

const userByEmailSQL = `
SELECT u.id, u.email, u.email_display, u.email_verified, u.email_proof, u.name, u.image, u.superuser, u.security_version,
       u.second_factor_at, u.created_at, u.updated_at, u.last_sign_in_at, c.password
FROM tenon_users AS u LEFT JOIN tenon_credentials AS c ON c.user_id = u.id
WHERE u.email = ?`

// admitSQL takes a ban away whose end has passed.
const admitSQL = `
UPDATE tenon_users SET banned_at = NULL, banned_until = NULL,
  last_sign_in_at = CASE WHEN second_factor_at IS NULL OR ? THEN ? ELSE last_sign_in_at END
WHERE id = ? AND security_version = ? AND (banned_at IS NULL OR banned_until <= ?)
RETURNING second_factor_at IS NOT NULL`

// admitAndRefundSQL saves a round trip on PostgreSQL; SQLite has no statement
// that updates two tables.
const admitAndRefundSQL = "WITH admitted (enrolled) AS (" + admitSQL + "), refunded AS (" + refundSQL +
	" AND EXISTS (SELECT FROM admitted)) SELECT enrolled FROM admitted"

const raiseVersionSQL = `
UPDATE tenon_users SET security_version = security_version + 1
WHERE id = ?
RETURNING security_version`

const passwordSQL = `
SELECT c.password
FROM tenon_users AS u LEFT JOIN tenon_credentials AS c ON c.user_id = u.id
WHERE u.id = ?`

const replacePasswordSQL = `
UPDATE tenon_credentials SET password = ?, updated_at = ?, kind = ''
WHERE user_id = ? AND password = ?`

// userSQL is followed by what PostgreSQL locks.
const userSQL = `
SELECT id, email, email_display, email_verified, email_proof, name, image, superuser, security_version,
       second_factor_at, created_at, updated_at, last_sign_in_at
FROM tenon_users WHERE id = ?`

const holdOneSQL = "SELECT id FROM tenon_users WHERE id = ?"

type userModel struct {
	bun.BaseModel `bun:"table:tenon_users,alias:u"`

	ID              string    `bun:"id,pk"`
	Email           string    `bun:"email"`
	EmailDisplay    string    `bun:"email_display"`
	EmailVerified   bool      `bun:"email_verified"`
	EmailProof      string    `bun:"email_proof"`
	Name            string    `bun:"name"`
	Image           string    `bun:"image"`
	Superuser       bool      `bun:"superuser"`
	SecurityVersion int64     `bun:"security_version"`
	SecondFactorAt  time.Time `bun:"second_factor_at,nullzero"`
	LastSignInAt    time.Time `bun:"last_sign_in_at,nullzero"`
	CreatedAt       time.Time `bun:"created_at"`
	UpdatedAt       time.Time `bun:"updated_at"`
}

func newUserModel(u auth.User) *userModel {
	return &userModel{
		ID: u.ID, Email: u.Email, EmailDisplay: u.Display, EmailVerified: u.EmailVerified, EmailProof: u.EmailProof,
		Name: u.Name, Image: u.Image, Superuser: u.Superuser, SecurityVersion: u.SecurityVersion,
		SecondFactorAt: u.SecondFactorAt.UTC(), LastSignInAt: u.LastSignInAt.UTC(), CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}

func (m *userModel) user() auth.User {
	return auth.User{
		ID: m.ID, Email: m.Email, Display: m.EmailDisplay, EmailVerified: m.EmailVerified, EmailProof: m.EmailProof,
		Name: m.Name, Image: m.Image, Superuser: m.Superuser, SecurityVersion: m.SecurityVersion,
		SecondFactorAt: m.SecondFactorAt.UTC(), LastSignInAt: m.LastSignInAt.UTC(), CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(),
	}
}

type credentialModel struct {
	bun.BaseModel `bun:"table:tenon_credentials"`

	UserID    string    `bun:"user_id,pk"`
	Password  []byte    `bun:"password"`
	Kind      string    `bun:"kind"`
	UpdatedAt time.Time `bun:"updated_at"`
}

// CreateUser implements auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, user auth.User, password []byte) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newUserModel(user)).Exec(ctx)
		if bundb.IsUniqueViolation(err) {
			return auth.ErrAddressTaken
		}
		if err != nil || len(password) == 0 {
			return bundb.Wrap("authbun: create a user", err)
		}
		credential := &credentialModel{UserID: user.ID, Password: password, UpdatedAt: user.UpdatedAt.UTC()}
		_, err = s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(credential).Exec(ctx)
		return bundb.Wrap("authbun: set a password", err)
	})
}

// UserByEmail implements auth.UserStore.
func (s *Store) UserByEmail(ctx context.Context, email string) (auth.User, []byte, error) {
	var u auth.User
	var password []byte
	err := s.userByEmail.Scan(ctx, []any{email},
		&u.ID, &u.Email, &u.Display, &u.EmailVerified, &u.EmailProof, &u.Name, &u.Image, &u.Superuser, &u.SecurityVersion,
		bundb.ScanTime(&u.SecondFactorAt), bundb.ScanTime(&u.CreatedAt), bundb.ScanTime(&u.UpdatedAt), bundb.ScanTime(&u.LastSignInAt), &password)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, nil, auth.ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, nil, bundb.Wrap("authbun: find a user by address", err)
	}
	return u, password, nil
}

// UserByID implements auth.UserStore.
func (s *Store) UserByID(ctx context.Context, id string) (auth.User, error) {
	return user(ctx, s.user, id)
}

// HoldUser is UserByID that keeps the user from being deleted until the transaction of
// ctx ends. On SQLite the transaction is the only writer already.
func (s *Store) HoldUser(ctx context.Context, id string) (auth.User, error) {
	if err := s.RequireTx(ctx); err != nil {
		return auth.User{}, err
	}
	return user(ctx, s.holdUser, id)
}

func user(ctx context.Context, statement bundb.Statement, id string) (auth.User, error) {
	var u auth.User
	err := statement.Scan(ctx, []any{id},
		&u.ID, &u.Email, &u.Display, &u.EmailVerified, &u.EmailProof, &u.Name, &u.Image, &u.Superuser, &u.SecurityVersion,
		bundb.ScanTime(&u.SecondFactorAt), bundb.ScanTime(&u.CreatedAt), bundb.ScanTime(&u.UpdatedAt), bundb.ScanTime(&u.LastSignInAt))
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, auth.ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, bundb.Wrap("authbun: find a user", err)
	}
	return u, nil
}

// Hold implements auth.UserStore. On SQLite the transaction is the only
// writer already.
func (s *Store) Hold(ctx context.Context, id string) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	var held string
	err := s.holdOne[0].QueryRow(ctx, id).Scan(&held)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.ErrUserNotFound
	}
	return bundb.Wrap("authbun: hold a user", err)
}

// RaiseVersion implements auth.UserStore.
func (s *Store) RaiseVersion(ctx context.Context, id string) (int64, error) {
	if err := s.RequireTx(ctx); err != nil {
		return 0, err
	}
	var version int64
	err := s.raiseVersion.QueryRow(ctx, id).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, auth.ErrUserNotFound
	}
	if err != nil {
		return 0, bundb.Wrap("authbun: raise a security version", err)
	}
	return version, s.changed(ctx, id)
}

// Admit implements auth.UserStore.
func (s *Store) Admit(ctx context.Context, a auth.Admission) (enrolled bool, err error) {
	if err := s.RequireTx(ctx); err != nil {
		return false, err
	}
	err = s.admitAndRefund(ctx, a, &enrolled)
	if errors.Is(err, sql.ErrNoRows) {
		return false, auth.ErrNotAdmitted
	}
	return enrolled, bundb.Wrap("authbun: admit a user", err)
}

func (s *Store) admitAndRefund(ctx context.Context, a auth.Admission, enrolled *bool) error {
	args := []any{a.Done, a.At, a.UserID, a.SecurityVersion, a.At}
	if a.Guess.Factor == "" {
		return s.admit.QueryRow(ctx, args...).Scan(enrolled)
	}
	if s.Dialect() == bundb.Postgres {
		return s.admitRefund.QueryRow(ctx, append(args, a.Guess.Factor, a.Guess.Account)...).Scan(enrolled)
	}
	if err := s.admit.QueryRow(ctx, args...).Scan(enrolled); err != nil {
		return err
	}
	_, err := s.refund.Exec(ctx, a.Guess.Factor, a.Guess.Account)
	return err
}

// SetVerified implements auth.ProofStore.
func (s *Store) SetVerified(ctx context.Context, userID, proof string, now time.Time) (bool, error) {
	proven := false
	err := s.change(ctx, userID, func(ctx context.Context) error {
		changed, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
			Set("email_verified = ?", true).Set("email_proof = ?", proof).Set("updated_at = ?", now.UTC()).
			Where("id = ?", userID).Where("email_verified = ?", false).Exec(ctx))
		if err != nil {
			return bundb.Wrap("authbun: record a proof", err)
		}
		if proven = changed == 1; !proven {
			_, err = s.UserByID(ctx, userID)
		}
		return err
	})
	return proven && err == nil, err
}

// Password implements auth.CredentialStore.
func (s *Store) Password(ctx context.Context, userID string) ([]byte, error) {
	var sealed []byte
	err := s.password.QueryRow(ctx, userID).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrUserNotFound
	}
	return sealed, bundb.Wrap("authbun: read a password hash", err)
}

// SetPassword implements auth.CredentialStore.
func (s *Store) SetPassword(ctx context.Context, userID string, sealed []byte, now time.Time) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	if len(sealed) == 0 {
		_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*credentialModel)(nil)).Where("user_id = ?", userID).Exec(ctx)
		return bundb.Wrap("authbun: take a password away", err)
	}
	credential := &credentialModel{UserID: userID, Password: sealed, UpdatedAt: now.UTC()}
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(credential).
		On("CONFLICT (user_id) DO UPDATE").Set("password = EXCLUDED.password").Set("updated_at = EXCLUDED.updated_at").
		Set("kind = EXCLUDED.kind").Exec(ctx)
	return bundb.Wrap("authbun: set a password", err)
}

// ReplacePassword implements auth.CredentialStore.
func (s *Store) ReplacePassword(ctx context.Context, userID string, old, sealed []byte, now time.Time) (bool, error) {
	changed, err := affected(s.replacePassword.Exec(ctx, sealed, now, userID, old))
	return changed == 1, bundb.Wrap("authbun: replace a password hash", err)
}

// MarkImported implements auth.KindStore.
func (s *Store) MarkImported(ctx context.Context, userID, kind string) error {
	_, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_credentials").
		Set("kind = ?", kind).Where("user_id = ?", userID).Exec(ctx)
	return bundb.Wrap("authbun: mark an imported hash", err)
}

// maxKinds is how many kinds of hashes have decoys of their own.
const maxKinds = 32

// PasswordKinds implements auth.KindStore. All credentials are counted only while
// there is one that was imported.
func (s *Store) PasswordKinds(ctx context.Context) (password.Mix, error) {
	var kinds []struct {
		Kind  string `bun:"kind"`
		Count int    `bun:"n"`
	}
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_credentials").Column("kind").ColumnExpr("count(*) AS n").
		Where("kind <> ''").Group("kind").OrderExpr("n DESC, kind").Limit(maxKinds).Scan(ctx, &kinds)
	if err != nil || len(kinds) == 0 {
		return nil, bundb.Wrap("authbun: count kinds of hashes", err)
	}
	own, err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_credentials").Where("kind = ''").Count(ctx)
	if err != nil {
		return nil, bundb.Wrap("authbun: count hashes", err)
	}
	mix := password.Mix{"": int(own)}
	for _, k := range kinds {
		mix[k.Kind] = k.Count
	}
	return mix, nil
}

// ClaimSuperuser implements auth.UserStore.
func (s *Store) ClaimSuperuser(ctx context.Context, email, userID string, now time.Time) (bool, error) {
	claimed := false
	err := s.InTx(ctx, func(ctx context.Context) error {
		changed, err := affected(s.Bun().NewRaw(
			"INSERT INTO tenon_superuser_claims (email, user_id, claimed_at) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING",
			email, userID, now.UTC()).Conn(s.Conn(ctx)).Exec(ctx))
		if err != nil || changed == 0 {
			return err
		}
		claimed = true
		_, err = s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
			Set("superuser = ?", true).Where("id = ?", userID).Exec(ctx)
		if err != nil {
			return err
		}
		return s.changed(ctx, userID)
	})
	return claimed && err == nil, bundb.Wrap("authbun: claim superuser", err)
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
