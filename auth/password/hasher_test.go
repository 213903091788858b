package password

import (
	"context"
	"crypto/fips140"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func newHasher(t testing.TB, cfg Config) *Hasher {
	t.Helper()
	h, err := New(cfg)
	assert.NoError(t, err)
	return h
}

func TestAPanicInsideAHashGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{Slots: 1})
	derive := h.derive
	h.derive = func(params, string, []byte, int) ([]byte, error) { panic("inside") }
	func() {
		defer func() { assert.Equal(t, recover(), any("inside")) }()
		_, _ = h.Hash(t.Context(), "correct horse")
	}()
	assert.Equal(t, h.Stats().InUse, 0)
	h.derive = derive
	_, err := h.Hash(t.Context(), "correct horse")
	assert.NoError(t, err)
}

func TestHashVerifiesAndIsSalted(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{Argon2id, PBKDF2SHA256} {
		h := newHasher(t, Config{Algorithm: algorithm})
		first, err := h.Hash(t.Context(), "correct horse")
		assert.NoError(t, err)
		second, err := h.Hash(t.Context(), "correct horse")
		assert.NoError(t, err)
		assert.NotEqual(t, first, second)
		assert.True(t, strings.HasPrefix(first, "$"+algorithm+"$"), first)
		match, rehash, err := h.Verify(t.Context(), first, "correct horse")
		assert.NoError(t, err)
		assert.True(t, match, "the right password")
		assert.False(t, rehash, "needs a rehash at once")
		match, _, err = h.Verify(t.Context(), first, "correct horsf")
		assert.NoError(t, err)
		assert.False(t, match, "a wrong password")
	}
}

func TestTheDefaultIsPBKDF2WhereFIPS140IsEnforced(t *testing.T) {
	t.Parallel()
	want := params{algorithm: Argon2id, memory: 19456, time: 2, threads: 1}
	if fips140.Enforced() {
		want = params{algorithm: PBKDF2SHA256, iterations: 600_000}
	}
	assert.Equal(t, newHasher(t, Config{}).policy, want)
}

func TestASVS628NothingIsCutOffNorChanged(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{})
	secret := strings.Repeat("a", 100)
	phc, err := h.Hash(t.Context(), secret)
	assert.NoError(t, err)
	for name, other := range map[string]string{
		"differs at byte 73": secret[:72] + "b" + secret[73:],
		"differs at the end": secret[:99] + "b",
		"one shorter":        secret[:99],
		"one longer":         secret + "a",
		"upper case":         strings.ToUpper(secret),
		"trailing space":     secret + " ",
	} {
		match, _, err := h.Verify(t.Context(), phc, other)
		assert.NoError(t, err)
		assert.False(t, match, name)
	}
}

func TestASVS629AHundredCharactersWork(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{})
	for _, raw := range []string{strings.Repeat("é😀", 50), strings.Repeat("😀", 64), strings.Repeat("😀", 256)} {
		prepared, err := Policy{}.Prepare(t.Context(), Candidate{Password: raw})
		assert.NoError(t, err)
		phc, err := h.Hash(t.Context(), prepared)
		assert.NoError(t, err)
		match, _, err := h.Verify(t.Context(), phc, prepared)
		assert.NoError(t, err)
		assert.True(t, match, raw)
		match, _, err = h.Verify(t.Context(), phc, strings.TrimSuffix(prepared, "😀"))
		assert.NoError(t, err)
		assert.False(t, match, "one character less")
	}
}

func TestADifferentPolicyNeedsARehash(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{Algorithm: Argon2id, Memory: 12 << 10, Time: 3})
	h.derive = func(_ params, _ string, _ []byte, n int) ([]byte, error) { return make([]byte, n), nil }
	blank := strings.Repeat("A", 43)
	for s, want := range map[string]bool{
		"$argon2id$v=19$m=12288,t=3,p=1$" + salt16 + "$" + blank:      false,
		"$argon2id$v=19$m=19456,t=3,p=1$" + salt16 + "$" + blank:      true,
		"$argon2id$v=19$m=12288,t=4,p=1$" + salt16 + "$" + blank:      true,
		"$argon2id$v=19$m=12288,t=3,p=2$" + salt16 + "$" + blank:      true,
		"$argon2id$v=19$m=12288,t=3,p=1$c29tZXNhbHQ$" + blank:         true, // 8-byte salt
		"$argon2id$v=19$m=12288,t=3,p=1$" + salt16 + "$" + blank[:22]: true, // 16-byte tag
		"$pbkdf2-sha256$i=600000$" + salt16 + "$" + blank:             true,
	} {
		match, rehash, err := h.Verify(t.Context(), s, "x")
		assert.NoError(t, err)
		assert.True(t, match, s)
		assert.True(t, rehash == want, s)
	}
}

