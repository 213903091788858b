package jwtbun_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
)

const day = 24 * time.Hour

func schemas() []bundb.Schema { return []bundb.Schema{cryptobun.Schema(), jwtbun.Schema()} }

// process is what one process has on a database: a keyring and a service.
type process struct {
	*jwt.Service
	db      *bundb.DB
	keyring *crypto.Keyring
}

func newProcess(t testing.TB, db *bundb.DB, kms crypto.KMS, change ...func(*jwt.Config)) process {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	keyring := assert.Must(crypto.New(cryptobun.New(db), crypto.Config{KMS: kms, Sealed: jwtbun.Sealed(), Now: db.Now, Logger: quiet}))(t)
	assert.NoError(t, keyring.Init(t.Context()))
	cfg := jwt.Config{Sealer: keyring, Issuer: "https://example.com", Audience: "https://example.com", Now: db.Now, Logger: quiet}
	for _, f := range change {
		f(&cfg)
	}
	return process{Service: assert.Must(jwt.New(jwtbun.New(db), cfg))(t), db: db, keyring: keyring}
}

func each(t *testing.T, fn func(t *testing.T, p process, kms crypto.KMS)) {
	t.Helper()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		kms := cryptotest.NewKMS("test:")
		fn(t, newProcess(t, db, kms), kms)
	})
}

func claims() jwt.Claims { return jwt.Claims{Subject: "user-1", SessionID: "session-1", Epoch: 3} }

func (p process) mint(t testing.TB) string {
	t.Helper()
	return assert.Must(p.Mint(t.Context(), claims()))(t).Reveal()
}

func (p process) count(t testing.TB, where string) (n int) {
	t.Helper()
	ctx := bundbtest.Outside(t.Context())
	assert.NoError(t, p.db.Statement("SELECT count(*) FROM tenon_jwt_keys WHERE "+where).QueryRow(ctx).Scan(&n))
	return n
}

func (p process) signing(t testing.TB) (id string) {
	t.Helper()
	assert.NoError(t, p.db.Statement("SELECT id FROM tenon_jwt_keys WHERE state = 'signing'").QueryRow(t.Context()).Scan(&id))
	return id
}

func TestRotationOverlapsOnTheDatabase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, kms crypto.KMS) {
		clock, elsewhere := bundbtest.ClockOf(p.db), newProcess(t, bundbtest.Reopen(t, p.db), kms)
		signers := map[string]bool{}
		for range 95 * 4 { // days of four maintenances
			raw := elsewhere.mint(t)
			assert.NoError(t, p.Maintain(t.Context()))
			for _, each := range []process{p, elsewhere} {
				_, err := each.Verify(t.Context(), raw)
				assert.NoError(t, err)
			}
			clock.Advance(time.Minute)
			signers[p.signing(t)] = true
			assert.Equal(t, p.count(t, "state = 'signing'"), 1)
			assert.True(t, p.count(t, "1 = 1") <= 3, "old keys are deleted")
			clock.Advance(6*time.Hour - time.Minute)
		}
		assert.Equal(t, len(signers), 4)
	})
}

// 16 processes do the same at the same moment.
func race(t *testing.T, processes []process, fn func(ctx context.Context, p process) error) {
	t.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	for i, p := range processes {
		group.Go(func() {
			<-start
			if err := fn(bundbtest.Flow(t.Context()), p); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	close(start)
	group.Wait()
}

func TestOf16ProcessesOneMakesEachKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, kms crypto.KMS) {
		processes := []process{p}
		for range 15 {
			processes = append(processes, newProcess(t, bundbtest.Reopen(t, p.db), kms))
		}
		clock := bundbtest.ClockOf(p.db)
		var mu sync.Mutex
		var tokens []string
		mintAll := func(ctx context.Context, p process) error {
			secret, err := p.Mint(ctx, claims())
			mu.Lock()
			defer mu.Unlock()
			tokens = append(tokens, secret.Reveal())
			return err
		}
		verifyAll := func() {
			for _, raw := range tokens {
				for _, p := range processes {
					_, err := p.Verify(t.Context(), raw)
					assert.NoError(t, err)
				}
			}
			tokens = nil
		}
		race(t, processes, mintAll) // nobody called Init: the first use makes the key
		assert.Equal(t, p.count(t, "1 = 1"), 1)
		verifyAll()
		maintain := func(ctx context.Context, p process) error { return p.Maintain(ctx) }
		for range 3 {
			old := p.signing(t)
			clock.Advance(29 * day)
			race(t, processes, maintain)
			assert.Equal(t, p.count(t, "state = 'published'"), 1)
			assert.Equal(t, p.signing(t), old)
			clock.Advance(day)
			race(t, processes, maintain)
			assert.NotEqual(t, p.signing(t), old)
			assert.Equal(t, p.count(t, "state = 'published'"), 0)
			assert.Equal(t, p.count(t, "state = 'retired'"), 1)
			race(t, processes, mintAll)
			verifyAll()
			clock.Advance(2 * time.Hour)
			race(t, processes, maintain)
			assert.Equal(t, p.count(t, "1 = 1"), 1)
		}
	})
}

