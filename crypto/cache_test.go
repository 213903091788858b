package crypto_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

const maxAge = 10 * time.Minute

func TestAHitDoesNoIO(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	b.seal(t, f, "x")
	kid, _, err := b.ActiveSubkey(t.Context(), "token", "token-pepper")
	assert.NoError(t, err)
	calls, before := b.kms.Calls(), b.Stats()
	b.store.Fail(errors.New("no I/O"))
	b.kms.Fail(errors.New("no I/O"))
	for range 10 {
		sealed := b.seal(t, f, "x")
		b.requireOpens(t, f, sealed, "x")
		_, _, err := b.ActiveSubkey(t.Context(), "token", "token-pepper")
		assert.NoError(t, err)
		_, err = b.Subkey(t.Context(), "token", "token-pepper", kid)
		assert.NoError(t, err)
	}
	assert.Equal(t, b.kms.Calls(), calls)
	after := b.Stats()
	assert.Equal(t, after.Hits-before.Hits, int64(40))
	assert.Equal(t, after.Misses, before.Misses)
	assert.Equal(t, after.Cached, 2)
}

func TestKeysAreReadAgainAfterMaxAge(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	b.seal(t, f, "x")
	calls := b.kms.Calls()
	b.clock.add(maxAge * 89 / 100) // jitter takes at most a tenth
	b.seal(t, f, "x")
	assert.Equal(t, b.kms.Calls(), calls)
	b.clock.add(maxAge * 11 / 100)
	b.seal(t, f, "x")
	assert.Equal(t, b.kms.Calls(), calls+1)
}

func TestAClockThatGoesBackIsAMiss(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	b.seal(t, secrets.Field("row", ""), "x")
	calls := b.kms.Calls()
	b.clock.add(-time.Hour)
	b.seal(t, secrets.Field("row", ""), "x")
	assert.Equal(t, b.kms.Calls(), calls+1)
}

// TestKMSOutage follows promise 12 through an outage: opening goes on for a while, sealing fails closed, and recovery
// needs no restart.
func TestKMSOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	b.kms.Fail(crypto.ErrKMSUnavailable)
	b.seal(t, f, "still fresh")

	b.clock.add(maxAge)
	_, err := b.Seal(t.Context(), f, nil)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.Equal(t, problem.KindOf(err), problem.Unavailable)
	b.requireOpens(t, f, sealed, "x")
	assert.True(t, b.Stats().Stale > 0, "a stale key served and was not counted")

	b.clock.add(54 * time.Minute)
	b.requireOpens(t, f, sealed, "x")
	b.clock.add(7 * time.Minute) // past MaxAge and StaleFor
	_, err = b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)

	b.kms.Fail(nil)
	b.clock.add(2 * time.Second)
	b.requireOpens(t, f, sealed, "x")
	b.seal(t, f, "y")
}

func TestNoStaleKeysOnRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{Cache: crypto.CacheConfig{StaleFor: -1}})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	b.kms.Fail(crypto.ErrKMSUnavailable)
	b.clock.add(maxAge + time.Microsecond)
	_, err := b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
}

// TestARefusalIsNoOutage takes the permission of the KMS away: that must act, not be waited out.
func TestARefusalIsNoOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	b.kms.Fail(crypto.ErrKMSRefused)
	b.clock.add(maxAge)
	_, err := b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	b.kms.Fail(crypto.ErrKMSUnavailable)
	b.clock.add(2 * time.Second)
	_, err = b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable) // the refused key is no longer there to serve
}

// TestUnknownFailuresOfAKMS: a deadline is an outage whoever set it; what an adapter cannot name fails closed.
func TestUnknownFailuresOfAKMS(t *testing.T) {
	t.Parallel()
	for failure, want := range map[error]error{
		context.DeadlineExceeded: crypto.ErrKMSUnavailable, errors.New("what is this"): crypto.ErrKeyringMissing,
	} {
		b := newBench(t, crypto.Config{})
		b.kms.Fail(failure)
		_, err := b.Seal(t.Context(), secrets.Field("row", ""), nil)
		assert.ErrorIs(t, err, want)
		assert.ErrorIs(t, err, failure)
	}
}

func TestFailuresAreRememberedShortly(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	other := b.process(t)
	b.kms.Fail(crypto.ErrKMSUnavailable)
	calls := b.kms.Calls()
	for range 20 {
		_, err := other.Open(t.Context(), f, sealed)
		assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	}
	assert.Equal(t, b.kms.Calls(), calls+1)
	b.clock.add(2 * time.Second)
	_, err := other.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	assert.Equal(t, b.kms.Calls(), calls+2)
}

func TestAHungKMSEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{KMSTimeout: time.Millisecond})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	_, release := b.kms.Stall()
	defer release()
	b.clock.add(maxAge)
	_, err := b.Seal(t.Context(), f, nil)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	b.requireOpens(t, f, sealed, "x")
}

// TestOneCallForManyMisses lets 16 callers miss at once: one asks the KMS, the others wait for it.
func TestOneCallForManyMisses(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	other, calls := b.process(t), b.kms.Calls()
	entered, release := b.kms.Stall()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := other.Open(t.Context(), f, sealed)
			assert.NoError(t, err)
		})
	}
	<-entered // the leader is inside; the others may come when they like
	release()
	wg.Wait()
	assert.Equal(t, b.kms.Calls(), calls+1)
	assert.Equal(t, other.Stats().Misses, int64(1))
}

