package crypto

import (
	"context"
	"fmt"
	"strings"
)

// Normalizer maps equal values to equal strings before they are indexed. Its name is part of every index value, so a
// change of the rule is a new name, and old rows are recognised as such.
type Normalizer struct {
	// Name says rule and version: "ascii-lower/v1".
	Name string
	// Apply returns the normal form, or an error for a value that has none.
	Apply func(string) (string, error)
}

// NormalizeExact compares values byte by byte. Its name is "exact/v1".
func NormalizeExact() Normalizer {
	return Normalizer{Name: "exact/v1", Apply: func(s string) (string, error) { return s, nil }}
}

// NormalizeASCIILower ignores the case of ASCII letters, and of no others: Unicode case rules merge addresses of
// different people. Its name is "ascii-lower/v1".
func NormalizeASCIILower() Normalizer {
	lower := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return Normalizer{Name: "ascii-lower/v1", Apply: func(s string) (string, error) { return strings.Map(lower, s), nil }}
}

// Index describes a blind index: a column that holds a MAC of a sealed value, so that the value can be looked up, or be
// unique, without being readable.
//
// It shows which rows are equal. A value that can be guessed (a telephone number, a postcode) is found by whoever holds
// the key, and shows its frequency to whoever reads the table; never index codes, TOTP secrets or tokens.
type Index struct {
	// Column is the indexed column, whose purpose supplies the key.
	Column
	// Normalizer is applied first. Required.
	Normalizer Normalizer
	// PerTenant gives equal values of two tenants different index values.
	PerTenant bool
}

// IndexValue is what a row stores for a blind index: two columns, the MAC under a plain or unique index.
type IndexValue struct {
	KID string // key that made it, for Config.InUse and for rebuilding after a rotation
	MAC []byte // 32 bytes
}

// IndexValue returns the blind index of value under the active shared key, for writing. Errors are those of Seal and of
// the normalizer.
func (k *Keyring) IndexValue(ctx context.Context, index Index, tenant, value string) (IndexValue, error) {
	message, err := index.message(tenant, value)
	if err != nil {
		return IndexValue{}, err
	}
	kid, key, err := k.ActiveSubkey(ctx, index.Purpose, index.label())
	if err != nil {
		return IndexValue{}, err
	}
	defer clear(key)
	return IndexValue{KID: kid, MAC: mac(key, message)}, nil
}

// IndexLookup returns the blind index of value under every live shared key, the active one first: what rows written
// before and after a rotation hold. It reads the list of keys from the store each time, so that it never misses what
// another process has just begun to write.
func (k *Keyring) IndexLookup(ctx context.Context, index Index, tenant, value string) ([]IndexValue, error) {
	message, err := index.message(tenant, value)
	if err != nil {
		return nil, err
	}
	shared := ""
	rows, err := k.store.ListKeys(ctx, KeyFilter{
		Purpose: index.Purpose, Tenant: &shared, States: []State{StateActive, StateDecryptOnly},
	})
	if err != nil {
		return nil, fmt.Errorf("crypto: index lookup: %w", err)
	}
	out := make([]IndexValue, 0, len(rows))
	for _, row := range rows {
		key, err := k.Subkey(ctx, index.Purpose, index.label(), row.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, IndexValue{KID: row.ID, MAC: mac(key, message)})
		clear(key)
		if row.State == StateActive {
			out[0], out[len(out)-1] = out[len(out)-1], out[0]
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("crypto: index lookup: %w", ErrNoActiveKey)
	}
	return out, nil
}

func (i Index) label() string { return "bidx/" + i.Table + "." + i.Column.Column + "/v1" }

// message is what the MAC covers. Table and column are in the label of its key.
func (i Index) message(tenant, value string) ([]byte, error) {
	if err := i.Column.validate(); err != nil {
		return nil, err
	}
	if i.Normalizer.Name == "" || i.Normalizer.Apply == nil {
		return nil, fmt.Errorf("crypto: blind index without a normalizer: %w", ErrInvalid)
	}
	if i.PerTenant && tenant == "" {
		return nil, fmt.Errorf("crypto: blind index without its tenant: %w", ErrInvalid)
	}
	if !i.PerTenant {
		tenant = ""
	}
	normal, err := i.Normalizer.Apply(value)
	if err != nil {
		return nil, fmt.Errorf("crypto: normalize for %s: %w", i.Column, err)
	}
	msg := appendPart(nil, labelIndex)
	msg = appendPart(msg, i.Normalizer.Name)
	msg = appendPart(msg, tenant)
	return appendPart(msg, normal), nil
}
