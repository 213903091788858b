package authbun

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
)

// Users returns the users with those ids; who is gone is left out.
func (s *Store) Users(ctx context.Context, ids []string) ([]auth.User, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var models []userModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("u.id IN (?)", bun.List(ids)).Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("authbun: find users", err)
	}
	users := make([]auth.User, 0, len(models))
	for _, m := range models {
		users = append(users, m.user())
	}
	return users, nil
}

// HoldVersion returns the user's security version and keeps it from being raised, and
// the user from being deleted, until the transaction of ctx ends. It returns
// auth.ErrUserNotFound if there is no such user. On SQLite the transaction is the only
// writer already.
func (s *Store) HoldVersion(ctx context.Context, id string) (version int64, err error) {
	if err := s.RequireTx(ctx); err != nil {
		return 0, err
	}
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_users").Column("security_version").Where("id = ?", id)
	if s.Dialect() == bundb.Postgres {
		query = query.For("SHARE")
	}
	err = query.Scan(ctx, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, auth.ErrUserNotFound
	}
	return version, bundb.Wrap("authbun: hold a version", err)
}
