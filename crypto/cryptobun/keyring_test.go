package cryptobun_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, schemas(t)[0])
}

// keyring returns a keyring over db, as one process has it.
func keyring(t testing.TB, db *bundb.DB, kms crypto.KMS) *crypto.Keyring {
	t.Helper()
	return assert.Must(crypto.New(cryptobun.New(db), crypto.Config{
		KMS: kms, Now: db.Now, Sealed: []crypto.SealedColumn{things}, TenantPurposes: []string{crypto.PurposePassword},
	}))(t)
}

func keys(t testing.TB, db *bundb.DB) []crypto.Key {
	t.Helper()
	return assert.Must(cryptobun.New(db).ListKeys(t.Context(), crypto.KeyFilter{}))(t)
}

// TestInitRace starts 16 processes on two pools, holds each back after its first look at the empty table, and lets them
// go together.
func TestInitRace(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("memory:a")
		pools := []*bundb.DB{bundbtest.Reopen(t, db), bundbtest.Reopen(t, db)}
		var barriers []*bundbtest.Barrier
		sealed := make(chan []byte, 16)
		var wg sync.WaitGroup
		for _, pool := range pools {
			barriers = append(barriers, bundbtest.FaultsOf(pool).StallOn("tenon_keys", 8))
			for range 8 {
				k := keyring(t, pool, kms)
				wg.Go(func() {
					assert.NoError(t, k.Init(t.Context()))
					value, err := k.Seal(t.Context(), things.Field("1", ""), []byte("x"))
					assert.NoError(t, err)
					sealed <- value
				})
			}
		}
		for _, b := range barriers {
			b.Wait(t)
		}
		for _, b := range barriers {
			b.Release()
		}
		wg.Wait()
		close(sealed)
		assert.Len(t, keys(t, db), 3)
		k := keyring(t, db, kms)
		for value := range sealed {
			_, err := k.Open(t.Context(), things.Field("1", ""), value)
			assert.NoError(t, err)
		}
	})
}

func TestInitIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("memory:a")
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error { return keyring(t, db, kms).Init(ctx) })
		assert.Len(t, keys(t, db), 3)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			return keyring(t, db, kms).EnsureTenantKey(ctx, crypto.PurposePassword, "org-1")
		})
	})
}

// TestLostAnswers lets the commit of a change succeed and its answer get lost. Whatever the caller is told, the key table
// stays one that works.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("memory:a")
		k := keyring(t, db, kms)
		bundbtest.FaultsOf(db).LoseCommit()
		assert.Error(t, k.Init(t.Context()))
		assert.NoError(t, k.Init(t.Context()))
		sealed, err := k.Seal(t.Context(), things.Field("1", ""), []byte("x"))
		assert.NoError(t, err)
		for range 3 {
			bundbtest.FaultsOf(db).LoseCommit()
			_, err := k.RotateDEK(t.Context(), crypto.PurposeData, "")
			assert.Error(t, err)
			assert.NoError(t, k.Check(t.Context()))
		}
		_, err = k.RotateDEK(t.Context(), crypto.PurposeData, "")
		assert.NoError(t, err)
		got, err := keyring(t, db, kms).Open(t.Context(), things.Field("1", ""), sealed)
		assert.NoError(t, err)
		assert.Equal(t, string(got), "x")
	})
}

func TestEveryFailureOfARotationLeavesAWorkingTable(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		k := keyring(t, db, cryptotest.NewKMS("memory:a"))
		assert.NoError(t, k.Init(t.Context()))
		for step := 1; ; step++ {
			bundbtest.FaultsOf(db).FailAt(step)
			_, err := k.RotateDEK(t.Context(), crypto.PurposeData, "")
			bundbtest.FaultsOf(db).Disarm()
			assert.NoError(t, k.Check(t.Context()))
			sealed, sealErr := k.Seal(t.Context(), things.Field("1", ""), nil)
			assert.NoError(t, sealErr)
			_, openErr := k.Open(t.Context(), things.Field("1", ""), sealed)
			assert.NoError(t, openErr)
			if err == nil {
				assert.True(t, step > 3, "there was nothing to fail")
				return
			}
		}
	})
}

// TestR28_InitWritesNothingWithoutItsKEK looks at every byte of the database.
func TestR28_InitWritesNothingWithoutItsKEK(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, keyring(t, db, cryptotest.NewKMS("memory:a")).Init(t.Context()))
		before := bundbtest.Dump(t, db)
		err := keyring(t, db, cryptotest.NewKMS("memory:b")).Init(t.Context())
		assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
		assert.Equal(t, bundbtest.Dump(t, db), before)
	})
}

