package cryptotest

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/crypto"
)

// ListSealed implements crypto.SealedStore.
func (f *Fake) ListSealed(ctx context.Context, c crypto.SealedColumn, q crypto.SealedQuery) ([]crypto.SealedRow, error) {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	var out []crypto.SealedRow
	for _, row := range f.rows[c.String()] {
		if row.ID > q.After && (q.NotKID == "" || prefix(row.Value) != q.NotKID) {
			row.Value = bytes.Clone(row.Value)
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b crypto.SealedRow) int { return strings.Compare(a.ID, b.ID) })
	return out[:min(len(out), q.Limit)], nil
}

// ReplaceSealed implements crypto.SealedStore.
func (f *Fake) ReplaceSealed(ctx context.Context, c crypto.SealedColumn, id string, old, sealed []byte) error {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return err
	}
	row, ok := f.rows[c.String()][id]
	if !ok || !bytes.Equal(row.Value, old) {
		return crypto.ErrRowChanged
	}
	row.Value = bytes.Clone(sealed)
	f.rows[c.String()][id] = row
	return nil
}

// CountSealed implements crypto.SealedStore.
func (f *Fake) CountSealed(ctx context.Context, c crypto.SealedColumn, tenant string) (map[string]int64, error) {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	out := make(map[string]int64)
	for _, row := range f.rows[c.String()] {
		if tenant == "" || row.Tenant == tenant {
			out[prefix(row.Value)]++
		}
	}
	return out, nil
}

// prefix is what stands where an envelope has its key id.
func prefix(value []byte) string {
	start, end := min(2, len(value)), min(10, len(value))
	return hex.EncodeToString(value[start:end])
}
