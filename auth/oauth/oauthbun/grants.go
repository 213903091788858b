package oauthbun

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/bundb"
)

const turnSQL = `
UPDATE tenon_oauth_grants SET refreshing_until = ?
WHERE link_id = ? AND generation = ? AND ended_at IS NULL AND (refreshing_until IS NULL OR refreshing_until <= ?)`

const keptRefreshSQL = `
refresh_token = CASE WHEN EXCLUDED.refresh_token IS NULL AND g.ended_at IS NULL THEN g.refresh_token ELSE EXCLUDED.refresh_token END`

type grantModel struct {
	bun.BaseModel `bun:"table:tenon_oauth_grants,alias:g"`

	LinkID          string    `bun:"link_id,pk"`
	UserID          string    `bun:"user_id"`
	Access          []byte    `bun:"access_token"`
	Refresh         []byte    `bun:"refresh_token,nullzero"`
	Scopes          string    `bun:"scopes"`
	AccessEndsAt    time.Time `bun:"access_ends_at,nullzero"`
	Generation      int64     `bun:"generation"`
	RefreshingUntil time.Time `bun:"refreshing_until,nullzero"`
	EndedAt         time.Time `bun:"ended_at,nullzero"`
	CreatedAt       time.Time `bun:"created_at"`
	UpdatedAt       time.Time `bun:"updated_at"`
}

func newGrantModel(g oauth.Grant) *grantModel {
	return &grantModel{
		LinkID: g.LinkID, UserID: g.UserID, Access: g.Access, Refresh: g.Refresh, Scopes: strings.Join(g.Scopes, " "),
		AccessEndsAt: g.AccessEndsAt.UTC(), EndedAt: g.EndedAt.UTC(), CreatedAt: g.CreatedAt.UTC(), UpdatedAt: g.UpdatedAt.UTC(),
	}
}

func (m *grantModel) grant() oauth.Grant {
	return oauth.Grant{
		LinkID: m.LinkID, UserID: m.UserID, Access: m.Access, Refresh: m.Refresh, Scopes: strings.Fields(m.Scopes),
		AccessEndsAt: m.AccessEndsAt.UTC(), Generation: m.Generation, RefreshingUntil: m.RefreshingUntil.UTC(),
		EndedAt: m.EndedAt.UTC(), CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(),
	}
}

// PutGrant implements oauth.GrantStore. It takes the link before the grant, as the
// deletion of a link does.
func (s *Store) PutGrant(ctx context.Context, g oauth.Grant) error {
	m := newGrantModel(g)
	m.Generation = 1
	return s.InTx(ctx, func(ctx context.Context) error {
		link := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_oauth_links").Column("id").
			Where("id = ?", g.LinkID).Where("user_id = ?", g.UserID)
		if s.Dialect() == bundb.Postgres {
			link.For("KEY SHARE")
		}
		var id string
		if err := link.Scan(ctx, &id); errors.Is(err, sql.ErrNoRows) {
			return oauth.ErrNotFound
		} else if err != nil {
			return bundb.Wrap("oauthbun: hold a link", err)
		}
		put := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).On("CONFLICT (link_id) DO UPDATE").
			Set("generation = g.generation + 1").Set("refreshing_until = NULL").Set(keptRefreshSQL)
		for _, column := range []string{"access_token", "scopes", "access_ends_at", "ended_at", "updated_at"} {
			put.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
		}
		_, err := put.Exec(ctx)
		return bundb.Wrap("oauthbun: put a grant", err)
	})
}

// FindGrant implements oauth.GrantStore.
func (s *Store) FindGrant(ctx context.Context, userID, linkID string) (oauth.Grant, error) {
	m := new(grantModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).Where("g.link_id = ?", linkID).Where("g.user_id = ?", userID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return oauth.Grant{}, oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Grant{}, bundb.Wrap("oauthbun: find a grant", err)
	}
	return m.grant(), nil
}

// ClaimRefresh implements oauth.GrantStore. On SQLite it takes its turn among the
// transactions instead of waiting for the lock of the file.
func (s *Store) ClaimRefresh(ctx context.Context, linkID string, generation int64, now, until time.Time) (won bool, err error) {
	if s.InTransaction(ctx) {
		return false, auth.ErrInTransaction
	}
	err = s.InTx(ctx, func(ctx context.Context) error {
		n, err := affected(s.turn.Exec(ctx, until, linkID, generation, now))
		won = n == 1
		return err
	})
	return won && err == nil, bundb.Wrap("oauthbun: claim the refresh of a grant", err)
}

// FinishRefresh implements oauth.GrantStore.
func (s *Store) FinishRefresh(ctx context.Context, g oauth.Grant) (bool, error) {
	m := newGrantModel(g)
	update := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model(m).Column("ended_at", "updated_at").
		Where("g.link_id = ?", g.LinkID).Where("g.generation = ?", g.Generation)
	if g.EndedAt.IsZero() {
		m.Generation = g.Generation + 1
		update.Column("access_token", "refresh_token", "scopes", "access_ends_at", "generation")
	}
	n, err := affected(update.Column("refreshing_until").Exec(ctx))
	return n == 1, bundb.Wrap("oauthbun: finish the refresh of a grant", err)
}
