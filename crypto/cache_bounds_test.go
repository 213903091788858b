package crypto_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A key that was loaded again by its id, after another process had retired it, is still the last one known as active.
func TestARetiredKeySealsNothingAfterMaxAge(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	other := b.process(t)
	sealed, err := other.Seal(t.Context(), f, nil)
	assert.NoError(t, err)
	kid, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	b.clock.add(maxAge)
	_, err = other.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	sealed, err = other.Seal(t.Context(), f, nil)
	assert.NoError(t, err)
	assert.Equal(t, assert.Must(crypto.KeyIDOf(sealed))(t), kid)
}

// The key was read before it was destroyed and would serve for another MaxAge.
func TestAKeyThatChangesWhileItLoadsIsNotKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	f := secrets.Field("row", "org-1")
	sealed := b.seal(t, f, "x")
	k := b.process(t)
	entered, release := b.kms.Stall()
	opened := make(chan error, 1)
	go func() { _, err := k.Open(t.Context(), f, sealed); opened <- err }()
	<-entered
	_, err := k.DestroyTenant(t.Context(), "org-1")
	assert.NoError(t, err)
	release()
	assert.NoError(t, <-opened)
	_, err = k.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
}

func TestNoStaleKeysWhenTheClockWentBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	b.clock.add(-time.Minute)
	b.kms.Fail(crypto.ErrKMSUnavailable)
	_, err := b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
}

func TestSealsAreCountedAcrossReloads(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	for range 3 {
		b.seal(t, secrets.Field("row", ""), "x")
		b.clock.add(maxAge)
	}
	assert.NoError(t, b.Maintain(t.Context()))
	assert.Equal(t, b.active(t, "data", "").Seals, int64(3))
}

func TestMaintainLetsUnusedKeysGrowOld(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	b.seal(t, secrets.Field("row", ""), "x")
	calls := b.kms.Calls()
	b.clock.add(maxAge * 85 / 100)
	assert.NoError(t, b.Maintain(t.Context()))
	assert.Equal(t, b.kms.Calls(), calls)
}

func TestKeysThatLeaveTheCacheAreZeroed(t *testing.T) {
	t.Parallel()
	ways := map[string]func(t *testing.T, b *bench){
		"replaced": func(t *testing.T, b *bench) {
			t.Helper()
			b.clock.add(maxAge)
			b.seal(t, secrets.Field("row", ""), "x")
		},
		"rotated": func(t *testing.T, b *bench) {
			t.Helper()
			_, err := b.RotateDEK(t.Context(), "data", "")
			assert.NoError(t, err)
		},
		"grown old": func(t *testing.T, b *bench) {
			t.Helper()
			b.clock.add(maxAge + time.Hour + time.Second)
			assert.NoError(t, b.Maintain(t.Context()))
		},
	}
	for _, leave := range ways {
		b := newBench(t, crypto.Config{})
		b.seal(t, secrets.Field("row", ""), "x")
		held, _, _ := crypto.Held(b.Keyring)
		assert.Len(t, held, 1)
		assert.NotEqual(t, *held[0], [32]byte{})
		leave(t, b)
		assert.Equal(t, *held[0], [32]byte{})
	}
}

// A destroyed key leaves when that is noticed, not when it has grown old.
func TestAKeyDestroyedElsewhereLeavesTheCache(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	f := secrets.Field("row", "org-1")
	sealed := b.seal(t, f, "x")
	_, err := b.process(t).DestroyTenant(t.Context(), "org-1")
	assert.NoError(t, err)
	b.clock.add(maxAge)
	_, err = b.Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyDestroyed)
	assert.Equal(t, b.Stats().Cached, 0)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{Cache: crypto.CacheConfig{Capacity: 4}})
	f := secrets.Field("row", "")
	forged := b.seal(t, f, "x")
	first := forged[2]
	for i := range 100 {
		_, _, err := b.ActiveSubkey(t.Context(), "data", "label-"+strconv.Itoa(i))
		assert.NoError(t, err)
		forged[2] = first ^ byte(i+1)
		_, err = b.Open(t.Context(), f, forged)
		assert.ErrorIs(t, err, crypto.ErrUnknownKey)
	}
	_, subkeys, misses := crypto.Held(b.Keyring)
	assert.Equal(t, subkeys, 64)
	assert.True(t, misses <= 4, "every forged key id is remembered")
}

// hooked is a store whose reading of active keys goes through a function.
type hooked struct {
	*cryptotest.Fake
	active func(ctx context.Context, key crypto.Key, err error) (crypto.Key, error)
}

func (h hooked) ActiveKey(ctx context.Context, purpose, tenant string) (crypto.Key, error) {
	key, err := h.Fake.ActiveKey(ctx, purpose, tenant)
	return h.active(ctx, key, err)
}

