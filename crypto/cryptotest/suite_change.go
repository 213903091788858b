package cryptotest

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

func changeClauses() []clause[Env] {
	return []clause[Env]{
		{"a second active key of a purpose and tenant is ErrActiveKeyExists", testSecondActive},
		{"a repeated id is ErrActiveKeyExists", testRepeatedID},
		{"keys are inserted all or none", testInsertAllOrNone},
		{"16 concurrent inserts leave one active key", testInsertRace},
		{"a change sets the state, the MAC and the time", testChange},
		{"a change without a time keeps the time", testChangeKeepsTime},
		{"a change from another state is ErrKeyChanged", testChangeGuard},
		{"changes are applied in order, all or none", testChangesAllOrNone},
		{"a change that would make a second active key is ErrActiveKeyExists", testChangeSecondActive},
		{"a change to destroyed erases the key", testDestroy},
		{"16 concurrent changes have one winner", testChangeRace},
		{"new wrapping replaces all of the old", testReplaceWrapping},
		{"new wrapping over another one is ErrKeyChanged", testReplaceGuard},
		{"16 concurrent rewrappings have one winner", testReplaceRace},
		{"seals are added, unknown ids skipped", testAddSeals},
		{"no seal is lost among concurrent additions", testAddSealsRace},
	}
}

func testSecondActive(t *testing.T, e Env) {
	first := newRow(t, "data", "tenant-1", crypto.StateActive)
	insert(t, e, first)
	err := e.Store.InsertKeys(t.Context(), newRow(t, "data", "tenant-1", crypto.StateActive))
	assert.ErrorIs(t, err, crypto.ErrActiveKeyExists)
	requireKey(t, e, first)
	insert(t, e, newRow(t, "data", "tenant-2", crypto.StateActive), newRow(t, "token", "tenant-1", crypto.StateActive))
}

func testRepeatedID(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StatePending)
	insert(t, e, row)
	again := newRow(t, "token", "", crypto.StatePending)
	again.ID = row.ID
	assert.ErrorIs(t, e.Store.InsertKeys(t.Context(), again), crypto.ErrActiveKeyExists)
	requireKey(t, e, row)
}

func testInsertAllOrNone(t *testing.T, e Env) {
	insert(t, e, newRow(t, "data", "", crypto.StateActive))
	other := newRow(t, "token", "", crypto.StateActive)
	err := e.Store.InsertKeys(t.Context(), other, newRow(t, "data", "", crypto.StateActive))
	assert.ErrorIs(t, err, crypto.ErrActiveKeyExists)
	_, err = e.Store.Key(t.Context(), other.ID)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	assert.NoError(t, e.Store.InsertKeys(t.Context()))
}

func testInsertRace(t *testing.T, e Env) {
	rows := make([]crypto.Key, racers)
	for i := range rows {
		rows[i] = newRow(t, "data", "", crypto.StateActive)
	}
	winners := race(t, racers, crypto.ErrActiveKeyExists, func(i int) error {
		return e.Store.InsertKeys(t.Context(), rows[i])
	})
	assert.Equal(t, winners, 1)
	assert.Len(t, idsOf(t, e, crypto.KeyFilter{}), 1)
}

func retire(t *testing.T, row crypto.Key) crypto.StateChange {
	t.Helper()
	return crypto.StateChange{
		ID: row.ID, From: row.State, To: crypto.StateDecryptOnly, StateMAC: random(t, 32), At: row.CreatedAt.Add(time.Minute),
	}
}

func testChange(t *testing.T, e Env) {
	row, bystander := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, row, bystander)
	change := retire(t, row)
	assert.NoError(t, e.Store.ChangeStates(t.Context(), change))
	row.State, row.StateMAC, row.RetiredAt = change.To, change.StateMAC, change.At
	requireKey(t, e, row)
	requireKey(t, e, bystander)
}

func testChangeKeepsTime(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateDecryptOnly)
	insert(t, e, row)
	change := crypto.StateChange{ID: row.ID, From: row.State, To: crypto.StateActive, StateMAC: random(t, 32)}
	assert.NoError(t, e.Store.ChangeStates(t.Context(), change))
	row.State, row.StateMAC = change.To, change.StateMAC
	requireKey(t, e, row)
}

func testChangeGuard(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StatePending)
	insert(t, e, row)
	change := retire(t, row)
	change.From = crypto.StateActive
	assert.ErrorIs(t, e.Store.ChangeStates(t.Context(), change), crypto.ErrKeyChanged)
	change.From, change.ID = row.State, "0000000000000000"
	assert.ErrorIs(t, e.Store.ChangeStates(t.Context(), change), crypto.ErrKeyChanged)
	requireKey(t, e, row)
}

