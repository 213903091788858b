package cryptobun

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

// kidExpression is the key id inside an envelope, in the SQL of both databases: the 8 bytes after version and suite.
const kidExpression = "substr(?, 3, 8)"

// ListSealed implements crypto.SealedStore.
func (s *Store) ListSealed(ctx context.Context, c crypto.SealedColumn, q crypto.SealedQuery) ([]crypto.SealedRow, error) {
	notKID, err := hex.DecodeString(q.NotKID)
	if err != nil {
		return nil, crypto.ErrUnknownKey
	}
	var rows []struct {
		ID     string
		Tenant string
		Value  []byte
	}
	query := s.sealed(ctx, c).
		ColumnExpr("? AS id", bun.Ident(c.IDColumn)).
		ColumnExpr("? AS value", bun.Ident(c.Column.Column)).
		OrderExpr("?", bun.Ident(c.IDColumn)).Limit(int64(q.Limit))
	if c.TenantColumn == "" {
		query = query.ColumnExpr("'' AS tenant")
	} else {
		query = query.ColumnExpr("coalesce(?, '') AS tenant", bun.Ident(c.TenantColumn))
	}
	if q.After != "" {
		query = query.Where("? > ?", bun.Ident(c.IDColumn), q.After)
	}
	if len(notKID) > 0 {
		query = query.Where(kidExpression+" <> ?", bun.Ident(c.Column.Column), notKID)
	}
	if err := query.Scan(ctx, &rows); err != nil {
		return nil, bundb.Wrap("cryptobun: list sealed", err)
	}
	out := make([]crypto.SealedRow, len(rows))
	for i, row := range rows {
		out[i] = crypto.SealedRow(row)
	}
	return out, nil
}

// ReplaceSealed implements crypto.SealedStore.
func (s *Store) ReplaceSealed(ctx context.Context, c crypto.SealedColumn, id string, old, sealed []byte) error {
	column := bun.Ident(c.Column.Column)
	err := one(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table(c.Table).
		Set("? = ?", column, sealed).
		Where("? = ? AND ? = ?", bun.Ident(c.IDColumn), id, column, old).Exec(ctx))
	if errors.Is(err, crypto.ErrKeyChanged) {
		return crypto.ErrRowChanged
	}
	return bundb.Wrap("cryptobun: replace sealed", err)
}

// CountSealed implements crypto.SealedStore.
func (s *Store) CountSealed(ctx context.Context, c crypto.SealedColumn, tenant string) (map[string]int64, error) {
	var rows []struct {
		KID   []byte
		Total int64
	}
	query := s.sealed(ctx, c).
		ColumnExpr(kidExpression+" AS kid", bun.Ident(c.Column.Column)).
		ColumnExpr("count(*) AS total").GroupExpr("1")
	if tenant != "" && c.TenantColumn == "" {
		return map[string]int64{}, nil
	}
	if tenant != "" {
		query = query.Where("? = ?", bun.Ident(c.TenantColumn), tenant)
	}
	if err := query.Scan(ctx, &rows); err != nil {
		return nil, bundb.Wrap("cryptobun: count sealed", err)
	}
	out := make(map[string]int64, len(rows))
	for _, row := range rows {
		out[hex.EncodeToString(row.KID)] += row.Total
	}
	return out, nil
}

func (s *Store) sealed(ctx context.Context, c crypto.SealedColumn) *bun.SelectQuery {
	return s.Bun().NewSelect().Conn(s.Conn(ctx)).Table(c.Table).Where("? IS NOT NULL", bun.Ident(c.Column.Column))
}
