package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb"
)

var _ account.Store = (*Store)(nil)

// UpdateProfile implements auth.ProfileStore.
func (s *Store) UpdateProfile(ctx context.Context, id string, p auth.Profile, now time.Time) (auth.User, error) {
	m := new(userModel)
	query := s.Bun().NewUpdate().Model(m).Set("updated_at = ?", now.UTC()).Where("u.id = ?", id).Returning("?Columns")
	if p.Name != nil {
		query.Set("name = ?", *p.Name)
	}
	if p.Image != nil {
		query.Set("image = ?", *p.Image)
	}
	err := s.change(ctx, id, func(ctx context.Context) error {
		changed, err := affected(query.Conn(s.Conn(ctx)).Exec(ctx))
		if errors.Is(err, sql.ErrNoRows) || err == nil && changed == 0 {
			return auth.ErrUserNotFound
		}
		return bundb.Wrap("authbun: update a profile", err)
	})
	if err != nil {
		return auth.User{}, err
	}
	return m.user(), nil
}

// LockUser implements auth.ProfileStore. On SQLite the transaction is the only
// writer already.
func (s *Store) LockUser(ctx context.Context, id string) (auth.User, error) {
	if err := s.RequireTx(ctx); err != nil {
		return auth.User{}, err
	}
	m := new(userModel)
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).Where("u.id = ?", id)
	if s.Dialect() == bundb.Postgres {
		query.For("UPDATE")
	}
	err := query.Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, auth.ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, bundb.Wrap("authbun: lock a user", err)
	}
	return m.user(), nil
}

// DeleteUser implements auth.ProfileStore. The password goes by the foreign key.
func (s *Store) DeleteUser(ctx context.Context, id string, version int64) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	deleted, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_users").
		Where("id = ?", id).Where("security_version = ?", version).Exec(ctx))
	if err != nil {
		return bundb.Wrap("authbun: delete a user", err)
	}
	if deleted == 0 {
		return auth.ErrUserNotFound
	}
	return s.changed(ctx, id)
}

// SetEmail implements account.Store.
func (s *Store) SetEmail(ctx context.Context, userID string, address auth.Address, now time.Time) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	// A savepoint, because the caller's transaction has to survive a taken address.
	return s.InTx(ctx, func(ctx context.Context) error {
		changed, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
			Set("email = ?", address.Key).Set("email_display = ?", address.Display).
			Set("email_verified = ?", true).Set("email_proof = ?", auth.ProofMail).Set("updated_at = ?", now.UTC()).Where("id = ?", userID).Exec(ctx))
		switch {
		case bundb.IsUniqueViolation(err):
			return auth.ErrAddressTaken
		case err != nil:
			return bundb.Wrap("authbun: set an address", err)
		case changed == 0:
			return auth.ErrUserNotFound
		}
		return s.changed(ctx, userID)
	})
}

// PasswordSetAt implements account.Store.
func (s *Store) PasswordSetAt(ctx context.Context, userID string) (time.Time, error) {
	var at time.Time
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_credentials").Column("updated_at").
		Where("user_id = ?", userID).Scan(ctx, bundb.ScanTime(&at))
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at.UTC(), bundb.Wrap("authbun: when a password was set", err)
}