func testChangesAllOrNone(t *testing.T, e Env) {
	old, next := newRow(t, "data", "", crypto.StateActive), newRow(t, "data", "", crypto.StatePending)
	insert(t, e, old, next)
	activate := crypto.StateChange{ID: next.ID, From: crypto.StatePending, To: crypto.StateActive, StateMAC: random(t, 32)}
	stale := activate
	stale.From = crypto.StateDecryptOnly
	assert.ErrorIs(t, e.Store.ChangeStates(t.Context(), retire(t, old), stale), crypto.ErrKeyChanged)
	requireKey(t, e, old)
	assert.NoError(t, e.Store.ChangeStates(t.Context(), retire(t, old), activate))
	active, err := e.Store.ActiveKey(t.Context(), "data", "")
	assert.NoError(t, err)
	assert.Equal(t, active.ID, next.ID)
}

func testChangeSecondActive(t *testing.T, e Env) {
	old, next := newRow(t, "data", "", crypto.StateActive), newRow(t, "data", "", crypto.StatePending)
	insert(t, e, old, next)
	activate := crypto.StateChange{ID: next.ID, From: crypto.StatePending, To: crypto.StateActive, StateMAC: random(t, 32)}
	assert.ErrorIs(t, e.Store.ChangeStates(t.Context(), activate), crypto.ErrActiveKeyExists)
	requireKey(t, e, next)
}

func testDestroy(t *testing.T, e Env) {
	row := newRow(t, "data", "tenant-1", crypto.StateActive)
	insert(t, e, row)
	at := row.CreatedAt.Add(time.Hour)
	change := crypto.StateChange{ID: row.ID, From: row.State, To: crypto.StateDestroyed, StateMAC: random(t, 32), At: at}
	assert.NoError(t, e.Store.ChangeStates(t.Context(), change))
	row.State, row.RetiredAt, row.Wrapped, row.Check = crypto.StateDestroyed, at, nil, nil
	requireKey(t, e, row)
	insert(t, e, newRow(t, "data", "tenant-1", crypto.StateActive))
}

func testChangeRace(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateActive)
	insert(t, e, row)
	change := retire(t, row)
	winners := race(t, racers, crypto.ErrKeyChanged, func(int) error { return e.Store.ChangeStates(t.Context(), change) })
	assert.Equal(t, winners, 1)
}

func testReplaceWrapping(t *testing.T, e Env) {
	row, bystander := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, row, bystander)
	w := crypto.Wrapped{KEK: "memory:other", Version: "v9", Bytes: random(t, 60)}
	assert.NoError(t, e.Store.ReplaceWrapping(t.Context(), row.ID, row.Wrapped, w))
	row.KEK, row.KEKVersion, row.Wrapped = w.KEK, w.Version, w.Bytes
	requireKey(t, e, row)
	requireKey(t, e, bystander)
}

func testReplaceGuard(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateActive)
	insert(t, e, row)
	w := crypto.Wrapped{KEK: "memory:other", Bytes: random(t, 60)}
	assert.ErrorIs(t, e.Store.ReplaceWrapping(t.Context(), row.ID, random(t, 60), w), crypto.ErrKeyChanged)
	assert.ErrorIs(t, e.Store.ReplaceWrapping(t.Context(), "0000000000000000", row.Wrapped, w), crypto.ErrKeyChanged)
	requireKey(t, e, row)
	destroy := crypto.StateChange{ID: row.ID, From: row.State, To: crypto.StateDestroyed, At: row.CreatedAt}
	assert.NoError(t, e.Store.ChangeStates(t.Context(), destroy))
	assert.ErrorIs(t, e.Store.ReplaceWrapping(t.Context(), row.ID, row.Wrapped, w), crypto.ErrKeyChanged)
	assert.ErrorIs(t, e.Store.ReplaceWrapping(t.Context(), row.ID, nil, w), crypto.ErrKeyChanged)
}

func testReplaceRace(t *testing.T, e Env) {
	row := newRow(t, "data", "", crypto.StateActive)
	insert(t, e, row)
	w := crypto.Wrapped{KEK: "memory:other", Bytes: random(t, 60)}
	winners := race(t, racers, crypto.ErrKeyChanged, func(int) error {
		return e.Store.ReplaceWrapping(t.Context(), row.ID, row.Wrapped, w)
	})
	assert.Equal(t, winners, 1)
}

func testAddSeals(t *testing.T, e Env) {
	row, bystander := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, row, bystander)
	assert.NoError(t, e.Store.AddSeals(t.Context(), map[string]int64{row.ID: 1 << 40, "0000000000000000": 3}))
	assert.NoError(t, e.Store.AddSeals(t.Context(), nil))
	row.Seals += 1 << 40
	requireKey(t, e, row)
	requireKey(t, e, bystander)
}

func testAddSealsRace(t *testing.T, e Env) {
	a, b := newRow(t, "data", "", crypto.StateActive), newRow(t, "token", "", crypto.StateActive)
	insert(t, e, a, b)
	winners := race(t, racers, nil, func(int) error {
		return e.Store.AddSeals(t.Context(), map[string]int64{a.ID: 1, b.ID: 2})
	})
	assert.Equal(t, winners, racers)
	a.Seals, b.Seals = a.Seals+racers, b.Seals+2*racers
	requireKey(t, e, a)
	requireKey(t, e, b)
}
