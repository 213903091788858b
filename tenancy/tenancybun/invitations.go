package tenancybun

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// Invitations implements invitation.Store, in the tables of Schema. It is safe for
// concurrent use.
type Invitations struct {
	*bundb.DB
	lock, count, outdate, add, renew, decide, cancel bundb.Statement
	find, findForMember, sent, forget                bundb.Statement
	received, receivedOne                            bundb.Statement
}

var _ invitation.Store = (*Invitations)(nil)

// SQLite knows no alias in what an UPDATE returns.
const (
	invitationColumns = `i.id, i.organization_id, i.email, i.display, i.role, i.team_ids, i.inviter_id, i.status, COALESCE(i.user_id, ''),
  i.expires_at, i.created_at, i.updated_at`
	changedInvitation = `RETURNING id, organization_id, email, display, role, team_ids, inviter_id, status, COALESCE(user_id, ''),
  expires_at, created_at, updated_at`
)

const (
	// Invitations of one organization are counted one after the other; whoever only
	// holds the organization goes on meanwhile.
	lockForInvitationsSQL = "SELECT o.id FROM tenon_organizations AS o WHERE o.id = ?"

	countInvitationsSQL = `
SELECT count(*) FROM tenon_invitations WHERE organization_id = ? AND status = 'pending' AND expires_at > ?`

	outdateInvitationSQL = `
UPDATE tenon_invitations SET status = 'canceled', updated_at = ?
WHERE organization_id = ? AND email = ? AND status = 'pending' AND expires_at <= ?`

	addInvitationSQL = `
INSERT INTO tenon_invitations
  (id, organization_id, email, display, role, team_ids, inviter_id, status, user_id, expires_at, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', NULL, ?, ?, ?)`

	renewInvitationSQL = `
UPDATE tenon_invitations SET role = ?, team_ids = ?, inviter_id = ?, expires_at = ?, updated_at = ?
WHERE organization_id = ? AND email = ? AND status = 'pending' AND expires_at > ?
` + changedInvitation

	decideInvitationSQL = `
UPDATE tenon_invitations SET status = ?, user_id = ?, updated_at = ?
WHERE organization_id = ? AND id = ? AND status = 'pending' AND expires_at > ?
` + changedInvitation

	cancelInvitationSQL = `
UPDATE tenon_invitations SET status = 'canceled', updated_at = ?
WHERE organization_id = ? AND id = ? AND status = 'pending'
` + changedInvitation

	findInvitationSQL = "SELECT " + invitationColumns + `
FROM tenon_invitations AS i WHERE i.organization_id = ? AND i.id = ?`

	findForMemberSQL = "SELECT " + invitationColumns + `
FROM tenon_invitations AS i JOIN tenon_members AS m ON m.organization_id = i.organization_id
WHERE m.user_id = ? AND i.id = ?`

	sentInvitationsSQL = "SELECT " + invitationColumns + `
FROM tenon_invitations AS i WHERE i.organization_id = ? ORDER BY i.created_at, i.id`

	receivedInvitationsSQL = "SELECT " + invitationColumns + `, o.name, o.slug
FROM tenon_invitations AS i JOIN tenon_organizations AS o ON o.id = i.organization_id
WHERE i.email = ? AND i.status = 'pending' AND i.expires_at > ?`

	forgetInvitationsSQL = "DELETE FROM tenon_invitations WHERE inviter_id = ? OR user_id = ?"
)

// NewInvitations returns Invitations on db, whose Schema must have been migrated. It
// does no I/O.
func NewInvitations(db *bundb.DB) *Invitations {
	lock := lockForInvitationsSQL
	if db.Dialect() == bundb.Postgres {
		lock += " FOR NO KEY UPDATE"
	}
	return &Invitations{
		DB:   db,
		lock: db.Statement(lock), count: db.Statement(countInvitationsSQL), outdate: db.Statement(outdateInvitationSQL),
		add: db.Statement(addInvitationSQL), renew: db.Statement(renewInvitationSQL),
		decide: db.Statement(decideInvitationSQL), cancel: db.Statement(cancelInvitationSQL),
		find: db.Statement(findInvitationSQL), findForMember: db.Statement(findForMemberSQL),
		sent: db.Statement(sentInvitationsSQL), forget: db.Statement(forgetInvitationsSQL),
		received:    db.Statement(receivedInvitationsSQL + " ORDER BY i.created_at, i.id"),
		receivedOne: db.Statement(receivedInvitationsSQL + " AND i.id = ?"),
	}
}

