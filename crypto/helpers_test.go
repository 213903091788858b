package crypto_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

var secrets = crypto.SealedColumn{
	Column:       crypto.Column{Purpose: crypto.PurposeData, Table: "things", Column: "secret"},
	TenantColumn: "organization_id",
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a keyring with everything around it in the test's hands.
type bench struct {
	*crypto.Keyring
	store *cryptotest.Fake
	kms   *cryptotest.KMS
	clock *clock
	cfg   crypto.Config
}

func newBench(t testing.TB, cfg crypto.Config) *bench {
	t.Helper()
	b := &bench{clock: newClock(), cfg: cfg}
	b.cfg.Now = b.clock.Now
	b.Keyring, b.store, b.kms = cryptotest.NewKeyringWith(t, b.cfg)
	b.cfg.KMS = b.kms
	return b
}

// process returns another keyring over the same store and KMS, with a cache of its own.
func (b *bench) process(t testing.TB) *crypto.Keyring {
	t.Helper()
	return assert.Must(crypto.New(b.store, b.cfg))(t)
}

func (b *bench) seal(t testing.TB, f crypto.Field, plaintext string) []byte {
	t.Helper()
	return assert.Must(b.Seal(t.Context(), f, []byte(plaintext)))(t)
}

func (b *bench) requireOpens(t testing.TB, f crypto.Field, sealed []byte, want string) {
	t.Helper()
	got, err := b.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	assert.Equal(t, string(got), want)
}

func (b *bench) states(t testing.TB) map[crypto.State]int {
	t.Helper()
	out := make(map[crypto.State]int)
	for _, row := range assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{}))(t) {
		out[row.State]++
	}
	return out
}

func (b *bench) active(t testing.TB, purpose, tenant string) crypto.Key {
	t.Helper()
	return assert.Must(b.store.ActiveKey(t.Context(), purpose, tenant))(t)
}

// inTransaction calls fn inside a transaction of the store.
func (b *bench) inTransaction(t testing.TB, fn func(ctx context.Context)) {
	t.Helper()
	assert.NoError(t, b.store.InTx(t.Context(), func(ctx context.Context) error {
		fn(ctx)
		return nil
	}))
}
