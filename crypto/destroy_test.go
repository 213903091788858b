package crypto_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// peppers is a place that needs keys and is no sealed column.
type peppers map[string]int64

func (p peppers) source() crypto.KIDSource {
	return crypto.KIDSource{Name: "tokens", Count: func(context.Context) (map[string]int64, error) { return p, nil }}
}

func TestR28_AKeyInUseIsNotDestroyed(t *testing.T) {
	t.Parallel()
	tokens := peppers{}
	b := newBench(t, crypto.Config{Sealed: []crypto.SealedColumn{secrets}, InUse: []crypto.KIDSource{tokens.source()}})
	old := b.active(t, "data", "").ID
	sealed := b.seal(t, secrets.Field("row", ""), "x")
	b.store.PutSealed(t, secrets, crypto.SealedRow{ID: "row", Value: sealed})
	tokens[old] = 7

	_, err := b.DestroyKey(t.Context(), old, true)
	assert.ErrorIs(t, err, crypto.ErrKeyInUse) // active: force does not help
	_, err = b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	b.clock.add(2 * time.Hour)
	report, err := b.DestroyKey(t.Context(), old, false)
	assert.ErrorIs(t, err, crypto.ErrKeyInUse)
	uses := []crypto.Usage{{Where: "things.secret", Rows: 1}, {Where: "tokens", Rows: 7}}
	assert.Equal(t, report, crypto.DestroyReport{KID: old, Usage: uses})

	report, err = b.DestroyKey(t.Context(), old, true)
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.DestroyReport{KID: old, Destroyed: true, Usage: uses})
	_, err = b.Open(t.Context(), secrets.Field("row", ""), sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	row := assert.Must(b.store.Key(t.Context(), old))(t)
	assert.Equal(t, len(row.Wrapped)+len(row.Check), 0)
	_, err = b.DestroyKey(t.Context(), old, true)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
}

func TestDestroyAnUnusedKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{Sealed: []crypto.SealedColumn{secrets}})
	old := b.active(t, "data", "").ID
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	b.clock.add(time.Hour - time.Microsecond) // others may still be sealing with it
	_, err = b.DestroyKey(t.Context(), old, false)
	assert.ErrorIs(t, err, crypto.ErrKeyInUse)
	b.clock.add(time.Microsecond)
	report, err := b.DestroyKey(t.Context(), old, false)
	assert.NoError(t, err)
	assert.True(t, report.Destroyed, "destroyed and not reported")
	_, err = b.DestroyKey(t.Context(), "0000000000000000", true)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
}

// A column of the text form counted under ids that are none, and the key that it needed was destroyed.
func TestR28_RowsThatNameNoKeyKeepTheKeysOfTheirPurpose(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{Sealed: []crypto.SealedColumn{secrets}})
	old, other := b.active(t, "data", "").ID, b.active(t, "token", "").ID
	text := assert.Must(b.SealText(t.Context(), secrets.Field("row", ""), []byte("x")))(t)
	b.store.PutSealed(t, secrets, crypto.SealedRow{ID: "row", Value: []byte(text)})
	for _, purpose := range []string{"data", "token"} {
		_, err := b.RotateDEK(t.Context(), purpose, "")
		assert.NoError(t, err)
	}
	b.clock.add(2 * time.Hour)
	report, err := b.DestroyKey(t.Context(), old, false)
	assert.ErrorIs(t, err, crypto.ErrKeyInUse)
	assert.Equal(t, report.Usage, []crypto.Usage{{Where: "things.secret, naming no key", Rows: 1}})
	_, err = b.DestroyKey(t.Context(), other, false)
	assert.NoError(t, err)
	_, err = b.DestroyKey(t.Context(), old, true)
	assert.NoError(t, err)
}

func TestDestroyNeedsTheCounts(t *testing.T) {
	t.Parallel()
	down := errors.New("count failed")
	broken := crypto.KIDSource{Name: "tokens", Count: func(context.Context) (map[string]int64, error) { return nil, down }}
	b := newBench(t, crypto.Config{InUse: []crypto.KIDSource{broken}})
	old := b.active(t, "data", "").ID
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	_, err = b.DestroyKey(t.Context(), old, true)
	assert.ErrorIs(t, err, down)
	assert.Equal(t, b.states(t)[crypto.StateDestroyed], 0)
}

func TestDestroyTenant(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data", "password"}, Sealed: []crypto.SealedColumn{secrets}})
	put := func(row, tenant string) []byte {
		sealed := b.seal(t, secrets.Field(row, tenant), "x")
		b.store.PutSealed(t, secrets, crypto.SealedRow{ID: row, Tenant: tenant, Value: sealed})
		return sealed
	}
	for _, tenant := range []string{"org-1", "org-2"} {
		assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", tenant))
	}
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "password", "org-1"))
	gone := put("1", "org-1")
	_, err := b.RotateDEK(t.Context(), "data", "org-1")
	assert.NoError(t, err)
	put("2", "org-1")
	stays, shared := put("3", "org-2"), put("4", "")
	b.store.PutSealed(t, secrets, crypto.SealedRow{ID: "5", Tenant: "org-1", Value: shared}) // from before it had a key

	report, err := b.DestroyTenant(t.Context(), "org-1")
	assert.NoError(t, err)
	assert.Len(t, report.Keys, 3)
	assert.Equal(t, report.Lost, []crypto.Usage{{Where: "things.secret", Rows: 2}})
	assert.Equal(t, report.Readable, []crypto.Usage{{Where: "things.secret", Rows: 1}})
	for _, k := range []*crypto.Keyring{b.Keyring, b.process(t)} {
		_, err = k.Open(t.Context(), secrets.Field("1", "org-1"), gone)
		assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
		_, err = k.Seal(t.Context(), secrets.Field("1", "org-1"), nil)
		assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
	}
	assert.ErrorIs(t, b.EnsureTenantKey(t.Context(), "data", "org-1"), crypto.ErrTenantDestroyed)
	b.requireOpens(t, secrets.Field("3", "org-2"), stays, "x")
	again, err := b.DestroyTenant(t.Context(), "org-1")
	assert.NoError(t, err)
	assert.Equal(t, again, report)
}

func TestDestroyTenantReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	f := secrets.Field("row", "org-1")
	sealed := b.seal(t, f, "x")
	other := b.process(t)
	_, err := other.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	_, err = b.DestroyTenant(t.Context(), "org-1")
	assert.NoError(t, err)
	b.clock.add(maxAge)
	_, err = other.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
	// An outage afterwards does not bring it back.
	b.kms.Fail(crypto.ErrKMSUnavailable)
	b.clock.add(2 * time.Second)
	_, err = other.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
}

func TestDestroyTenantFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}, Sealed: []crypto.SealedColumn{secrets}})
	_, err := b.DestroyTenant(t.Context(), "")
	assert.ErrorIs(t, err, crypto.ErrInvalid)
	b.store.Fail(problem.ErrUnavailable)
	_, err = b.DestroyTenant(t.Context(), "org-1")
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	b.store.Fail(nil)
	report, err := b.DestroyTenant(t.Context(), "never heard of")
	assert.NoError(t, err)
	assert.Len(t, report.Keys, 0)
}
