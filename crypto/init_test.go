package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestInitMakesEveryPurposeOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 3})
	assert.NoError(t, b.Init(t.Context()))
	assert.NoError(t, b.process(t).Init(t.Context()))
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 3})
	more := b.cfg
	more.Purposes = []string{"data", "token", "password", "vault"}
	assert.NoError(t, assert.Must(crypto.New(b.store, more))(t).Init(t.Context()))
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 4})
	assert.NoError(t, b.Check(t.Context()))
}

func TestInitRace(t *testing.T) {
	t.Parallel()
	store, kms := cryptotest.NewFake(), cryptotest.NewKMS("memory:a")
	sealed := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range sealed {
		k := assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t)
		wg.Go(func() {
			assert.NoError(t, k.Init(t.Context()))
			value, err := k.Seal(t.Context(), secrets.Field("row", ""), []byte("x"))
			assert.NoError(t, err)
			sealed[i] = value
		})
	}
	wg.Wait()
	rows := assert.Must(store.ListKeys(t.Context(), crypto.KeyFilter{}))(t)
	assert.Len(t, rows, 3)
	k := assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t)
	for _, value := range sealed {
		_, err := k.Open(t.Context(), secrets.Field("row", ""), value)
		assert.NoError(t, err)
	}
}

// TestR28_TwoKeysRace starts two processes with different keys on an empty table: one must lose, and say so.
func TestR28_TwoKeysRace(t *testing.T) {
	t.Parallel()
	store := cryptotest.NewFake()
	results := make([]error, 16)
	var wg sync.WaitGroup
	for i := range results {
		kms := cryptotest.NewKMS("memory:" + string(rune('a'+i)))
		k := assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t)
		wg.Go(func() { results[i] = k.Init(t.Context()) })
	}
	wg.Wait()
	winners := 0
	for _, err := range results {
		if err == nil {
			winners++
			continue
		}
		assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	}
	assert.Equal(t, winners, 1)
	assert.Len(t, assert.Must(store.ListKeys(t.Context(), crypto.KeyFilter{}))(t), 3)
}

func TestInitRefusesTransactions(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	kid := b.active(t, "data", "").ID
	b.inTransaction(t, func(ctx context.Context) {
		_, rotate := b.RotateDEK(ctx, "data", "")
		_, rewrap := b.RewrapKEK(ctx)
		_, destroy := b.DestroyKey(ctx, kid, true)
		_, shred := b.DestroyTenant(ctx, "org-1")
		_, reencrypt := b.Reencrypt(ctx, crypto.ReencryptOptions{})
		for _, err := range []error{
			b.Init(ctx), b.EnsureTenantKey(ctx, "data", "org-1"), b.Maintain(ctx), rotate, rewrap, destroy, shred, reencrypt,
		} {
			assert.ErrorIs(t, err, crypto.ErrInTransaction)
		}
	})
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 3})
}

func TestR28_KeysWithoutTheirKEKAreNotReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	before := assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{}))(t)
	unwrapFails := cryptotest.NewKMS(b.kms.URI()) // the right name, but it never wrapped these
	for _, kms := range []crypto.KMS{cryptotest.NewKMS("memory:other"), unwrapFails} {
		cfg := crypto.Config{KMS: kms, Purposes: []string{"data", "token", "password", "vault"}}
		k := assert.Must(crypto.New(b.store, cfg))(t)
		assert.ErrorIs(t, k.Init(t.Context()), crypto.ErrKeyringMissing)
		assert.ErrorIs(t, k.Check(t.Context()), crypto.ErrKeyringMissing)
		_, err := k.Seal(t.Context(), secrets.Field("row", ""), nil)
		assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	}
	assert.Equal(t, assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{}))(t), before)
}

func TestR28_TenantKeysWithoutTheirKEKAreNoticed(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	row := b.active(t, "data", "org-1")
	row.KEK = "memory:gone"
	b.store.PutKey(t, row)
	assert.ErrorIs(t, b.process(t).Init(t.Context()), crypto.ErrKeyringMissing)
}

