package sessionbun

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// SessionByID implements session.Store.
func (s *Store) SessionByID(ctx context.Context, userID, id string) (session.Session, error) {
	var row scanned
	err := s.byID.Scan(ctx, []any{id, userID}, row.targets()...)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, session.ErrNoSession
	}
	if err != nil {
		return session.Session{}, bundb.Wrap("sessionbun: find by id", err)
	}
	return row.session()
}

// elevateSQL takes what the session becomes, then what it must still be. The
// guards decide: nothing is elevated that ended, that an account's change
// overtook, or that another elevation had first.
const elevateSQL = `
UPDATE tenon_sessions SET selector = ?, kid = ?, verifier = ?, channels = ?, fresh_at = ?, fresh_channels = ?,
  step_up_failures = 0, last_seen_at = ?, idle_ends_at = ?, ends_at = ?,
  generation = ?, salt = NULL, rotated_at = ?, replays = ?
WHERE id = ? AND user_id = ? AND revoked_at IS NULL AND security_version = ? AND fresh_at = ? AND generation = ?
  AND idle_ends_at > ? AND ends_at > ?`

// ElevateSession implements session.Store.
func (s *Store) ElevateSession(ctx context.Context, e session.Elevation) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		to := e.To
		var rotatedAt sql.NullTime // a cookie's session has none
		if to.Generation > 0 {
			rotatedAt = sql.NullTime{Time: e.At, Valid: true}
		}
		result, err := s.elevate.Exec(ctx, to.Selector, to.Verifier.KID, to.Verifier.MAC, strings.Join(to.Channels, " "),
			to.FreshAt, strings.Join(to.FreshChannels, " "), to.LastSeenAt, to.IdleEndsAt, to.EndsAt,
			to.Generation, rotatedAt, e.Replays,
			e.ID, e.UserID, e.SecurityVersion, e.FreshAt, e.Generation, e.At, e.At)
		if err != nil {
			return bundb.Wrap("sessionbun: elevate", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(bundb.Wrap("sessionbun: elevate", err), error(session.ErrNoSession))
		}
		return nil
	})
}

// failSQL locks the session until the transaction ends, so that racers are counted
// one after the other.
const failSQL = `
UPDATE tenon_sessions SET step_up_failures = step_up_failures + 1
WHERE id = ? AND user_id = ? AND revoked_at IS NULL RETURNING step_up_failures`

// FailStepUp implements session.Store.
func (s *Store) FailStepUp(ctx context.Context, userID, id string) (failures int, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		err := s.fail.QueryRow(ctx, id, userID).Scan(&failures)
		if errors.Is(err, sql.ErrNoRows) {
			return session.ErrSessionNotFound
		}
		return bundb.Wrap("sessionbun: count a failed step-up", err)
	})
	return failures, err
}
