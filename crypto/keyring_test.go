package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	for _, purpose := range []string{crypto.PurposeData, crypto.PurposeToken, crypto.PurposePassword} {
		f := crypto.Column{Purpose: purpose, Table: "things", Column: "secret"}.Field("row", "tenant")
		sealed := b.seal(t, f, "plaintext of "+purpose)
		assert.Equal(t, len(sealed), len("plaintext of "+purpose)+crypto.Overhead)
		b.requireOpens(t, f, sealed, "plaintext of "+purpose)
		other, err := b.process(t).Open(t.Context(), f, sealed)
		assert.NoError(t, err)
		assert.Equal(t, string(other), "plaintext of "+purpose)
		kid, err := crypto.KeyIDOf(sealed)
		assert.NoError(t, err)
		assert.Equal(t, kid, b.active(t, purpose, "").ID)
	}
}

func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	text, err := b.SealText(t.Context(), f, bytes.Repeat([]byte{1}, 20))
	assert.NoError(t, err)
	assert.Equal(t, len(text), 5+142)
	got, err := b.OpenText(t.Context(), f, text)
	assert.NoError(t, err)
	assert.Equal(t, got, bytes.Repeat([]byte{1}, 20))
	_, err = b.OpenText(t.Context(), f, "plain")
	assert.ErrorIs(t, err, crypto.ErrMalformed)
}

// TestSwapEverySealedValue is what a person with UPDATE on the tables can try: to copy each sealed value over each other.
func TestSwapEverySealedValue(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	for _, tenant := range []string{"org-1", "org-2"} {
		assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", tenant))
	}
	var fields []crypto.Field
	var sealed [][]byte
	for _, purpose := range []string{"data", "token", "password"} {
		for _, table := range []string{"users", "endpoints"} {
			for _, column := range []string{"secret", "backup"} {
				for _, row := range []string{"1", "2"} {
					for _, tenant := range []string{"", "org-1", "org-2"} {
						f := crypto.Column{Purpose: purpose, Table: table, Column: column}.Field(row, tenant)
						fields, sealed = append(fields, f), append(sealed, b.seal(t, f, "same plaintext"))
					}
				}
			}
		}
	}
	for i, f := range fields {
		for j, value := range sealed {
			_, err := b.Open(t.Context(), f, value)
			if i == j {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, crypto.ErrAuthentication)
			}
		}
	}
}

func TestFlippedKeyID(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "plaintext")
	for bit := range 64 {
		changed := bytes.Clone(sealed)
		changed[2+bit/8] ^= 1 << (bit % 8)
		_, err := b.Open(t.Context(), f, changed)
		assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	}
}

func TestFieldsNeedTheirPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	sealed := b.seal(t, secrets.Field("row", ""), "x")
	long := string(make([]byte, 513))
	for _, f := range []crypto.Field{
		{},
		secrets.Field("", ""), secrets.Field(long, ""), secrets.Field("row", long),
		{Column: crypto.Column{Purpose: "data", Table: "t"}, Row: "1"},
		{Column: crypto.Column{Purpose: "data", Column: "c"}, Row: "1"},
		{Column: crypto.Column{Table: "t", Column: "c"}, Row: "1"},
	} {
		_, err := b.Seal(t.Context(), f, nil)
		assert.ErrorIs(t, err, crypto.ErrInvalid)
		_, err = b.Open(t.Context(), f, sealed)
		assert.ErrorIs(t, err, crypto.ErrInvalid)
	}
}

func TestSealNeverMakesKeys(t *testing.T) {
	t.Parallel()
	store, kms := cryptotest.NewFake(), cryptotest.NewKMS("memory:a")
	k := assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t)
	_, err := k.Seal(t.Context(), secrets.Field("row", ""), []byte("x"))
	assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
	_, _, err = k.ActiveSubkey(t.Context(), "token", "token-pepper")
	assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
	has, err := k.HasKeys(t.Context())
	assert.NoError(t, err)
	assert.False(t, has, "Seal made a key")
	assert.Equal(t, kms.Calls(), 0)
	assert.NoError(t, k.Init(t.Context()))
	_, err = k.Seal(t.Context(), secrets.Field("row", ""), []byte("x"))
	assert.NoError(t, err)
}

func TestSealJoinsTheTransactionOfItsCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	b.inTransaction(t, func(ctx context.Context) {
		f := secrets.Field("row", "")
		sealed, err := b.Seal(ctx, f, []byte("x"))
		assert.NoError(t, err)
		_, err = b.Open(ctx, f, sealed)
		assert.NoError(t, err)
	})
}

func TestStoreOutageIsNotAnUnknownKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	down := errors.New("database down")
	b.store.Fail(down)
	other := b.process(t)
	_, err := other.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, down)
	assert.False(t, errors.Is(err, crypto.ErrUnknownKey), "an outage became an unknown key")
	_, err = other.Seal(t.Context(), f, nil)
	assert.ErrorIs(t, err, down)
	b.store.Fail(nil)
	_, err = other.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
}

func TestSubkeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	seen := make(map[string]string)
	for _, purpose := range []string{"token", "data", "password"} {
		for _, label := range []string{"token-pepper", "guess", "link-sign", "pw-wrap"} {
			kid, key, err := b.ActiveSubkey(t.Context(), purpose, label)
			assert.NoError(t, err)
			assert.Equal(t, len(key), 32)
			assert.Equal(t, seen[string(key)], "")
			seen[string(key)] = purpose + label
			again, err := b.process(t).Subkey(t.Context(), purpose, label, kid)
			assert.NoError(t, err)
			assert.Equal(t, again, key)
			clear(key) // the caller's own copy
			again, err = b.Subkey(t.Context(), purpose, label, kid)
			assert.NoError(t, err)
			assert.Equal(t, seen[string(again)], purpose+label)
		}
	}
}

func TestSubkeyOfAnotherPurposeIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	for _, kid := range []string{
		b.active(t, "data", "").ID, b.active(t, "data", "org-1").ID, "0000000000000000", "", "zz", "ABCDEF0123456789",
	} {
		_, err := b.Subkey(t.Context(), "token", "token-pepper", kid)
		assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	}
	_, err := b.Subkey(t.Context(), "data", "token-pepper", b.active(t, "data", "org-1").ID)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey) // the right purpose, but a tenant's
	token := b.active(t, "token", "").ID
	_, err = b.Subkey(t.Context(), "token", "token-pepper", token)
	assert.NoError(t, err)
	if upper := strings.ToUpper(token); upper != token { // one id in two thousand has no letter
		_, err = b.Subkey(t.Context(), "token", "token-pepper", upper)
		assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	}
	for _, label := range []string{"", string(make([]byte, 257))} {
		_, err = b.Subkey(t.Context(), "token", label, b.active(t, "token", "").ID)
		assert.ErrorIs(t, err, crypto.ErrInvalid)
		_, _, err = b.ActiveSubkey(t.Context(), "token", label)
		assert.ErrorIs(t, err, crypto.ErrInvalid)
	}
}

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	store, kms := cryptotest.NewFake(), cryptotest.NewKMS("memory:a")
	good := func() crypto.Config { return crypto.Config{KMS: kms, Sealed: []crypto.SealedColumn{secrets}} }
	_, err := crypto.New(store, good())
	assert.NoError(t, err)
	for name, spoil := range map[string]func(*crypto.Config){
		"no KMS":                 func(c *crypto.Config) { c.KMS = nil },
		"nil previous KMS":       func(c *crypto.Config) { c.PreviousKMS = []crypto.KMS{nil} },
		"purpose in capitals":    func(c *crypto.Config) { c.Purposes = []string{"data", "DATA"} },
		"tenant purpose unknown": func(c *crypto.Config) { c.TenantPurposes = []string{"vault"} },
		"column twice":           func(c *crypto.Config) { c.Sealed = append(c.Sealed, secrets) },
		"column is SQL":          func(c *crypto.Config) { c.Sealed[0].Column.Column = "a; drop" },
		"id column is SQL":       func(c *crypto.Config) { c.Sealed[0].IDColumn = "id--" },
		"tenant column is SQL":   func(c *crypto.Config) { c.Sealed[0].TenantColumn = "a b" },
		"column's purpose":       func(c *crypto.Config) { c.Sealed[0].Purpose = "vault" },
		"source without a count": func(c *crypto.Config) { c.InUse = []crypto.KIDSource{{Name: "tokens"}} },
		"negative age":           func(c *crypto.Config) { c.Cache.MaxAge = -1 },
		"short grace":            func(c *crypto.Config) { c.DestroyGrace = 1 },
		"negative timeout":       func(c *crypto.Config) { c.KMSTimeout = -1 },
	} {
		cfg := good()
		spoil(&cfg)
		_, err := crypto.New(store, cfg)
		assert.True(t, errors.Is(err, crypto.ErrInvalid), name)
	}
	_, err = crypto.New(nil, good())
	assert.ErrorIs(t, err, crypto.ErrInvalid)
	_, err = crypto.New(onlyKeys{store}, good())
	assert.ErrorIs(t, err, crypto.ErrInvalid)
}

// onlyKeys hides that the store is a SealedStore.
type onlyKeys struct{ crypto.Store }