// Revoking, minting, maintaining and verifying at once: nothing deadlocks, and one key signs.
func TestRevocationAmongEverythingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, kms crypto.KMS) {
		processes := []process{p}
		for range 7 {
			processes = append(processes, newProcess(t, bundbtest.Reopen(t, p.db), kms))
		}
		assert.NoError(t, p.Init(t.Context()))
		for range 5 {
			bundbtest.ClockOf(p.db).Advance(29 * day)
			doomed := p.signing(t)
			race(t, processes, func(ctx context.Context, p process) error {
				if err := p.Revoke(ctx, doomed); err != nil && problem.KindOf(err) != problem.NotFound {
					return err
				}
				if err := p.Maintain(ctx); err != nil {
					return err
				}
				_, err := p.Mint(ctx, claims())
				return err
			})
			assert.Equal(t, p.count(t, "state = 'signing'"), 1)
			assert.NotEqual(t, p.signing(t), doomed)
		}
	})
}

func TestPromise3_NoPrivateKeyIsReadableAtRest(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		seed := []byte("0123456789abcdefghijklmnopqrstuv")
		p := newProcess(t, db, cryptotest.NewKMS("test:"), func(cfg *jwt.Config) { cfg.Rand = strings.NewReader(string(seed) + strings.Repeat("x", 16)) })
		raw := p.mint(t)
		dump := string(bundbtest.Dump(t, db))
		assert.Contains(t, dump, p.signing(t))
		for _, spelling := range []string{
			string(seed), hex.EncodeToString(seed), base64.RawURLEncoding.EncodeToString(seed), base64.StdEncoding.EncodeToString(seed), raw,
		} {
			assert.NotContains(t, dump, spelling)
			assert.NotContains(t, strings.ToLower(dump), strings.ToLower(spelling))
		}
	})
}

// R28: the rotation of data keys takes the private keys along, and does not destroy what they need.
func TestR28_ReencryptionCoversPrivateKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, kms crypto.KMS) {
		raw := p.mint(t)
		old, _, err := p.keyring.ActiveSubkey(t.Context(), crypto.PurposeData, "test")
		assert.NoError(t, err)
		assert.Must(p.keyring.RotateDEK(t.Context(), crypto.PurposeData, ""))(t)
		bundbtest.ClockOf(p.db).Advance(2 * time.Hour)
		_, err = p.keyring.DestroyKey(t.Context(), old, false)
		assert.ErrorIs(t, err, crypto.ErrKeyInUse)
		report, err := p.keyring.Reencrypt(t.Context(), crypto.ReencryptOptions{})
		assert.NoError(t, err)
		assert.Equal(t, report.Changed, 1)
		assert.Must(p.keyring.DestroyKey(t.Context(), old, false))(t)
		again := newProcess(t, bundbtest.Reopen(t, p.db), kms)
		bundbtest.ClockOf(p.db).Advance(-2 * time.Hour)
		_, err = again.Verify(t.Context(), raw)
		assert.NoError(t, err)
		assert.NotEqual(t, again.mint(t), raw)
	})
}

func TestEachStepIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, _ crypto.KMS) {
		clock := bundbtest.ClockOf(p.db)
		bundbtest.RequireAtomic(t, p.db, p.Init)
		clock.Advance(29 * day)
		store := jwtbun.New(p.db)
		bundbtest.RequireAtomic(t, p.db, func(ctx context.Context) error {
			_, err := store.AddKey(ctx, jwt.Key{ID: "next", State: jwt.StatePublished, Sealed: []byte("x"), PublishedAt: clock.Now()})
			return err
		})
		clock.Advance(day)
		old := p.signing(t)
		promotion := jwt.Promotion{Sign: "next", PublishedBy: clock.Now(), Retire: old, SigningBy: clock.Now(), At: clock.Now()}
		bundbtest.RequireAtomic(t, p.db, func(ctx context.Context) error {
			_, err := store.PromoteKey(ctx, promotion)
			return err
		})
		assert.NotEqual(t, p.signing(t), old)
	})
}

func TestAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, kms crypto.KMS) {
		raw := p.mint(t)
		broken := newProcess(t, p.db, kms)
		assert.NoError(t, p.db.Close())
		for name, s := range map[string]process{"cold": broken, "warm, and past its bound": p} {
			bundbtest.ClockOf(p.db).Advance(30 * time.Second)
			_, err := s.Verify(t.Context(), raw)
			t.Log(name, err)
			assert.ErrorIs(t, err, problem.ErrUnavailable)
			_, err = s.Mint(t.Context(), claims())
			assert.ErrorIs(t, err, problem.ErrUnavailable)
			assert.ErrorIs(t, s.Maintain(t.Context()), problem.ErrUnavailable)
			assert.ErrorIs(t, s.Revoke(t.Context(), "x"), problem.ErrUnavailable)
		}
	})
}

func TestR32_NoStatementAsksTheDatabaseForTheTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p process, _ crypto.KMS) {
		clock := bundbtest.ClockOf(p.db)
		queries := bundbtest.FaultsOf(p.db).Record(func() {
			for range 3 {
				_, err := p.Verify(t.Context(), p.mint(t))
				assert.NoError(t, err)
				assert.NoError(t, p.Maintain(t.Context()))
				clock.Advance(29 * day)
			}
			assert.NoError(t, p.Revoke(t.Context(), p.signing(t)))
		})
		assert.True(t, len(queries) >= 10, "the statements were recorded")
		for _, query := range queries {
			for _, forbidden := range []string{"now(", "current_timestamp", "strftime", "datetime("} {
				assert.NotContains(t, strings.ToLower(query), forbidden)
			}
		}
	})
}