// TestALeaderWhoGivesUpFailsAlone cancels the caller who is asking the KMS while another one waits for the answer.
func TestALeaderWhoGivesUpFailsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	other := b.process(t)
	entered, release := b.kms.Stall()
	leading, cancel := context.WithCancel(t.Context())
	led, followed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := other.Open(leading, f, sealed); led <- err }()
	<-entered
	go func() { _, err := other.Open(t.Context(), f, sealed); followed <- err }()
	cancel()
	assert.ErrorIs(t, <-led, context.Canceled)
	release()
	assert.NoError(t, <-followed)
}

func TestAFollowerMayGiveUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	other := b.process(t)
	entered, release := b.kms.Stall()
	led := make(chan error, 1)
	go func() { _, err := other.Open(t.Context(), f, sealed); led <- err }()
	<-entered
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := other.Open(impatient, f, sealed)
	assert.ErrorIs(t, err, context.Canceled)
	release()
	assert.NoError(t, <-led)
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}, Cache: crypto.CacheConfig{Capacity: 3}})
	sealed := make(map[string][]byte)
	tenants := []string{"org-1", "org-2", "org-3", "org-4", "org-5"}
	for _, tenant := range tenants {
		assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", tenant))
		sealed[tenant] = b.seal(t, secrets.Field("row", tenant), tenant)
	}
	assert.Equal(t, b.Stats().Cached, 3)
	assert.Equal(t, b.Stats().Evictions, int64(2))
	misses := b.Stats().Misses
	b.requireOpens(t, secrets.Field("row", "org-5"), sealed["org-5"], "org-5")
	assert.Equal(t, b.Stats().Misses, misses)
	for _, tenant := range tenants {
		b.requireOpens(t, secrets.Field("row", tenant), sealed[tenant], tenant)
	}
	assert.Equal(t, b.Stats().Cached, 3)
	assert.NoError(t, b.Maintain(t.Context()))
	for _, tenant := range tenants { // what left the cache did not take its count along
		assert.Equal(t, b.active(t, "data", tenant).Seals, int64(1))
	}
}

// TestCacheRace uses keys while they are evicted, renewed, forgotten and zeroed. It is for the race detector.
func TestCacheRace(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}, Cache: crypto.CacheConfig{Capacity: 2}})
	tenants := []string{"org-1", "org-2", "org-3"}
	for _, tenant := range tenants {
		assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", tenant))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				tenant := tenants[(i+n)%len(tenants)]
				f := secrets.Field("row", tenant)
				sealed, err := b.Seal(t.Context(), f, []byte(tenant))
				assert.NoError(t, err)
				got, err := b.Open(t.Context(), f, sealed)
				assert.NoError(t, err)
				assert.Equal(t, string(got), tenant)
				_, _, err = b.ActiveSubkey(t.Context(), "token", tenant)
				assert.NoError(t, err)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			_, err := b.RotateDEK(t.Context(), "data", "org-1")
			assert.NoError(t, err)
			assert.NoError(t, b.Maintain(t.Context()))
			b.clock.add(maxAge / 3)
			b.Stats()
		}
	})
	wg.Wait()
}

func TestMaintainCountsSeals(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{RotateAfterSeals: 5})
	f := secrets.Field("row", "")
	for range 4 {
		b.seal(t, f, "x")
	}
	b.store.Fail(problem.ErrUnavailable)
	assert.ErrorIs(t, b.Maintain(t.Context()), problem.ErrUnavailable)
	b.store.Fail(nil)
	assert.NoError(t, b.Maintain(t.Context()))
	assert.NoError(t, b.Maintain(t.Context()))
	assert.Equal(t, b.active(t, "data", "").Seals, int64(4))
	assert.Equal(t, due(t, b), map[string]string{"data": "", "token": "", "password": ""})
	b.seal(t, f, "x") // not written yet, and counted all the same
	assert.Equal(t, due(t, b), map[string]string{"data": "seals", "token": "", "password": ""})
	b.clock.add(365 * 24 * time.Hour)
	assert.Equal(t, due(t, b), map[string]string{"data": "seals", "token": "age", "password": "age"})
}

func due(t *testing.T, b *bench) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, s := range assert.Must(b.Status(t.Context()))(t) {
		out[s.Purpose] = s.RotationDue
	}
	return out
}

// TestMaintainRenewsBeforeExpiry keeps requests from waiting for the KMS inside their transactions.
func TestMaintainRenewsBeforeExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	b.seal(t, f, "x")
	b.seal(t, f, "x")
	b.clock.add(maxAge * 85 / 100)
	assert.NoError(t, b.Maintain(t.Context()))
	calls := b.kms.Calls()
	b.clock.add(maxAge * 85 / 100)
	b.seal(t, f, "x")
	assert.Equal(t, b.kms.Calls(), calls)
	assert.NoError(t, b.Maintain(t.Context()))
	b.clock.add(maxAge + time.Hour + time.Second)
	assert.NoError(t, b.Maintain(t.Context()))
	assert.Equal(t, b.Stats().Cached, 0)
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, b.Run(ctx))
}
