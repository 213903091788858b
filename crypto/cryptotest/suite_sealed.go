package cryptotest

import (
	"bytes"
	"context"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// SealedEnv is a store of sealed columns under test.
type SealedEnv struct {
	Store crypto.SealedStore
	// Column is an empty sealed column with a tenant column.
	Column crypto.SealedColumn
	// Put inserts a row into the table of Column; a nil value is NULL, an empty tenant is NULL.
	Put func(ctx context.Context, row crypto.SealedRow) error
	// InTx runs fn in a transaction of the store.
	InTx func(ctx context.Context, fn func(ctx context.Context) error) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestSealedStore holds the stores that open returns to the contract at crypto.SealedStore.
func TestSealedStore(t *testing.T, open func(t *testing.T) SealedEnv) {
	t.Helper()
	run(t, []clause[SealedEnv]{
		{"a list is ordered by id, paged, and has the tenants", testSealedList},
		{"a list leaves out rows of one key", testSealedNotKID},
		{"rows without a value do not exist", testSealedNull},
		{"a value is replaced if it is still the old one", testSealedReplace},
		{"16 concurrent replacements have one winner", testSealedRace},
		{"rows are counted by key and tenant", testSealedCount},
		{"a replacement is taken back with its transaction", testSealedRollback},
		{"a column without a tenant has empty tenants", testSealedNoTenant},
		{"an ended ctx is an error", testSealedCancelled},
		{"an outage is an error", testSealedOutage},
	}, open)
}

const (
	kidA = "0a0a0a0a0a0a0a0a"
	kidB = "0b0b0b0b0b0b0b0b"
)

// envelope returns bytes with a key id where an envelope has it.
func envelope(t *testing.T, kid byte) []byte {
	t.Helper()
	return append(append([]byte{1, 1}, bytes.Repeat([]byte{kid}, 8)...), random(t, 90)...)
}

// fill puts four rows, in another order than that of their ids.
func fill(t *testing.T, e SealedEnv) []crypto.SealedRow {
	t.Helper()
	rows := []crypto.SealedRow{
		{ID: "row-1", Tenant: "tenant-1", Value: envelope(t, 0x0a)},
		{ID: "row-2", Tenant: "", Value: envelope(t, 0x0b)},
		{ID: "row-3", Tenant: "tenant-1", Value: envelope(t, 0x0b)},
		{ID: "row-4", Tenant: "tenant-2", Value: envelope(t, 0x0a)},
	}
	for _, i := range []int{2, 0, 3, 1} {
		assert.NoError(t, e.Put(t.Context(), rows[i]))
	}
	return rows
}

func list(t *testing.T, e SealedEnv, q crypto.SealedQuery) []crypto.SealedRow {
	t.Helper()
	rows, err := e.Store.ListSealed(t.Context(), e.Column, q)
	assert.NoError(t, err)
	return rows
}

func testSealedList(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10}), rows)
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 2}), rows[:2])
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 2, After: "row-2"}), rows[2:])
	assert.Len(t, list(t, e, crypto.SealedQuery{Limit: 2, After: "row-4"}), 0)
}

func testSealedNotKID(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	short := crypto.SealedRow{ID: "row-5", Value: []byte{1}}
	assert.NoError(t, e.Put(t.Context(), short))
	want := []crypto.SealedRow{rows[1], rows[2], short}
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10, NotKID: kidA}), want)
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 1, NotKID: kidA, After: "row-2"}), want[1:2])
}

func testSealedNull(t *testing.T, e SealedEnv) {
	assert.NoError(t, e.Put(t.Context(), crypto.SealedRow{ID: "row-1", Tenant: "tenant-1"}))
	assert.Len(t, list(t, e, crypto.SealedQuery{Limit: 10}), 0)
	counts, err := e.Store.CountSealed(t.Context(), e.Column, "")
	assert.NoError(t, err)
	assert.Equal(t, counts, map[string]int64{})
}

func testSealedReplace(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	sealed := envelope(t, 0x0c)
	assert.NoError(t, e.Store.ReplaceSealed(t.Context(), e.Column, "row-1", rows[0].Value, sealed))
	err := e.Store.ReplaceSealed(t.Context(), e.Column, "row-2", rows[0].Value, sealed)
	assert.ErrorIs(t, err, crypto.ErrRowChanged)
	err = e.Store.ReplaceSealed(t.Context(), e.Column, "row-9", rows[0].Value, sealed)
	assert.ErrorIs(t, err, crypto.ErrRowChanged)
	rows[0].Value = sealed
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10}), rows)
}

func testSealedRace(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	sealed := make([][]byte, racers)
	for i := range sealed {
		sealed[i] = envelope(t, 0x0c)
	}
	winners := race(t, racers, crypto.ErrRowChanged, func(i int) error {
		return e.Store.ReplaceSealed(t.Context(), e.Column, "row-1", rows[0].Value, sealed[i])
	})
	assert.Equal(t, winners, 1)
}

func testSealedCount(t *testing.T, e SealedEnv) {
	fill(t, e)
	assert.NoError(t, e.Put(t.Context(), crypto.SealedRow{ID: "row-5", Tenant: "tenant-1", Value: envelope(t, 0x0b)}))
	for tenant, want := range map[string]map[string]int64{
		"":         {kidA: 2, kidB: 3},
		"tenant-1": {kidA: 1, kidB: 2},
		"tenant-2": {kidA: 1},
		"tenant-3": {},
	} {
		counts, err := e.Store.CountSealed(t.Context(), e.Column, tenant)
		assert.NoError(t, err)
		assert.Equal(t, counts, want)
	}
}

func testSealedRollback(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	err := e.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, e.Store.ReplaceSealed(ctx, e.Column, "row-1", rows[0].Value, envelope(t, 0x0c)))
		return errUndo
	})
	assert.ErrorIs(t, err, errUndo)
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10}), rows)
}

func testSealedNoTenant(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	e.Column.TenantColumn = ""
	for i := range rows {
		rows[i].Tenant = ""
	}
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10}), rows)
	counts, err := e.Store.CountSealed(t.Context(), e.Column, "tenant-1")
	assert.NoError(t, err)
	assert.Equal(t, counts, map[string]int64{})
}

func sealedCalls(t *testing.T, e SealedEnv, old []byte) map[string]func(context.Context) error {
	t.Helper()
	query, sealed := crypto.SealedQuery{Limit: 1}, envelope(t, 0x0c)
	return map[string]func(context.Context) error{
		"ListSealed":    func(ctx context.Context) error { _, err := e.Store.ListSealed(ctx, e.Column, query); return err },
		"ReplaceSealed": func(ctx context.Context) error { return e.Store.ReplaceSealed(ctx, e.Column, "row-1", old, sealed) },
		"CountSealed":   func(ctx context.Context) error { _, err := e.Store.CountSealed(ctx, e.Column, ""); return err },
	}
}

func testSealedCancelled(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, call := range sealedCalls(t, e, rows[0].Value) {
		assert.ErrorIs(t, call(ended), context.Canceled)
	}
	assert.Equal(t, list(t, e, crypto.SealedQuery{Limit: 10}), rows)
}

func testSealedOutage(t *testing.T, e SealedEnv) {
	rows := fill(t, e)
	e.Break()
	for _, call := range sealedCalls(t, e, rows[0].Value) {
		assert.ErrorIs(t, call(t.Context()), problem.ErrUnavailable)
	}
}
