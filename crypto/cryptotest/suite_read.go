package cryptotest

import (
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

func readClauses() []clause[Env] {
	return []clause[Env]{
		{"a row comes back as it was inserted", testRoundTrip},
		{"times come back in UTC with microseconds", testTimes},
		{"an id without a row is ErrUnknownKey", testUnknown},
		{"the active key is that of exactly this purpose and tenant", testActive},
		{"no active key is ErrNoActiveKey", testNoActive},
		{"a list is ordered by id, filtered and paged", testList},
		{"an empty list is no error", testEmptyList},
	}
}

func testRoundTrip(t *testing.T, e Env) {
	for _, state := range []crypto.State{crypto.StatePending, crypto.StateActive, crypto.StateDecryptOnly} {
		row := newRow(t, "data", "tenant-1", state)
		insert(t, e, row)
		requireKey(t, e, row)
	}
	shared := newRow(t, "data", "", crypto.StateActive)
	insert(t, e, shared)
	requireKey(t, e, shared)
}

func testTimes(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateDecryptOnly)
	zone := time.FixedZone("elsewhere", -7*3600)
	utc := time.Date(2026, 10, 25, 1, 30, 0, 999999000, time.UTC)
	row.CreatedAt, row.RetiredAt = utc.In(zone), utc.Add(time.Microsecond).In(zone)
	insert(t, e, row)
	got, err := e.Store.Key(t.Context(), row.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.CreatedAt, utc)
	assert.Equal(t, got.RetiredAt, utc.Add(time.Microsecond))
}

func testUnknown(t *testing.T, e Env) {
	insert(t, e, newRow(t, "data", "", crypto.StateActive))
	_, err := e.Store.Key(t.Context(), "0000000000000000")
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
}

func testActive(t *testing.T, e Env) {
	want := newRow(t, "data", "tenant-1", crypto.StateActive)
	insert(t, e, want,
		newRow(t, "data", "", crypto.StateActive),
		newRow(t, "data", "tenant-2", crypto.StateActive),
		newRow(t, "token", "tenant-1", crypto.StateActive),
		newRow(t, "data", "tenant-1", crypto.StateDecryptOnly),
		newRow(t, "data", "tenant-1", crypto.StatePending))
	got, err := e.Store.ActiveKey(t.Context(), "data", "tenant-1")
	assert.NoError(t, err)
	assert.Equal(t, got, want)
}

func testNoActive(t *testing.T, e Env) {
	insert(t, e, newRow(t, "data", "", crypto.StateDecryptOnly), newRow(t, "data", "", crypto.StatePending),
		newRow(t, "data", "tenant-1", crypto.StateActive), newRow(t, "token", "", crypto.StateActive))
	_, err := e.Store.ActiveKey(t.Context(), "data", "")
	assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
}

func testList(t *testing.T, e Env) {
	rows := []crypto.Key{
		newRow(t, "data", "", crypto.StateActive), newRow(t, "data", "", crypto.StateDecryptOnly),
		newRow(t, "data", "tenant-1", crypto.StateActive), newRow(t, "token", "tenant-1", crypto.StatePending),
	}
	insert(t, e, rows...)
	pick := func(of ...crypto.Key) []string {
		ids := []string{}
		for _, row := range of {
			ids = append(ids, row.ID)
		}
		slices.Sort(ids)
		return ids
	}
	all := pick(rows...)
	shared, tenant := "", "tenant-1"
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{}), all)
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{Purpose: "data"}), pick(rows[:3]...))
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{Tenant: &shared}), pick(rows[:2]...))
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{Tenant: &tenant, Purpose: "token"}), pick(rows[3]))
	states := []crypto.State{crypto.StatePending, crypto.StateDecryptOnly}
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{States: states}), pick(rows[1], rows[3]))
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{Limit: 3}), all[:3])
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{After: all[1], Limit: 1}), all[2:3])
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{After: all[3]}), []string{})
}

func testEmptyList(t *testing.T, e Env) {
	assert.Equal(t, idsOf(t, e, crypto.KeyFilter{Purpose: "data"}), []string{})
}