func (b *bench) hooked(t testing.TB, active func(context.Context, crypto.Key, error) (crypto.Key, error)) *crypto.Keyring {
	t.Helper()
	return assert.Must(crypto.New(hooked{b.store, active}, b.cfg))(t)
}

func TestTheAgeOfAKeyCountsFromBeforeItWasRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	k := b.hooked(t, func(_ context.Context, key crypto.Key, err error) (crypto.Key, error) {
		b.clock.add(maxAge / 2) // a slow answer
		return key, err
	})
	_, err := k.Seal(t.Context(), secrets.Field("row", ""), nil)
	assert.NoError(t, err)
	calls := b.kms.Calls()
	b.clock.add(maxAge / 2)
	_, err = k.Seal(t.Context(), secrets.Field("row", ""), nil)
	assert.NoError(t, err)
	assert.Equal(t, b.kms.Calls(), calls+1)
}

func TestAStoreThatAnswersForAnotherSlotIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	token := b.active(t, "token", "")
	k := b.hooked(t, func(context.Context, crypto.Key, error) (crypto.Key, error) { return token, nil })
	_, err := k.Seal(t.Context(), secrets.Field("row", ""), nil)
	assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
}

// watched is a ctx that tells when somebody waits for its end.
type watched struct {
	context.Context //nolint:containedctx // it is a context that tells who waits
	once            *sync.Once
	waiting         chan struct{}
}

func newWatched(ctx context.Context) watched {
	return watched{ctx, new(sync.Once), make(chan struct{})}
}

func (w watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waiting) })
	return w.Context.Done()
}

// A leader's own failure is not that of those who wait: the end of its ctx, a transaction that is broken.
func TestAFollowerTriesItselfWhereTheLeaderFailedAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	ways := map[string]func(lead func(ctx context.Context, giveUp func())){
		"its ctx ended": func(lead func(context.Context, func())) { lead(context.WithCancel(t.Context())) },
		"its transaction is over": func(lead func(context.Context, func())) {
			b.inTransaction(t, func(ctx context.Context) { lead(ctx, func() {}) })
		},
	}
	for _, way := range ways {
		broken, stalled := errors.New("mine alone"), make(chan struct{})
		release := make(chan struct{})
		var first sync.Once
		k := b.hooked(t, func(_ context.Context, key crypto.Key, err error) (crypto.Key, error) {
			first.Do(func() {
				close(stalled)
				<-release
				err = broken
			})
			return key, err
		})
		followed := make(chan error, 1)
		way(func(ctx context.Context, giveUp func()) {
			led := make(chan error, 1)
			go func() { _, err := k.Seal(ctx, secrets.Field("row", ""), nil); led <- err }()
			<-stalled
			following := newWatched(t.Context())
			go func() { _, err := k.Seal(following, secrets.Field("row", ""), nil); followed <- err }()
			<-following.waiting
			giveUp()
			close(release)
			assert.ErrorIs(t, <-led, broken)
		})
		assert.NoError(t, <-followed)
	}
}

// The flight would wait for its leader for ever, and everybody for the flight.
func TestAPanicWhileAKeyLoadsHarmsOnlyItsCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	var first sync.Once
	k := b.hooked(t, func(_ context.Context, key crypto.Key, err error) (crypto.Key, error) {
		first.Do(func() { panic("a store of the host") })
		return key, err
	})
	func() {
		defer func() { assert.Equal(t, recover(), any("a store of the host")) }()
		_, _ = k.Seal(t.Context(), secrets.Field("row", ""), nil)
	}()
	_, err := k.Seal(t.Context(), secrets.Field("row", ""), nil)
	assert.NoError(t, err)
}

// forgetful is a store whose answers to changes get lost.
type forgetful struct{ *cryptotest.Fake }

func (s forgetful) ChangeStates(ctx context.Context, changes ...crypto.StateChange) error {
	return errors.Join(s.Fake.ChangeStates(ctx, changes...), errors.New("connection lost"))
}

func TestARotationWhoseAnswerIsLostCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	k := assert.Must(crypto.New(forgetful{b.store}, b.cfg))(t)
	f := secrets.Field("row", "")
	_, err := k.Seal(t.Context(), f, nil)
	assert.NoError(t, err)
	_, err = k.RotateDEK(t.Context(), "data", "")
	assert.Error(t, err)
	sealed, err := k.Seal(t.Context(), f, nil)
	assert.NoError(t, err)
	assert.Equal(t, assert.Must(crypto.KeyIDOf(sealed))(t), b.active(t, "data", "").ID)
}
