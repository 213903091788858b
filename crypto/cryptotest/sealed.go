package cryptotest

import (
	"bytes"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"testing"

	"github.com/tenon-go/tenon/crypto"
)

// PutSealed stores a row of a sealed column as the owner of the column would.
func (f *Fake) PutSealed(t testing.TB, column crypto.SealedColumn, row crypto.SealedRow) {
	t.Helper()
	f.must(t, func(s *state) {
		name := column.String()
		if s.sealed[name] == nil {
			s.sealed[name] = make(map[string]crypto.SealedRow)
		}
		row.Value = bytes.Clone(row.Value)
		s.sealed[name][row.ID] = row
	})
}

// Sealed returns the rows of a sealed column by id.
func (f *Fake) Sealed(t testing.TB, column crypto.SealedColumn) (rows map[string]crypto.SealedRow) {
	t.Helper()
	f.must(t, func(s *state) { rows = maps.Clone(s.sealed[column.String()]) })
	return rows
}

// ListSealed implements crypto.SealedStore.
func (f *Fake) ListSealed(ctx context.Context, c crypto.SealedColumn, q crypto.SealedQuery) (out []crypto.SealedRow, err error) {
	err = f.db.Do(ctx, func(s *state) error {
		rows := s.sealed[c.String()]
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			row := seen(c, rows[id])
			wanted := row.Value != nil && id > q.After && (q.NotKID == "" || prefix(row.Value) != q.NotKID)
			if wanted && len(out) < q.Limit {
				out = append(out, row)
			}
		}
		return nil
	})
	return out, err
}

// ReplaceSealed implements crypto.SealedStore.
func (f *Fake) ReplaceSealed(ctx context.Context, c crypto.SealedColumn, id string, old, sealed []byte) error {
	return f.db.Do(ctx, func(s *state) error {
		row, ok := s.sealed[c.String()][id]
		if !ok || !bytes.Equal(row.Value, old) {
			return crypto.ErrRowChanged
		}
		row.Value = bytes.Clone(sealed)
		s.sealed[c.String()][id] = row
		return nil
	})
}

// CountSealed implements crypto.SealedStore.
func (f *Fake) CountSealed(ctx context.Context, c crypto.SealedColumn, tenant string) (map[string]int64, error) {
	out := make(map[string]int64)
	err := f.db.Do(ctx, func(s *state) error {
		for _, row := range s.sealed[c.String()] {
			row = seen(c, row)
			if row.Value != nil && (tenant == "" || row.Tenant == tenant) {
				out[prefix(row.Value)]++
			}
		}
		return nil
	})
	return out, err
}

// seen is a row as the registered column shows it.
func seen(c crypto.SealedColumn, row crypto.SealedRow) crypto.SealedRow {
	row.Value = bytes.Clone(row.Value)
	if c.TenantColumn == "" {
		row.Tenant = ""
	}
	return row
}

// prefix is what stands where an envelope has its key id.
func prefix(value []byte) string {
	start, end := min(2, len(value)), min(10, len(value))
	return hex.EncodeToString(value[start:end])
}