func TestInitDuringAnOutage(t *testing.T) {
	t.Parallel()
	store, kms := cryptotest.NewFake(), cryptotest.NewKMS("memory:a")
	k := assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t)
	kms.Fail(crypto.ErrKMSUnavailable)
	err := k.Init(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	assert.Equal(t, problem.KindOf(err), problem.Unavailable)
	kms.Fail(nil)
	store.Fail(problem.ErrUnavailable)
	assert.ErrorIs(t, k.Init(t.Context()), problem.ErrUnavailable)
	store.Fail(nil)
	assert.Len(t, assert.Must(store.ListKeys(t.Context(), crypto.KeyFilter{}))(t), 0)
	assert.NoError(t, k.Init(t.Context()))
}

// TestTamperedRowsAreNoticed changes single columns as a database writer could.
func TestTamperedRowsAreNoticed(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]struct {
		change func(*crypto.Key)
		want   error
	}{
		"active again":    {func(k *crypto.Key) { k.State = crypto.StateActive }, crypto.ErrKeyTampered},
		"retired earlier": {func(k *crypto.Key) { k.RetiredAt = k.RetiredAt.AddDate(0, 0, -1) }, crypto.ErrKeyTampered},
		"made earlier":    {func(k *crypto.Key) { k.CreatedAt = k.CreatedAt.AddDate(-1, 0, 0) }, crypto.ErrKeyTampered},
		"MAC cut":         {func(k *crypto.Key) { k.StateMAC = k.StateMAC[:16] }, crypto.ErrKeyTampered},
		"check value":     {func(k *crypto.Key) { k.Check[0] ^= 1 }, crypto.ErrKeyringMissing},
		"purpose":         {func(k *crypto.Key) { k.Purpose = "token" }, crypto.ErrKeyringMissing},
		"tenant":          {func(k *crypto.Key) { k.Tenant = "org-1" }, crypto.ErrKeyringMissing},
		"wrapped":         {func(k *crypto.Key) { k.Wrapped = slices.Concat(k.Wrapped, []byte("x")) }, crypto.ErrKeyringMissing},
		"pending":         {func(k *crypto.Key) { k.State = crypto.StatePending }, crypto.ErrUnknownKey},
		"unheard of":      {func(k *crypto.Key) { k.State = "" }, crypto.ErrUnknownKey},
	} {
		b := newBench(t, crypto.Config{})
		sealed := b.seal(t, secrets.Field("row", ""), "x")
		old := b.active(t, "data", "")
		_, err := b.RotateDEK(t.Context(), "data", "")
		assert.NoError(t, err)
		row := assert.Must(b.store.Key(t.Context(), old.ID))(t)
		tamper.change(&row)
		b.store.PutKey(t, row)
		_, err = b.process(t).Open(t.Context(), secrets.Field("row", ""), sealed)
		assert.True(t, errors.Is(err, tamper.want), name)
	}
}

func TestTenantKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	f := secrets.Field("row", "org-1")
	_, err := b.Seal(t.Context(), f, nil)
	assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	sealed := b.seal(t, f, "x") // at once, in spite of the remembered failure
	kid := assert.Must(crypto.KeyIDOf(sealed))(t)
	assert.Equal(t, kid, b.active(t, "data", "org-1").ID)
	assert.NotEqual(t, kid, b.active(t, "data", "").ID)
	b.requireOpens(t, f, sealed, "x")
	shared := b.seal(t, secrets.Field("row", ""), "y")
	assert.Equal(t, assert.Must(crypto.KeyIDOf(shared))(t), b.active(t, "data", "").ID)
	for purpose, tenant := range map[string]string{"token": "org-1", "data": "", "vault": "org-1"} {
		assert.ErrorIs(t, b.EnsureTenantKey(t.Context(), purpose, tenant), crypto.ErrInvalid)
	}
}

func TestTenantKeyRace(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	var wg sync.WaitGroup
	for range 16 {
		k := b.process(t)
		wg.Go(func() { assert.NoError(t, k.EnsureTenantKey(t.Context(), "data", "org-1")) })
	}
	wg.Wait()
	tenant := "org-1"
	assert.Len(t, assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{Tenant: &tenant}))(t), 1)
}