// TestP3_NoSecretAtRest seals a value, and looks for it and for what was derived from keys in all the database holds.
func TestP3_NoSecretAtRest(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		path := filepath.Join(t.TempDir(), "tenon.keys")
		kms := assert.Must(crypto.DevelopmentKMS(t.Context(), cryptobun.New(db), path))(t)
		k := keyring(t, db, kms)
		assert.NoError(t, k.Init(t.Context()))
		createThings(t, db)
		secret := []byte("JBSWY3DPEHPK3PXP is a secret")
		sealed, err := k.Seal(t.Context(), things.Field("1", ""), secret)
		assert.NoError(t, err)
		assert.NoError(t, putThing(t.Context(), db, crypto.SealedRow{ID: "1", Value: sealed}))
		kid, pepper, err := k.ActiveSubkey(t.Context(), crypto.PurposeToken, "token-pepper")
		assert.NoError(t, err)
		dump := bundbtest.Dump(t, db)
		assert.True(t, bytes.Contains(dump, []byte(kid)), "the dump is not of this database")
		for _, hidden := range [][]byte{secret, pepper} {
			for _, form := range []string{
				string(hidden), hex.EncodeToString(hidden), base64.StdEncoding.EncodeToString(hidden),
				base64.RawURLEncoding.EncodeToString(hidden),
			} {
				assert.False(t, bytes.Contains(dump, []byte(form)), "a secret at rest")
			}
		}
	})
}

// TestCallsStayInTheTransactionOfTheirCaller misses the cache inside a transaction: the key is read through it.
func TestCallsStayInTheTransactionOfTheirCaller(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("memory:a")
		assert.NoError(t, keyring(t, db, kms).Init(t.Context()))
		k := keyring(t, db, kms)
		err := db.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			sealed, err := k.Seal(ctx, things.Field("1", ""), []byte("x"))
			if err != nil {
				return err
			}
			assert.ErrorIs(t, k.Init(ctx), crypto.ErrInTransaction)
			_, err = k.Open(ctx, things.Field("1", ""), sealed)
			return err
		})
		assert.NoError(t, err)
		queries := bundbtest.FaultsOf(db).Record(func() {
			_, err := k.Seal(t.Context(), things.Field("1", ""), []byte("x"))
			assert.NoError(t, err)
		})
		assert.Len(t, queries, 0)
	})
}

// TestABrokenTransactionHarmsOnlyItself fails the lookup of a key inside one transaction; the next caller finds the key.
func TestABrokenTransactionHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("memory:a")
		assert.NoError(t, keyring(t, db, kms).Init(t.Context()))
		k := keyring(t, db, kms)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			bundbtest.FaultsOf(db).FailOn("tenon_keys")
			_, err := k.Seal(ctx, things.Field("1", ""), nil)
			return err
		})
		assert.Error(t, err)
		assert.False(t, errors.Is(err, crypto.ErrNoActiveKey), "an outage became a missing key")
		_, err = k.Seal(t.Context(), things.Field("1", ""), nil)
		assert.NoError(t, err)
		_, err = keyring(t, bundbtest.Broken(t, db), kms).Seal(t.Context(), things.Field("1", ""), nil)
		assert.ErrorIs(t, err, problem.ErrUnavailable)
	})
}

// TestReencryptRace runs the job twice at the same time, while rows are being written.
func TestReencryptRace(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(t), func(t *testing.T, db *bundb.DB) {
		const rows = 60
		kms := cryptotest.NewKMS("memory:a")
		k := keyring(t, db, kms)
		assert.NoError(t, k.Init(t.Context()))
		createThings(t, db)
		id := func(i int) string { return fmt.Sprintf("row-%02d", i) }
		seal := func(i int, text string) []byte {
			sealed, err := k.Seal(t.Context(), things.Field(id(i), "org-1"), []byte(text))
			assert.NoError(t, err)
			return sealed
		}
		for i := range rows {
			row := crypto.SealedRow{ID: id(i), Tenant: "org-1", Value: seal(i, "old")}
			assert.NoError(t, putThing(t.Context(), db, row))
		}
		kid, err := k.RotateDEK(t.Context(), crypto.PurposeData, "")
		assert.NoError(t, err)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := keyring(t, db, kms).Reencrypt(t.Context(), crypto.ReencryptOptions{Batch: 7})
				assert.NoError(t, err)
			})
		}
		wg.Go(func() {
			update := db.Statement(`UPDATE "Things" SET "order" = ? WHERE "user" = ?`)
			for i := 0; i < rows; i += 5 {
				_, err := update.Exec(t.Context(), seal(i, "new"), id(i))
				assert.NoError(t, err)
			}
		})
		wg.Wait()
		counts := assert.Must(cryptobun.New(db).CountSealed(t.Context(), things, "org-1"))(t)
		assert.Equal(t, counts, map[string]int64{kid: rows})
		all := assert.Must(cryptobun.New(db).ListSealed(t.Context(), things, crypto.SealedQuery{Limit: rows}))(t)
		for i, row := range all {
			got, err := k.Open(t.Context(), things.Field(row.ID, row.Tenant), row.Value)
			assert.NoError(t, err)
			assert.Equal(t, string(got), map[bool]string{true: "new", false: "old"}[i%5 == 0])
		}
	})
}
