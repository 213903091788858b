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

// HoldUsers keeps those of the users who exist from being deleted until the transaction
// of ctx ends, and returns them in the order of their ids, which is that in which it
// takes them. Without wait it leaves out whom another transaction is just deleting or
// changing in a way that keeps others from holding them. On SQLite the transaction is
// the only writer already.
func (s *Store) HoldUsers(ctx context.Context, ids []string, wait bool) (held []string, err error) {
	if err := s.RequireTx(ctx); err != nil || len(ids) == 0 {
		return nil, err
	}
	if len(ids) == 1 {
		return s.holdOneUser(ctx, ids[0], wait)
	}
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_users").Column("id").Where("id IN (?)", bun.List(ids)).OrderExpr("id")
	switch {
	case s.Dialect() != bundb.Postgres:
	case wait:
		query = query.For("KEY SHARE")
	default:
		query = query.For("KEY SHARE SKIP LOCKED")
	}
	if err := query.Scan(ctx, &held); err != nil {
		return nil, bundb.Wrap("authbun: hold users", err)
	}
	return held, nil
}

// holdOneUser is HoldUsers for the one whom most news are for.
func (s *Store) holdOneUser(ctx context.Context, id string, wait bool) (held []string, err error) {
	statement := s.holdOne[0]
	if !wait {
		statement = s.holdOne[1]
	}
	var found string
	err = statement.QueryRow(ctx, id).Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, bundb.Wrap("authbun: hold users", err)
	}
	return []string{found}, nil
}
