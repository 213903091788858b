package sessionbun

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// SetOrganization implements session.Store.
func (s *Store) SetOrganization(ctx context.Context, userID, id, organizationID string) error {
	return s.setScope(ctx, s.Bun().NewUpdate().
		Set("organization_id = NULLIF(?, '')", organizationID).
		Set("team_id = CASE WHEN organization_id = ? THEN team_id END", organizationID).
		Where("id = ? AND user_id = ? AND revoked_at IS NULL", id, userID))
}

// SetTeam implements session.Store.
func (s *Store) SetTeam(ctx context.Context, userID, id, organizationID, teamID string) error {
	return s.setScope(ctx, s.Bun().NewUpdate().
		Set("team_id = NULLIF(?, '')", teamID).
		Where("id = ? AND user_id = ? AND revoked_at IS NULL AND organization_id = ?", id, userID, organizationID))
}

func (s *Store) setScope(ctx context.Context, update *bun.UpdateQuery) error {
	result, err := update.Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).Exec(ctx)
	if err != nil {
		return bundb.Wrap("sessionbun: set the scope", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return sessionMissing(err)
	}
	return nil
}

// sessionMissing says why an update touched no row.
func sessionMissing(err error) error {
	if err != nil {
		return bundb.Wrap("sessionbun: count rows", err)
	}
	return session.ErrSessionNotFound
}

// LeaveOrganization implements session.Store.
func (s *Store) LeaveOrganization(ctx context.Context, organizationID string, userIDs []string) error {
	return s.leave(ctx, userIDs, "organization_id", organizationID, "organization_id = NULL, team_id = NULL")
}

// LeaveTeam implements session.Store.
func (s *Store) LeaveTeam(ctx context.Context, teamID string, userIDs []string) error {
	return s.leave(ctx, userIDs, "team_id", teamID, "team_id = NULL")
}

// leave changes the sessions in the order of their ids, like whatever else changes
// several of them, so that two of these do not wait for each other.
func (s *Store) leave(ctx context.Context, userIDs []string, column, value, set string) error {
	if len(userIDs) == 0 {
		return nil
	}
	active := s.Bun().NewSelect().Model((*sessionModel)(nil)).Column("s.id").
		Where("s.user_id IN (?) AND s.revoked_at IS NULL", bun.List(userIDs)).Where("s.? = ?", bun.Ident(column), value).OrderExpr("s.id")
	if s.Dialect() == bundb.Postgres {
		active.For("UPDATE")
	}
	_, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).
		Set(set).Where("id IN (?)", active).Exec(ctx)
	return bundb.Wrap("sessionbun: leave", err)
}
