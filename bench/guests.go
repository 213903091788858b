package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// inviteGuests makes users with a proven address, each of whom has one open invitation to
// one of the organizations, and the secret of its mail. They are rows as the library
// writes them, written past it: nobody has to type a password first.
func (w *world) inviteGuests(ctx context.Context, n, places int) ([]guest, error) {
	if err := w.addUsers(ctx, places); err != nil {
		return nil, err
	}
	guests, err := w.owners(ctx)
	if err != nil {
		return nil, err
	}
	owners := slices.Clone(guests[:places])
	guests = make([]guest, n)
	for i := range guests {
		guests[i] = owners[i%places]
		guests[i].id, guests[i].invitation = newID(), newID()
	}
	for part := range slices.Chunk(guests, 500) {
		if err := w.app.DB.InTx(ctx, func(ctx context.Context) error { return w.invite(ctx, part) }); err != nil {
			return nil, err
		}
	}
	return guests, w.analyze(ctx)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// owners returns every organization as the place of a guest.
func (w *world) owners(ctx context.Context) (all []guest, err error) {
	rows, err := w.app.DB.Raw(ctx).QueryContext(ctx, "SELECT id, owner_id FROM tenon_organizations ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g guest
		if err := rows.Scan(&g.organization, &g.owner); err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

func (w *world) invite(ctx context.Context, guests []guest) error {
	db, now := w.app.DB, w.app.DB.Now()
	later := now.Add(24 * time.Hour)
	user := db.Statement(`INSERT INTO tenon_users
  (id, email, email_display, email_verified, name, image, superuser, security_version, created_at, updated_at)
VALUES (?, ?, ?, ?, 'Guest', '', ?, 1, ?, ?)`)
	open := db.Statement(`INSERT INTO tenon_invitations
  (id, organization_id, email, display, role, team_ids, inviter_id, status, expires_at, created_at, updated_at)
VALUES (?, ?, ?, ?, 'member', '', ?, 'pending', ?, ?, ?)`)
	secret := db.Statement(`INSERT INTO tenon_one_time_tokens
  (id, selector, purpose, subject, tenant, kid, mac, security_version, created_at, expires_at, attempts, payload)
VALUES (?, ?, ?, ?, ?, 'bench', ?, 0, ?, ?, 0, '')`)
	for _, g := range guests {
		address := g.id + "@example.com"
		_, err := user.Exec(ctx, g.id, address, address, true, false, now, now)
		if err == nil {
			_, err = open.Exec(ctx, g.invitation, g.organization, address, address, g.owner, later, now, now)
		}
		if err == nil {
			_, err = secret.Exec(ctx, newID(), rand.Text(), string(invitation.Purpose), g.invitation, g.organization, make([]byte, 32), now, later)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bareTx runs statements with question marks in one transaction.
type bareTx func(ctx context.Context, fn func(exec func(query string, args ...any) error) error) error

// bareWriter has every statement prepared: on PostgreSQL by pgxpool on each of as many
// connections as there are callers, on SQLite by database/sql on the one that writes.
func (b *bench) bareWriter(ctx context.Context, w *world, statements []string) (bareTx, error) {
	if w.app.DB.Dialect() == bundb.SQLite {
		return b.bareSQLite(ctx, w, statements)
	}
	pool, err := b.pool(ctx, fmt.Sprintf("%s&pool_max_conns=%d", w.dsn, acceptCallers))
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, s := range statements {
		texts[s] = w.app.DB.Statement(s).String()
	}
	return func(ctx context.Context, fn func(func(string, ...any) error) error) error {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return err
		}
		err = fn(func(query string, args ...any) error {
			_, err := tx.Exec(ctx, texts[query], args...)
			return err
		})
		if err != nil {
			return errors.Join(err, tx.Rollback(ctx))
		}
		return tx.Commit(ctx)
	}, nil
}

func (b *bench) bareSQLite(ctx context.Context, w *world, statements []string) (bareTx, error) {
	pool, err := sql.Open("sqlite", sqlite.DSN(w.path))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1) // callers queue here, as bundb lets them
	b.later(pool.Close)
	prepared := map[string]*sql.Stmt{}
	for _, s := range statements {
		if prepared[s], err = pool.PrepareContext(ctx, s); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, fn func(func(string, ...any) error) error) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		err = fn(func(query string, args ...any) error {
			_, err := tx.StmtContext(ctx, prepared[query]).ExecContext(ctx, args...)
			return err
		})
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}, nil
}

// What an acceptance writes, and what fills the rest of its round trips.
const (
	bareLook   = "SELECT id FROM tenon_users WHERE id = ?"
	bareDecide = `UPDATE tenon_invitations SET status = 'accepted', user_id = ?, updated_at = ? WHERE organization_id = ? AND id = ?`
	bareMember = "INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) VALUES (?, ?, ?, 'member', ?)"
	bareForget = "INSERT INTO tenon_session_revocations (user_id, session_id, at) VALUES (?, '', ?)"
	bareSecret = "DELETE FROM tenon_one_time_tokens WHERE purpose = ? AND subject = ? AND tenant = ? AND consumed_at IS NULL"
	bareAudit  = `INSERT INTO tenon_audit_entries (id, organization_id, at, action, event, outcome, actor_id, impersonator_id, api_key_id,
    session_id, target_type, target_id, personal, personal_hash, kid, mac)
VALUES (?, ?, ?, 'authz_change', ?, 'success', ?, '', '', 'bench', 'invitation', ?, ?, ?, 'bench', ?)`
	bareNews = `INSERT INTO tenon_notifications
  (id, user_id, category, type, organization_id, dedupe_key, title, body, link, data, in_app, created_at)
VALUES (?, ?, 'organization', 'organization.member-joined', ?, ?, 'Guest joined Bench', '', '', '{}', ?, ?)`
)

// bareAcceptance returns what writes the rows of one acceptance in so many round trips.
func (b *bench) bareAcceptance(ctx context.Context, w *world, trips int) (func(context.Context, guest) error, error) {
	tx, err := b.bareWriter(ctx, w, []string{bareLook, bareDecide, bareMember, bareForget, bareSecret, bareAudit, bareNews})
	if err != nil {
		return nil, err
	}
	sealed, hash, mac := make([]byte, 160), make([]byte, 32), make([]byte, 32)
	return func(ctx context.Context, g guest) error {
		now, news := time.Now().UTC().Truncate(time.Microsecond), newID()
		calls := []struct {
			query string
			args  []any
		}{
			{bareDecide, []any{g.id, now, g.organization, g.invitation}},
			{bareMember, []any{newID(), g.organization, g.id, now}},
			{bareForget, []any{g.id, now}},
			{bareAudit, []any{newID(), g.organization, now, "MemberJoined", g.id, g.id, sealed, hash, mac}},
			{bareNews, []any{news, g.owner, g.organization, news, true, now}},
			{bareSecret, []any{string(invitation.Purpose), g.invitation, g.organization}},
			{bareAudit, []any{newID(), g.organization, now, "InvitationAccepted", g.id, g.invitation, sealed, hash, mac}},
		}
		return tx(ctx, func(exec func(string, ...any) error) error {
			for range trips - len(calls) - 2 {
				if err := exec(bareLook, g.id); err != nil {
					return err
				}
			}
			for _, c := range calls {
				if err := exec(c.query, c.args...); err != nil {
					return err
				}
			}
			return nil
		})
	}, nil
}

// sameRows checks on one guest of each side that the sides change as many rows of every
// table; over HTTP a session's choice comes on top.
func (w *world) sameRows(ctx context.Context, i int, sides ...func(ctx context.Context, i int) error) error {
	var changes [][6]int
	for _, op := range sides {
		before, err := w.sizes(ctx)
		if err == nil {
			err = op(ctx, i)
		}
		if err != nil {
			return err
		}
		after, err := w.sizes(ctx)
		if err != nil {
			return err
		}
		for n := range after {
			after[n] -= before[n]
		}
		changes = append(changes, after)
	}
	if changes[0] != changes[1] || changes[0] != [6]int{1, 2, 1, -1, 1, 1} {
		return fmt.Errorf("the sides write differently: %v", changes)
	}
	return nil
}

// sizes counts what the sides write.
func (w *world) sizes(ctx context.Context) (all [6]int, err error) {
	err = w.app.DB.Raw(ctx).QueryRowContext(ctx, `SELECT (SELECT count(*) FROM tenon_members), (SELECT count(*) FROM tenon_audit_entries),
	(SELECT count(*) FROM tenon_notifications), (SELECT count(*) FROM tenon_one_time_tokens),
	(SELECT count(*) FROM tenon_session_revocations), (SELECT count(*) FROM tenon_invitations WHERE status = 'accepted')`).
		Scan(&all[0], &all[1], &all[2], &all[3], &all[4], &all[5])
	return all, err
}
