package auditbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
)

const chainColumns = `c.organization_id, c.head_count, c.head_hash, c.head_at, c.head_kid, c.head_mac,
    c.base_count, c.base_hash, c.base_at, c.base_kid, c.base_mac`

const chainSQL = "SELECT " + chainColumns + " FROM tenon_audit_chains AS c WHERE c.organization_id = ?"

type scanner interface{ Scan(dest ...any) error }

func scanChain(row scanner) (c audit.Chain, err error) {
	err = row.Scan(&c.OrganizationID, &c.Head.Count, &c.Head.Hash, bundb.ScanTime(&c.Head.At), &c.Head.KID, &c.Head.MAC,
		&c.Base.Count, &c.Base.Hash, bundb.ScanTime(&c.Base.At), &c.Base.KID, &c.Base.MAC)
	c.Base.Hash, c.Base.MAC = some(c.Base.Hash), some(c.Base.MAC)
	c.Head.OrganizationID = c.OrganizationID
	if c.Base.Count > 0 {
		c.Base.OrganizationID = c.OrganizationID
	}
	return c, err
}

// Chain implements audit.ChainStore.
func (s *Store) Chain(ctx context.Context, organizationID string) (audit.Chain, error) {
	c, err := scanChain(s.chain.QueryRow(ctx, organizationID))
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Chain{}, audit.ErrNoChain
	}
	return c, bundb.Wrap("auditbun: chain", err)
}

// chains runs a query for chains.
func (s *Store) chains(ctx context.Context, where string, args ...any) ([]audit.Chain, error) {
	found, err := s.Statement("SELECT "+chainColumns+" FROM tenon_audit_chains AS c WHERE "+where).Query(ctx, args...)
	if err != nil {
		return nil, bundb.Wrap("auditbun: chains", err)
	}
	defer found.Close()
	var all []audit.Chain
	for found.Next() {
		c, err := scanChain(found)
		if err != nil {
			return nil, bundb.Wrap("auditbun: chains", err)
		}
		all = append(all, c)
	}
	return all, bundb.Wrap("auditbun: chains", found.Err())
}

// Chains implements audit.ChainStore.
func (s *Store) Chains(ctx context.Context, after string, from bool, limit int) ([]audit.Chain, error) {
	if !from {
		return s.chains(ctx, "c.organization_id >= ? ORDER BY c.organization_id LIMIT ?", "", limit)
	}
	return s.chains(ctx, "c.organization_id > ? ORDER BY c.organization_id LIMIT ?", after, limit)
}

const tailSQL = "SELECT count(*), min(at) FROM tenon_audit_entries WHERE seq IS NULL"

// Tail implements audit.ChainStore.
func (s *Store) Tail(ctx context.Context, organizationID string) (t audit.Tail, err error) {
	err = s.Statement(tailSQL+" AND organization_id = ?").QueryRow(ctx, organizationID).Scan(&t.Count, bundb.ScanTime(&t.Since))
	return t, bundb.Wrap("auditbun: tail", err)
}

// TailOfAll implements audit.ChainStore.
func (s *Store) TailOfAll(ctx context.Context) (t audit.Tail, err error) {
	err = s.Statement(tailSQL).QueryRow(ctx).Scan(&t.Count, bundb.ScanTime(&t.Since))
	return t, bundb.Wrap("auditbun: tail of all", err)
}

// Roster implements audit.ChainStore.
func (s *Store) Roster(ctx context.Context) (r audit.Roster, chains int64, err error) {
	// One statement, so that both are of one moment.
	err = s.Statement(`SELECT n.chains, COALESCE(l.chains, 0), COALESCE(l.chains_kid, ''), l.chains_mac
FROM (SELECT count(*) AS chains FROM tenon_audit_chains) AS n LEFT JOIN tenon_audit_sealer AS l ON l.id = 1`).
		QueryRow(ctx).Scan(&chains, &r.Chains, &r.KID, &r.MAC)
	r.MAC = some(r.MAC)
	return r, chains, bundb.Wrap("auditbun: roster", err)
}

