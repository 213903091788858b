package auditbun

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
)

type entryModel struct {
	bun.BaseModel `bun:"table:tenon_audit_entries,alias:e"`

	ID             string    `bun:"id,pk"`
	OrganizationID string    `bun:"organization_id"`
	At             time.Time `bun:"at"`
	Action         string    `bun:"action"`
	Event          string    `bun:"event"`
	Outcome        string    `bun:"outcome"`
	ActorID        string    `bun:"actor_id"`
	ImpersonatorID string    `bun:"impersonator_id"`
	APIKeyID       string    `bun:"api_key_id"`
	SessionID      string    `bun:"session_id"`
	TargetType     string    `bun:"target_type"`
	TargetID       string    `bun:"target_id"`
	Personal       []byte    `bun:"personal"`
	PersonalHash   []byte    `bun:"personal_hash"`
	KID            string    `bun:"kid"`
	MAC            []byte    `bun:"mac"`
	Seq            int64     `bun:"seq,nullzero"`
	Prev           []byte    `bun:"prev"`
	Link           []byte    `bun:"link"`
	LinkKID        string    `bun:"link_kid,nullzero"`
}

func (m *entryModel) row() audit.Row {
	return audit.Row{
		ID: m.ID, OrganizationID: m.OrganizationID, At: m.At.UTC(), Action: m.Action, Event: m.Event, Outcome: audit.Outcome(m.Outcome),
		Actor:    audit.Actor{UserID: m.ActorID, ImpersonatorID: m.ImpersonatorID, APIKeyID: m.APIKeyID, SessionID: m.SessionID},
		Target:   audit.Target{Type: m.TargetType, ID: m.TargetID},
		Personal: some(m.Personal), PersonalHash: some(m.PersonalHash), KID: m.KID, MAC: m.MAC,
		Seq: m.Seq, Prev: some(m.Prev), Link: some(m.Link), LinkKID: m.LinkKID,
	}
}

func rows(models []entryModel) []audit.Row {
	all := make([]audit.Row, len(models))
	for i := range models {
		all[i] = models[i].row()
	}
	return all
}

// some makes nothing nil, as it was before it was stored.
func some(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// null is some for a statement's argument.
func null(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// nullTime is null for times.
func nullTime(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

const insertSQL = `
INSERT INTO tenon_audit_entries (id, organization_id, at, action, event, outcome, actor_id, impersonator_id, api_key_id,
    session_id, target_type, target_id, personal, personal_hash, kid, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// Insert implements audit.EntryStore.
func (s *Store) Insert(ctx context.Context, r audit.Row) error {
	_, err := s.insert.Exec(ctx, r.ID, r.OrganizationID, r.At, r.Action, r.Event, string(r.Outcome),
		r.Actor.UserID, r.Actor.ImpersonatorID, r.Actor.APIKeyID, r.Actor.SessionID, r.Target.Type, r.Target.ID,
		null(r.Personal), null(r.PersonalHash), r.KID, r.MAC)
	return bundb.Wrap("auditbun: insert an entry", err)
}

// List implements audit.EntryStore.
func (s *Store) List(ctx context.Context, f audit.Filter) ([]audit.Row, error) {
	var models []entryModel
	q := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Limit(int64(f.Limit))
	if !f.All {
		q = q.Where("e.organization_id = ?", f.OrganizationID)
	}
	for _, c := range []struct{ condition, value string }{
		{"e.actor_id = ?", f.ActorID},
		{"e.action = ?", f.Action},
		{"e.event = ?", f.Event},
		{"e.target_type = ?", f.Target.Type},
		{"e.target_id = ?", f.Target.ID},
		{"e.outcome = ?", string(f.Outcome)},
		{"e.id >= ?", f.FromID},
		{"e.id < ?", f.UntilID},
	} {
		if c.value != "" {
			q = q.Where(c.condition, c.value)
		}
	}
	order, further := "e.id DESC", "e.id < ?"
	if f.OldestFirst {
		order, further = "e.id", "e.id > ?"
	}
	if f.After != "" {
		q = q.Where(further, f.After)
	}
	if err := q.OrderExpr(order).Scan(ctx); err != nil {
		return nil, bundb.Wrap("auditbun: list entries", err)
	}
	return rows(models), nil
}

// Erase implements audit.EntryStore.
func (s *Store) Erase(ctx context.Context, userID string, about ...audit.Target) (int64, error) {
	theirs := "actor_id = ? OR (impersonator_id = ? AND impersonator_id <> '')"
	args := []any{userID, userID}
	for _, target := range append([]audit.Target{{Type: audit.TargetUser, ID: userID}}, about...) {
		theirs += " OR (target_id = ? AND target_type = ?)"
		args = append(args, target.ID, target.Type)
	}
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*entryModel)(nil)).Set("personal = NULL").
		Where("personal IS NOT NULL").Where("("+theirs+")", args...).Exec(ctx))
	return n, bundb.Wrap("auditbun: erase", err)
}

// Linked implements audit.ChainStore.
func (s *Store) Linked(ctx context.Context, organizationID string, from int64, limit int) ([]audit.Row, error) {
	var models []entryModel
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).
		Where("e.organization_id = ?", organizationID).Where("e.seq >= ?", from).OrderExpr("e.seq").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("auditbun: list linked entries", err)
	}
	return rows(models), nil
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
