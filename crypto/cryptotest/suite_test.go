package cryptotest_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestFake(t *testing.T) {
	t.Parallel()
	cryptotest.TestStore(t, func(*testing.T) cryptotest.Env {
		f := cryptotest.NewFake()
		return cryptotest.Env{Store: f, InTx: f.InTx, Break: func() { f.Fail(problem.ErrUnavailable) }}
	})
}

func TestFakeSealed(t *testing.T) {
	t.Parallel()
	cryptotest.TestSealedStore(t, func(t *testing.T) cryptotest.SealedEnv {
		f := cryptotest.NewFake()
		column := crypto.SealedColumn{
			Column:       crypto.Column{Purpose: crypto.PurposeData, Table: "things", Column: "secret"},
			TenantColumn: "organization_id",
		}
		return cryptotest.SealedEnv{
			Store: f, Column: column, InTx: f.InTx, Break: func() { f.Fail(problem.ErrUnavailable) },
			Put: func(_ context.Context, row crypto.SealedRow) error {
				f.PutSealed(t, column, row)
				return nil
			},
		}
	})
}

func TestMemoryKMS(t *testing.T) {
	t.Parallel()
	cryptotest.TestKMS(t, func(*testing.T) cryptotest.KMSEnv {
		kms := cryptotest.NewKMS("memory:a")
		return cryptotest.KMSEnv{
			KMS: kms, Other: cryptotest.NewKMS("memory:b"), Rotate: kms.Rotate,
			Break: func() { kms.Fail(crypto.ErrKMSUnavailable) },
		}
	})
}

func TestNewKeyringsShareNothing(t *testing.T) {
	t.Parallel()
	field := crypto.Column{Purpose: crypto.PurposeData, Table: "things", Column: "secret"}.Field("1", "")
	sealed, err := cryptotest.NewKeyring(t).Seal(t.Context(), field, []byte("secret"))
	assert.NoError(t, err)
	_, err = cryptotest.NewKeyring(t).Open(t.Context(), field, sealed)
	assert.ErrorIs(t, err, crypto.ErrUnknownKey)
}
