package sessionbun

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// The changes of a family. Each is one statement whose guards stand on the row
// that it changes, so that PostgreSQL judges them again after a wait for a lock.
//
// rotateSQL takes the child's key id and verifier, the salt, the time twice, the
// idle end of assurance 2 twice and the other twice; then come the id of admitted, the parent's generation, key id
// and verifier, and the time twice.
const (
	rotateSQL = `
UPDATE tenon_sessions SET generation = generation + 1, kid = ?, verifier = ?, salt = ?, rotated_at = ?, replays = 0,
  last_seen_at = ?, idle_ends_at = CASE
    WHEN channels LIKE '% totp%' OR channels LIKE '% recovery%' OR channels LIKE '% passkey%' OR channels LIKE 'passkey:%:uv%' -- assurance 2
    THEN CASE WHEN ends_at < ? THEN ends_at ELSE ? END
    ELSE CASE WHEN ends_at < ? THEN ends_at ELSE ? END END`
	rotateGuard = `
AND generation = ? AND kid = ? AND verifier = ? AND generation > 0 AND revoked_at IS NULL AND idle_ends_at > ? AND ends_at > ?`

	// replaySQL is followed by the id of admitted, the child's generation, the
	// bounds of rotated_at, the limit, and the time twice.
	replaySQL   = "UPDATE tenon_sessions SET replays = replays + 1"
	replayGuard = `
AND generation = ? AND rotated_at >= ? AND rotated_at <= ? AND replays < ? AND revoked_at IS NULL AND idle_ends_at > ? AND ends_at > ?`

	familyColumns   = "user_id, security_version, generation, kid, verifier, salt, rotated_at, replays, idle_ends_at, fresh_at"
	familyReturning = "\nRETURNING " + familyColumns
)

// admitted finds the row if its user is one who may have a session.
func admitted(user bundb.Join) string {
	return "\nWHERE id = (SELECT s.id FROM tenon_sessions AS s " + user.SQL + " WHERE s.id = ?)"
}

// RotateFamily implements session.Families.
func (s *Store) RotateFamily(ctx context.Context, r session.Rotation) (session.Family, error) {
	return s.changeFamily(ctx, "sessionbun: rotate", s.rotate, r.Child.KID, r.Child.MAC, r.Salt, r.At, r.At,
		r.IdleEndsAt2, r.IdleEndsAt2, r.IdleEndsAt, r.IdleEndsAt,
		r.ID, r.Generation, r.Parent.KID, r.Parent.MAC, r.At, r.At)
}

// ReplayFamily implements session.Families.
func (s *Store) ReplayFamily(ctx context.Context, r session.Replay) (session.Family, error) {
	return s.changeFamily(ctx, "sessionbun: replay", s.replay, r.ID, r.Generation+1, r.At.Add(-r.Grace), r.At, r.Limit, r.At, r.At)
}

// changeFamily runs one statement. SQLite's writers queue in InTx.
func (s *Store) changeFamily(ctx context.Context, op string, change bundb.Statement, args ...any) (family session.Family, err error) {
	if s.Dialect() != bundb.SQLite || s.InTransaction(ctx) {
		return scanFamily(ctx, op, change, args...)
	}
	err = s.InTx(ctx, func(ctx context.Context) error {
		family, err = scanFamily(ctx, op, change, args...)
		return err
	})
	return family, err
}

// FindFamily implements session.Families.
func (s *Store) FindFamily(ctx context.Context, id string) (session.Family, error) {
	return scanFamily(ctx, "sessionbun: find the family", s.families, id)
}

func scanFamily(ctx context.Context, op string, query bundb.Statement, args ...any) (session.Family, error) {
	var f session.Family
	err := query.Scan(ctx, args, &f.UserID, &f.SecurityVersion, &f.Generation, &f.Verifier.KID, &f.Verifier.MAC, &f.Salt,
		bundb.ScanTime(&f.RotatedAt), &f.Replays, bundb.ScanTime(&f.IdleEndsAt), bundb.ScanTime(&f.FreshAt))
	if errors.Is(err, sql.ErrNoRows) {
		return session.Family{}, session.ErrNoSession
	}
	if err != nil {
		return session.Family{}, bundb.Wrap(op, err)
	}
	return f, nil
}
