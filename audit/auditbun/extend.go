package auditbun

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
)

// linkModel is one row of the list that Extend joins.
type linkModel struct {
	bun.BaseModel `bun:"table:tenon_audit_entries,alias:e"`

	ID      string `bun:"id,pk"`
	Seq     int64  `bun:"seq,type:bigint"`
	Prev    []byte `bun:"prev,type:bytea"`
	Link    []byte `bun:"link,type:bytea"`
	LinkKID string `bun:"link_kid"`
}

// Extend implements audit.SealStore.
func (s *Store) Extend(ctx context.Context, from, to audit.Head, links []audit.Link) error {
	if err := s.requireTx(ctx); err != nil {
		return err
	}
	n, err := s.move(ctx, from, to)
	if err == nil && n == 1 {
		n, err = s.link(ctx, to.OrganizationID, links)
		if err == nil && n != int64(len(links)) {
			return audit.ErrChainMoved
		}
	} else if err == nil {
		return audit.ErrChainMoved
	}
	if bundb.IsUniqueViolation(err) {
		return audit.ErrChainMoved.With(err)
	}
	return bundb.Wrap("auditbun: extend a chain", err)
}

// move changes the head of a chain, or makes the chain.
func (s *Store) move(ctx context.Context, from, to audit.Head) (int64, error) {
	if from.Count == 0 {
		return affected(s.Statement(`
INSERT INTO tenon_audit_chains (organization_id, head_count, head_hash, head_at, head_kid, head_mac, base_count, base_kid, anchored_count)
VALUES (?, ?, ?, ?, ?, ?, 0, '', 0) ON CONFLICT (organization_id) DO NOTHING`).
			Exec(ctx, to.OrganizationID, to.Count, to.Hash, to.At, to.KID, to.MAC))
	}
	return affected(s.Statement(`
UPDATE tenon_audit_chains SET head_count = ?, head_hash = ?, head_at = ?, head_kid = ?, head_mac = ?
WHERE organization_id = ? AND head_count = ?`).
		Exec(ctx, to.Count, to.Hash, to.At, to.KID, to.MAC, to.OrganizationID, from.Count))
}

// link numbers rows, all with one statement.
func (s *Store) link(ctx context.Context, organizationID string, links []audit.Link) (int64, error) {
	models := make([]linkModel, len(links))
	for i, l := range links {
		models[i] = linkModel{ID: l.ID, Seq: l.Seq, Prev: l.Prev, Link: l.Link, LinkKID: l.KID}
	}
	return affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).With("_l", s.Bun().NewValues(&models)).
		Model((*linkModel)(nil)).TableExpr("_l").
		Set("seq = _l.seq").Set("prev = _l.prev").Set("link = _l.link").Set("link_kid = _l.link_kid").
		Where("e.id = _l.id").Where("e.seq IS NULL").Where("e.organization_id = ?", organizationID).Exec(ctx))
}

// Prune implements audit.RetentionStore.
func (s *Store) Prune(ctx context.Context, from int64, base audit.Head) error {
	if err := s.requireTx(ctx); err != nil {
		return err
	}
	n, err := affected(s.Statement(`
UPDATE tenon_audit_chains SET base_count = ?, base_hash = ?, base_at = ?, base_kid = ?, base_mac = ?
WHERE organization_id = ? AND base_count = ? AND head_count >= ?`).
		Exec(ctx, base.Count, base.Hash, base.At, base.KID, base.MAC, base.OrganizationID, from, base.Count))
	if err != nil {
		return bundb.Wrap("auditbun: move a checkpoint", err)
	}
	if n == 0 {
		return audit.ErrChainMoved
	}
	n, err = affected(s.Statement("DELETE FROM tenon_audit_entries WHERE organization_id = ? AND seq <= ?").
		Exec(ctx, base.OrganizationID, base.Count))
	if err == nil && n != base.Count-from {
		return audit.ErrChainMoved
	}
	return bundb.Wrap("auditbun: prune", err)
}

// Unanchored implements audit.RetentionStore.
func (s *Store) Unanchored(ctx context.Context, before, now time.Time, limit int) ([]audit.Chain, error) {
	return s.chains(ctx, `c.head_count <> c.anchored_count AND (c.anchored_at IS NULL OR c.anchored_at <= ? OR c.anchored_at > ?)
ORDER BY c.anchored_at LIMIT ?`, before, now, limit)
}

// Anchored implements audit.RetentionStore.
func (s *Store) Anchored(ctx context.Context, h audit.Head, now time.Time) error {
	_, err := s.Statement("UPDATE tenon_audit_chains SET anchored_count = ?, anchored_at = ? WHERE organization_id = ? AND (anchored_count < ? OR anchored_count > head_count)").
		Exec(ctx, h.Count, nullTime(now), h.OrganizationID, h.Count)
	return bundb.Wrap("auditbun: note an anchored head", err)
}