// SetRoster implements audit.SealStore.
func (s *Store) SetRoster(ctx context.Context, r audit.Roster) error {
	if err := s.requireTx(ctx); err != nil {
		return err
	}
	_, err := s.Statement("UPDATE tenon_audit_sealer SET chains = ?, chains_kid = ?, chains_mac = ? WHERE id = 1").
		Exec(ctx, r.Chains, r.KID, null(r.MAC))
	return bundb.Wrap("auditbun: set the roster", err)
}

const acquireSQL = `
INSERT INTO tenon_audit_sealer AS l (id, holder, token, expires_at, chains, chains_kid) VALUES (1, ?, 1, ?, 0, '')
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, token = l.token + 1, expires_at = excluded.expires_at
WHERE l.expires_at <= ? OR l.expires_at > ? OR l.holder = excluded.holder
RETURNING token`

// Acquire implements audit.SealStore.
func (s *Store) Acquire(ctx context.Context, holder string, now, until time.Time) (audit.Lease, error) {
	lease := audit.Lease{Holder: holder, Until: until}
	err := s.InTx(ctx, func(ctx context.Context) error {
		return s.acquire.QueryRow(ctx, holder, until, now, until.Add(until.Sub(now))).Scan(&lease.Token)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Lease{}, audit.ErrLeased
	}
	if err != nil {
		return audit.Lease{}, bundb.Wrap("auditbun: acquire the lease", err)
	}
	return lease, nil
}

const fenceSQL = "UPDATE tenon_audit_sealer SET expires_at = ? WHERE id = 1 AND holder = ? AND token = ? AND expires_at > ?"

// Fence implements audit.SealStore. The row stays locked until the transaction ends.
func (s *Store) Fence(ctx context.Context, lease audit.Lease, now, until time.Time) error {
	if err := s.requireTx(ctx); err != nil {
		return err
	}
	n, err := affected(s.fence.Exec(ctx, until, lease.Holder, lease.Token, now))
	if err == nil && n == 0 {
		return audit.ErrLeaseLost
	}
	return bundb.Wrap("auditbun: hold the lease", err)
}

// Release implements audit.SealStore. The token stays, so that the next is above it.
func (s *Store) Release(ctx context.Context, lease audit.Lease) error {
	_, err := s.Statement("UPDATE tenon_audit_sealer SET holder = '', expires_at = ? WHERE id = 1 AND holder = ? AND token = ?").
		Exec(ctx, time.Unix(0, 0), lease.Holder, lease.Token)
	return bundb.Wrap("auditbun: release the lease", err)
}

const unsealedSQL = "SELECT id, organization_id, mac FROM tenon_audit_entries WHERE seq IS NULL ORDER BY id LIMIT ?"

// Unsealed implements audit.SealStore.
func (s *Store) Unsealed(ctx context.Context, except []string, limit int) ([]audit.Pending, error) {
	found, err := s.queryUnsealed(ctx, except, limit)
	if err != nil {
		return nil, bundb.Wrap("auditbun: unsealed entries", err)
	}
	defer found.Close()
	var all []audit.Pending
	for found.Next() {
		var p audit.Pending
		if err := found.Scan(&p.ID, &p.OrganizationID, &p.MAC); err != nil {
			return nil, bundb.Wrap("auditbun: unsealed entries", err)
		}
		all = append(all, p)
	}
	return all, bundb.Wrap("auditbun: unsealed entries", found.Err())
}

func (s *Store) queryUnsealed(ctx context.Context, except []string, limit int) (*sql.Rows, error) {
	if len(except) == 0 {
		return s.unsealed.Query(ctx, limit)
	}
	return s.Bun().NewSelect().Conn(s.Conn(ctx)).Model((*entryModel)(nil)).Column("id", "organization_id", "mac").
		Where("e.seq IS NULL").Where("e.organization_id NOT IN (?)", bun.List(except)).OrderExpr("e.id").Limit(int64(limit)).Rows(ctx)
}