// AddInvitation implements invitation.Store. The unique index decides which of two
// for one address it is.
func (s *Invitations) AddInvitation(ctx context.Context, i invitation.Invitation, limit int) error {
	// A savepoint in the caller's transaction, which has to survive a refusal.
	return s.InTx(ctx, func(ctx context.Context) error {
		var held string
		if err := s.lock.QueryRow(ctx, i.OrganizationID).Scan(&held); err != nil {
			return notFound("tenancybun: lock an organization for invitations", err)
		}
		if _, err := s.outdate.Exec(ctx, i.CreatedAt, i.OrganizationID, i.Address.Key, i.CreatedAt); err != nil {
			return bundb.Wrap("tenancybun: put an invitation out of date", err)
		}
		open := 0
		if err := s.count.QueryRow(ctx, i.OrganizationID, i.CreatedAt).Scan(&open); err != nil {
			return bundb.Wrap("tenancybun: count invitations", err)
		}
		_, err := s.add.Exec(ctx, i.ID, i.OrganizationID, i.Address.Key, i.Address.Display, i.Role, strings.Join(i.TeamIDs, ","),
			i.InviterID, i.ExpiresAt, i.CreatedAt, i.UpdatedAt)
		switch {
		case strings.Contains(bundb.Violated(err), "pending_key") || strings.Contains(bundb.Violated(err), "email"):
			return invitation.ErrAlreadyInvited
		case err != nil:
			return bundb.Wrap("tenancybun: add an invitation", err)
		case open >= limit:
			return invitation.ErrLimitReached
		}
		return nil
	})
}

// RenewInvitation implements invitation.Store.
func (s *Invitations) RenewInvitation(ctx context.Context, i invitation.Invitation) (invitation.Invitation, error) {
	row := s.renew.QueryRow(ctx, i.Role, strings.Join(i.TeamIDs, ","), i.InviterID, i.ExpiresAt, i.UpdatedAt,
		i.OrganizationID, i.Address.Key, i.UpdatedAt)
	return scanInvitation(row, "tenancybun: renew an invitation")
}

// Decide implements invitation.Store.
func (s *Invitations) Decide(ctx context.Context, d invitation.Decision) (invitation.Invitation, error) {
	if d.To == invitation.Canceled {
		return scanInvitation(s.cancel.QueryRow(ctx, d.At, d.OrganizationID, d.ID), "tenancybun: cancel an invitation")
	}
	user := sql.NullString{String: d.UserID, Valid: d.UserID != ""}
	row := s.decide.QueryRow(ctx, string(d.To), user, d.At, d.OrganizationID, d.ID, d.At)
	return scanInvitation(row, "tenancybun: decide about an invitation")
}

// Find implements invitation.Store.
func (s *Invitations) Find(ctx context.Context, organizationID, id string) (invitation.Invitation, error) {
	return scanInvitation(s.find.QueryRow(ctx, organizationID, id), "tenancybun: find an invitation")
}

// FindForMember implements invitation.Store.
func (s *Invitations) FindForMember(ctx context.Context, userID, id string) (invitation.Invitation, error) {
	return scanInvitation(s.findForMember.QueryRow(ctx, userID, id), "tenancybun: find a member's invitation")
}

// Received implements invitation.Store.
func (s *Invitations) Received(ctx context.Context, key, id string, now time.Time) (list []invitation.Received, err error) {
	const op = "tenancybun: invitations received"
	statement, args := s.received, []any{key, now}
	if id != "" {
		statement, args = s.receivedOne, append(args, id)
	}
	err = each(ctx, statement, args, func(row scanner) error {
		var r invitation.Received
		err := invitationRow(row, &r.Invitation, &r.OrganizationName, &r.OrganizationSlug)
		list = append(list, r)
		return err
	})
	return list, bundb.Wrap(op, err)
}

// Sent implements invitation.Store.
func (s *Invitations) Sent(ctx context.Context, organizationID string) (list []invitation.Invitation, err error) {
	err = each(ctx, s.sent, []any{organizationID}, func(row scanner) error {
		var i invitation.Invitation
		err := invitationRow(row, &i)
		list = append(list, i)
		return err
	})
	return list, bundb.Wrap("tenancybun: invitations sent", err)
}

// Forget implements invitation.Store.
func (s *Invitations) Forget(ctx context.Context, userID string) error {
	_, err := s.forget.Exec(s.AsSystem(ctx), userID, userID)
	return bundb.Wrap("tenancybun: forget a user's invitations", err)
}

// scanner is a row of either kind.
type scanner interface{ Scan(dest ...any) error }

// each runs a statement and hands every row to scan.
func each(ctx context.Context, statement bundb.Statement, args []any, scan func(row scanner) error) (err error) {
	rows, err := statement.Query(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanInvitation(row scanner, op string) (invitation.Invitation, error) {
	var i invitation.Invitation
	err := invitationRow(row, &i)
	if errors.Is(err, sql.ErrNoRows) {
		return invitation.Invitation{}, invitation.ErrNotFound
	}
	if err != nil {
		return invitation.Invitation{}, bundb.Wrap(op, err)
	}
	return i, nil
}

// invitationRow scans invitationColumns and what follows them.
func invitationRow(row scanner, i *invitation.Invitation, more ...any) error {
	var status, teams string
	err := row.Scan(append([]any{
		&i.ID, &i.OrganizationID, &i.Address.Key, &i.Address.Display, &i.Role, &teams, &i.InviterID, &status, &i.UserID,
		bundb.ScanTime(&i.ExpiresAt), bundb.ScanTime(&i.CreatedAt), bundb.ScanTime(&i.UpdatedAt),
	}, more...)...)
	i.Status = invitation.Status(status)
	if teams != "" {
		i.TeamIDs = strings.Split(teams, ",")
	}
	return err
}