func TestR7TheDecoyCostsWhatARealHashCostsAndMatchesNothing(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{})
	var seen []params
	h.derive = func(p params, _ string, _ []byte, n int) ([]byte, error) {
		seen = append(seen, p)
		return make([]byte, n), nil
	}
	phc, err := h.Hash(t.Context(), "correct horse")
	assert.NoError(t, err)
	decoy, err := h.Decoy(t.Context(), "")
	assert.NoError(t, err)
	other, err := h.Decoy(t.Context(), "")
	assert.NoError(t, err)
	assert.NotEqual(t, decoy, other)
	assert.Equal(t, len(decoy), len(phc))
	for _, s := range []string{phc, decoy} {
		match, rehash, err := h.Verify(t.Context(), s, "correct horse")
		assert.NoError(t, err)
		assert.Equal(t, match, s == phc)
		assert.False(t, rehash, s)
	}
	assert.Equal(t, seen, []params{h.policy, h.policy, h.policy})
	assert.Equal(t, h.Stats().Hashed, 3)
}

func TestAnErrorIsNeitherYesNorNo(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{Rand: iotest.ErrReader(errors.New("no entropy"))})
	_, err := h.Hash(t.Context(), "correct horse")
	assert.Error(t, err)
	_, err = h.Decoy(t.Context(), "")
	assert.Error(t, err)
	match, _, err := h.Verify(t.Context(), "$argon2id$broken", "x")
	assert.ErrorIs(t, err, ErrBadHash)
	assert.False(t, match, "a broken hash")
	_, _, err = h.Verify(t.Context(), goodA, strings.Repeat("a", MaxBytes+1))
	assert.ErrorIs(t, err, ErrTooLong)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = h.Verify(ended, goodA, "x")
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, h.Stats(), Stats{Slots: h.Stats().Slots, Canceled: 1})
	h.derive = func(params, string, []byte, int) ([]byte, error) { return nil, errors.New("refused") }
	match, _, err = h.Verify(t.Context(), goodA, "x")
	assert.Error(t, err)
	assert.False(t, match, "a failed derivation")
}

func TestNewRefusesWeakAndAbsurdPolicies(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"weak memory":      {Memory: 19<<10 - 1},
		"weak time":        {Time: 1},
		"under 7 MiB":      {Memory: 7<<10 - 1, Time: 16},
		"much memory":      {Memory: maxMemory + 1},
		"much time":        {Time: maxTime + 1},
		"much work":        {Memory: maxMemory, Time: 5},
		"many lanes":       {Parallelism: maxThreads + 1},
		"few iterations":   {Algorithm: PBKDF2SHA256, Iterations: 599_999},
		"many iterations":  {Algorithm: PBKDF2SHA256, Iterations: maxIterations + 1},
		"unknown":          {Algorithm: "bcrypt"},
		"negative slots":   {Slots: -1},
		"negative queue":   {MaxQueue: -1},
		"negative timeout": {QueueTimeout: -1},
		"negative budget":  {MemoryBudget: -1, Slots: 1},
	} {
		if cfg.Algorithm == "" {
			cfg.Algorithm = Argon2id
		}
		_, err := New(cfg)
		assert.True(t, err != nil, name)
	}
	for _, cfg := range []Config{{Memory: 46 << 10, Time: 1}, {Memory: 12 << 10, Time: 3}, {Memory: 9 << 10, Time: 4}, {Memory: 7 << 10, Time: 5}} {
		_, err := New(cfg)
		assert.NoError(t, err)
	}
}

