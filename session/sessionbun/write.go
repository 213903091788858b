package sessionbun

import (
	"cmp"
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// touchSQL takes the last-seen time, the idle end twice, the id, the last-seen
// time twice and Before. The guards, not the caller's memory, keep a revoked or
// ended session from coming back.
const touchSQL = `
UPDATE tenon_sessions SET last_seen_at = ?, idle_ends_at = CASE WHEN ends_at < ? THEN ends_at ELSE ? END
WHERE id = ? AND revoked_at IS NULL AND idle_ends_at > ? AND ends_at > ? AND last_seen_at <= ?`

type sessionModel struct {
	bun.BaseModel `bun:"table:tenon_sessions,alias:s"`

	ID              string    `bun:"id,pk"`
	Selector        string    `bun:"selector"`
	KID             string    `bun:"kid"`
	Verifier        []byte    `bun:"verifier"`
	UserID          string    `bun:"user_id"`
	SecurityVersion int64     `bun:"security_version"`
	OrganizationID  string    `bun:"organization_id,nullzero"`
	Channels        string    `bun:"channels"`
	ProvenAt        time.Time `bun:"proven_at"`
	FreshAt         time.Time `bun:"fresh_at"`
	FreshChannels   string    `bun:"fresh_channels"`
	BrowserOnly     bool      `bun:"browser_only"`
	IP              string    `bun:"ip"`
	UserAgent       string    `bun:"user_agent"`
	CreatedAt       time.Time `bun:"created_at"`
	LastSeenAt      time.Time `bun:"last_seen_at"`
	IdleEndsAt      time.Time `bun:"idle_ends_at"`
	EndsAt          time.Time `bun:"ends_at"`
	RevokedAt       time.Time `bun:"revoked_at,nullzero"`
	Generation      int64     `bun:"generation"`
	ActorID         string    `bun:"actor_id,nullzero"`
	ActorSessionID  string    `bun:"actor_session_id,nullzero"`
	TrustedUntil    time.Time `bun:"trusted_until,nullzero"`
}

func newSessionModel(r session.Record) *sessionModel {
	m := &sessionModel{
		ID: r.ID, Selector: r.Selector, KID: r.Verifier.KID, Verifier: r.Verifier.MAC,
		UserID: r.UserID, SecurityVersion: r.SecurityVersion, OrganizationID: r.OrganizationID,
		Channels: strings.Join(r.Channels, " "), ProvenAt: r.ProvenAt.UTC(),
		FreshAt: r.FreshAt.UTC(), FreshChannels: strings.Join(r.FreshChannels, " "),
		BrowserOnly: r.BrowserOnly, UserAgent: r.UserAgent,
		CreatedAt: r.CreatedAt.UTC(), LastSeenAt: r.LastSeenAt.UTC(), IdleEndsAt: r.IdleEndsAt.UTC(), EndsAt: r.EndsAt.UTC(),
		Generation: r.Generation, ActorID: r.ActorID, ActorSessionID: r.ActorSessionID, TrustedUntil: r.TrustedUntil.UTC(),
	}
	if r.IP.IsValid() {
		m.IP = r.IP.String()
	}
	return m
}

// createSQL lets a taken id or selector be no row instead of an error, which would
// end the caller's transaction on PostgreSQL.
const createSQL = `
INSERT INTO tenon_sessions (id, selector, kid, verifier, user_id, security_version, organization_id, channels, proven_at,
  fresh_at, fresh_channels, browser_only, ip, user_agent, created_at, last_seen_at, idle_ends_at, ends_at, generation,
  actor_id, actor_session_id, trusted_until)
VALUES (?, ?, ?, ?, ?, ?, NULLIF(CAST(? AS TEXT), ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  NULLIF(CAST(? AS TEXT), ''), NULLIF(CAST(? AS TEXT), ''), ?)
ON CONFLICT DO NOTHING`

// CreateSession implements session.Store.
func (s *Store) CreateSession(ctx context.Context, r session.Record) error {
	if s.Dialect() == bundb.SQLite && !s.InTransaction(ctx) {
		// SQLite's writers queue in InTx.
		return s.InTx(ctx, func(ctx context.Context) error { return s.insert(ctx, r) })
	}
	return s.insert(ctx, r)
}

func (s *Store) insert(ctx context.Context, r session.Record) error {
	m := newSessionModel(r)
	result, err := s.create.Exec(ctx, m.ID, m.Selector, m.KID, m.Verifier, m.UserID, m.SecurityVersion, m.OrganizationID,
		m.Channels, m.ProvenAt, m.FreshAt, m.FreshChannels, m.BrowserOnly, m.IP, m.UserAgent, m.CreatedAt, m.LastSeenAt, m.IdleEndsAt, m.EndsAt,
		m.Generation, m.ActorID, m.ActorSessionID, sql.NullTime{Time: m.TrustedUntil, Valid: !m.TrustedUntil.IsZero()})
	if err != nil {
		return bundb.Wrap("sessionbun: create", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(bundb.Wrap("sessionbun: create", err), error(session.ErrDuplicate))
	}
	return nil
}

// TouchSession implements session.Store.
func (s *Store) TouchSession(ctx context.Context, t session.Touch) error {
	run := func(ctx context.Context) error {
		_, err := s.touch.Exec(ctx, t.SeenAt, t.IdleEndsAt, t.IdleEndsAt, t.ID, t.SeenAt, t.SeenAt, t.Before)
		return bundb.Wrap("sessionbun: touch", err)
	}
	// A savepoint protects the caller's transaction; SQLite's writers queue in
	// InTx, where the wait ends with ctx.
	if s.InTransaction(ctx) || s.Dialect() == bundb.SQLite {
		return s.InTx(ctx, run)
	}
	return run(ctx)
}

// crowdedSQL takes the user, the time and how many sessions may stay. It is what a
// sign-in costs; to end sessions takes more, which is seldom necessary.
const crowdedSQL = `
SELECT EXISTS (SELECT 1 FROM tenon_sessions WHERE user_id = ? AND revoked_at IS NULL AND idle_ends_at > ? LIMIT 1 OFFSET ?)`

// EndSessions implements session.Store.
func (s *Store) EndSessions(ctx context.Context, e session.Ending) ([]string, error) {
	if e.KeepLatest > 0 && e.KeepVersion == 0 {
		var crowded bool
		if err := s.crowded.Scan(ctx, []any{e.UserID, e.At, e.KeepLatest}, &crowded); err != nil || !crowded {
			return nil, bundb.Wrap("sessionbun: count", err)
		}
	}
	var ids []string
	err := s.InTx(ctx, func(ctx context.Context) error {
		if err := s.restamp(ctx, e); err != nil {
			return err
		}
		var err error
		ids, err = s.end(ctx, e)
		return err
	})
	return ids, err
}

// restamp moves the kept session to the user's new version.
func (s *Store) restamp(ctx context.Context, e session.Ending) error {
	if e.KeepID == "" || e.KeepVersion == 0 {
		return nil
	}
	_, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).
		Set("security_version = ?", e.KeepVersion).
		Where("id = ? AND user_id = ? AND revoked_at IS NULL AND security_version = ?", e.KeepID, e.UserID, e.KeepVersion-1).
		Exec(ctx)
	return bundb.Wrap("sessionbun: keep", err)
}

func (s *Store) end(ctx context.Context, e session.Ending) ([]string, error) {
	doomed := s.Bun().NewSelect().Model((*sessionModel)(nil)).Column("s.id").
		Where("s.user_id = ? AND s.revoked_at IS NULL", e.UserID).OrderExpr("s.id")
	if e.ID != "" {
		doomed.Where("s.id = ?", e.ID)
	}
	if e.PastGeneration > 0 {
		doomed.Where("s.generation > ?", e.PastGeneration).
			Where("NOT (s.generation = ? AND s.rotated_at BETWEEN ? AND ?)", e.PastGeneration+1, e.At.Add(-e.Grace).UTC(), e.At.UTC())
	}
	switch {
	case e.KeepID != "" && e.KeepVersion != 0:
		doomed.Where("(s.id <> ? OR s.security_version <> ?)", e.KeepID, e.KeepVersion)
	case e.KeepID != "":
		doomed.Where("s.id <> ?", e.KeepID)
	}
	if e.KeepLatest > 0 {
		latest := s.Bun().NewSelect().TableExpr("tenon_sessions AS l").Column("l.id").
			Where("l.user_id = ? AND l.revoked_at IS NULL AND l.idle_ends_at > ?", e.UserID, e.At.UTC()).
			OrderExpr("l.last_seen_at DESC, l.id DESC").Limit(int64(e.KeepLatest))
		doomed.Where("s.idle_ends_at > ? AND s.id NOT IN (?)", e.At.UTC(), latest)
	}
	if s.Dialect() == bundb.Postgres {
		// In one order, so that two endings of one user's sessions do not deadlock.
		doomed.For("UPDATE")
	}
	var ids []string
	_, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).
		Set("revoked_at = ?", e.At.UTC()).
		Where("id IN (?) AND revoked_at IS NULL", doomed).
		Returning("id").Exec(ctx, &ids)
	if err != nil {
		return nil, bundb.Wrap("sessionbun: end", err)
	}
	return ids, nil
}

// PruneSessions implements session.Store. The index has the day of the idle end
// only, so that using a session leaves it alone.
func (s *Store) PruneSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	over := s.Bun().NewSelect().Model((*sessionModel)(nil)).Column("s.id").
		Where("s.idle_day <= ? AND s.idle_ends_at < ? OR s.revoked_at < ?", before.UTC().Format(time.DateOnly), before.UTC(), before.UTC()).Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		over.For("UPDATE SKIP LOCKED")
	}
	result, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).Where("id IN (?)", over).Exec(ctx)
	if err != nil {
		return 0, bundb.Wrap("sessionbun: prune", err)
	}
	n, err := result.RowsAffected()
	return int(n), bundb.Wrap("sessionbun: prune", err)
}

// DeleteSessions implements session.Store.
func (s *Store) DeleteSessions(ctx context.Context, userID string) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*sessionModel)(nil)).Where("user_id = ?", userID).Exec(ctx)
	return bundb.Wrap("sessionbun: delete", err)
}