func TestSlotsFollowTheMemoryBudget(t *testing.T) {
	t.Parallel()
	assert.Equal(t, newHasher(t, Config{MemoryBudget: 1}).Stats().Slots, 1)
	assert.Equal(t, newHasher(t, Config{MemoryBudget: 2 * 19 << 20}).Stats().Slots, 1)
	assert.Equal(t, newHasher(t, Config{Slots: 7}).Stats().Slots, 7)
}

// zeros is a source of salts that, unlike FIPS 140's, works inside a bubble of
// synctest.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// load counts how many hashes run at once, and holds each until release.
type load struct {
	now, most atomic.Int64
	release   chan struct{}
}

func (l *load) derive(_ params, _ string, _ []byte, n int) ([]byte, error) {
	now := l.now.Add(1)
	defer l.now.Add(-1)
	for most := l.most.Load(); now > most && !l.most.CompareAndSwap(most, now); most = l.most.Load() {
	}
	<-l.release
	return make([]byte, n), nil
}

func TestSixtyFourVerifiesShareTwoSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHasher(t, Config{Rand: zeros{}, Slots: 2}), &load{release: make(chan struct{})}
		h.derive = l.derive
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				_, _, err := h.Verify(t.Context(), goodA, "x")
				if err != nil {
					t.Errorf("verify: %v", err)
				}
			})
		}
		synctest.Wait()
		assert.Equal(t, h.Stats(), Stats{Slots: 2, InUse: 2, Waiting: 62})
		close(l.release)
		wg.Wait()
		assert.Equal(t, l.most.Load(), 2)
		assert.Equal(t, h.Stats(), Stats{Slots: 2, Hashed: 64})
	})
}

func TestWaitingTooLongIs503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHasher(t, Config{Rand: zeros{}, Slots: 1}), &load{release: make(chan struct{})}
		h.derive = l.derive
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.Hash(t.Context(), "x") })
		synctest.Wait()
		began := time.Now()
		_, err := h.Hash(t.Context(), "x")
		assert.ErrorIs(t, err, ErrOverloaded)
		assert.Equal(t, problem.KindOf(err), problem.Unavailable)
		assert.Equal(t, assert.ErrorAs[*problem.Error](t, err).RetryAfter, 2*time.Second)
		assert.Equal(t, time.Since(began), 2*time.Second) // of the bubble's clock
		close(l.release)
		wg.Wait()
		assert.Equal(t, h.Stats(), Stats{Slots: 1, Hashed: 1, Overloaded: 1})
	})
}

func TestTheQueueIsBoundedAndLeftOnCancellation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHasher(t, Config{Rand: zeros{}, Slots: 1, MaxQueue: 2}), &load{release: make(chan struct{})}
		h.derive = l.derive
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.Hash(t.Context(), "x") })
		synctest.Wait()
		for range 2 {
			wg.Go(func() {
				_, err := h.Hash(ctx, "x")
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		synctest.Wait()
		_, err := h.Hash(t.Context(), "x")
		assert.ErrorIs(t, err, ErrOverloaded)
		cancel()
		synctest.Wait()
		assert.Equal(t, h.Stats(), Stats{Slots: 1, InUse: 1, Overloaded: 1, Canceled: 2})
		close(l.release)
		wg.Wait()
		_, err = h.Hash(t.Context(), "x")
		assert.NoError(t, err)
	})
}

func TestALargeStoredHashTakesSeveralSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := newHasher(t, Config{Rand: zeros{}, Slots: 4}), &load{release: make(chan struct{})}
		h.derive = l.derive
		var wg sync.WaitGroup
		verify := func(phc string) { wg.Go(func() { _, _, _ = h.Verify(t.Context(), phc, "x") }) }
		verify(strings.Replace(goodA, "m=19456", "m=38913", 1)) // three shares
		synctest.Wait()
		assert.Equal(t, h.Stats().InUse, 3)
		verify(strings.Replace(goodA, "m=19456", "m=262144", 1)) // all there are
		synctest.Wait()
		assert.Equal(t, h.Stats().Waiting, 1)
		verify(goodA) // in line behind the large one
		synctest.Wait()
		assert.Equal(t, h.Stats().Waiting, 2)
		close(l.release)
		wg.Wait()
		assert.Equal(t, h.Stats().Hashed, 3)
	})
}
