package ratelimit_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/ratelimit"
)

// clock is set by hand.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(1_700_000_000, c.now.Load()) }

func (c *clock) Advance(d time.Duration) { c.now.Add(int64(d)) }

func newLimiter(t testing.TB, maxKeys int, rules ...ratelimit.Rule) (*ratelimit.Limiter[int], *clock) {
	t.Helper()
	c := new(clock)
	l, err := ratelimit.New[int](ratelimit.Config{Rules: rules, MaxKeys: maxKeys, Now: c.Now})
	assert.NoError(t, err)
	return l, c
}

func TestAKeySpendsItsQuotaAtOnceAndGetsItBackEvenly(t *testing.T) {
	t.Parallel()
	l, c := newLimiter(t, 0, ratelimit.Rule{{Quota: 3, Window: time.Minute}})
	for _, remaining := range []int{2, 1, 0} {
		got := l.Allow(0, 1)
		assert.True(t, got.Allowed, "within the quota")
		assert.Equal(t, got.Remaining, remaining)
		assert.Equal(t, got.ResetAfter, time.Duration(3-remaining)*20*time.Second)
	}
	got := l.Allow(0, 1)
	assert.Equal(t, got, ratelimit.Result{
		Limit: ratelimit.Limit{Quota: 3, Window: time.Minute}, RetryAfter: 20 * time.Second, ResetAfter: time.Minute,
	})
	assert.True(t, l.Allow(0, 2).Allowed, "another key has its own quota")
	c.Advance(20*time.Second - 1)
	assert.False(t, l.Allow(0, 1).Allowed, "a nanosecond too early")
	c.Advance(1)
	assert.True(t, l.Allow(0, 1).Allowed, "one unit is back")
	assert.False(t, l.Allow(0, 1).Allowed, "and one only")
	c.Advance(time.Hour)
	for range 3 {
		assert.True(t, l.Allow(0, 1).Allowed, "rested")
	}
	assert.False(t, l.Allow(0, 1).Allowed, "resting long earns no more than the quota")
}

func TestPeekSpendsNothing(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t, 0, ratelimit.Rule{{Quota: 2, Window: time.Minute}})
	charge := ratelimit.Charge[int]{Key: 1}
	for range 3 {
		got := l.Peek(charge)
		assert.True(t, got.Allowed, "nothing is spent")
		assert.Equal(t, got.Remaining, 2)
	}
	assert.Equal(t, l.Len(), 0)
	l.Allow(0, 1)
	l.Allow(0, 1)
	assert.Equal(t, l.Peek(charge).RetryAfter, 30*time.Second)
}

func TestAllLimitsOfAllKeysOrNone(t *testing.T) {
	t.Parallel()
	second, minute := ratelimit.Limit{Quota: 1, Window: time.Second}, ratelimit.Limit{Quota: 3, Window: time.Minute}
	l, c := newLimiter(t, 0, ratelimit.Rule{second, minute}, ratelimit.Rule{{Quota: 4, Window: time.Minute}}, nil)
	host, network, free := ratelimit.Charge[int]{Key: 1}, ratelimit.Charge[int]{Rule: 1, Key: 9}, ratelimit.Charge[int]{Rule: 2, Key: 1}
	assert.True(t, l.AllowAll(host, network, host, free).Allowed, "the first")
	for range 10 {
		got := l.AllowAll(host, network)
		assert.False(t, got.Allowed, "one a second")
		assert.Equal(t, got.Limit, second)
	}
	assert.Equal(t, l.Peek(network).Remaining, 3)
	for range 2 {
		c.Advance(time.Second)
		assert.True(t, l.AllowAll(host, network).Allowed, "one a second")
	}
	c.Advance(time.Second)
	assert.Equal(t, l.AllowAll(host, network).Limit, minute)
	other := ratelimit.Charge[int]{Key: 2}
	assert.True(t, l.AllowAll(other, network).Allowed, "the network's last")
	got := l.AllowAll(ratelimit.Charge[int]{Key: 3}, network)
	assert.False(t, got.Allowed, "the network has no more")
	assert.Equal(t, got.Limit.Quota, 4)
	assert.Equal(t, l.Peek(ratelimit.Charge[int]{Key: 3}).Remaining, 1)
	for range 100 {
		assert.Equal(t, l.AllowAll(free), ratelimit.Result{Allowed: true})
	}
	assert.False(t, l.Allow(3, 1).Allowed, "a rule that does not exist")
	assert.False(t, l.Allow(-1, 1).Allowed, "a rule that does not exist")
}

// naive is GCRA as its definition says it, in fractions: a theoretical arrival
// time per limit and key that never looks back.
type naive struct {
	limits []ratelimit.Limit
	due    map[int][]*big.Rat
}

func (n naive) allow(key int, now time.Duration) bool {
	at := new(big.Rat).SetInt64(int64(now))
	if n.due[key] == nil {
		for range n.limits {
			n.due[key] = append(n.due[key], new(big.Rat))
		}
	}
	next := make([]*big.Rat, len(n.limits))
	for i, limit := range n.limits {
		due := n.due[key][i]
		if due.Cmp(at) < 0 {
			due = at
		}
		next[i] = new(big.Rat).Add(due, big.NewRat(int64(limit.Window), int64(limit.Quota)))
		if new(big.Rat).Sub(next[i], at).Cmp(new(big.Rat).SetInt64(int64(limit.Window))) > 0 {
			return false
		}
	}
	n.due[key] = next
	return true
}

func TestItIsExactlyTheNaiveModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		limits := make([]ratelimit.Limit, 1+random.IntN(4))
		for i := range limits {
			limits[i] = ratelimit.Limit{Quota: 1 + random.IntN(9), Window: time.Millisecond + time.Duration(random.Int64N(int64(time.Second)))}
		}
		l, c := newLimiter(t, 0, limits)
		model := naive{limits, map[int][]*big.Rat{}}
		for range 300 {
			c.Advance(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			key := random.IntN(3)
			got := l.Allow(0, key)
			if want := model.allow(key, time.Duration(c.now.Load())); got.Allowed != want {
				t.Fatalf("%v at %d: %v, the model says %v", limits, c.now.Load(), got, want)
			}
			if got.Allowed {
				continue
			}
			c.Advance(got.RetryAfter - 1)
			assert.False(t, l.Peek(ratelimit.Charge[int]{Key: key}).Allowed, "before RetryAfter")
			c.Advance(1)
			assert.True(t, l.Peek(ratelimit.Charge[int]{Key: key}).Allowed, "after RetryAfter")
		}
	}
}

// No sequence of keys gets more than the model with endless memory gives: eviction
// washes nothing off.
func TestEvictionGivesNobodyAFreshBudget(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	rule := ratelimit.Rule{{Quota: 3, Window: time.Second}, {Quota: 7, Window: 4 * time.Second}}
	l, c := newLimiter(t, 64, rule) // one key a shard
	model := naive{rule, map[int][]*big.Rat{}}
	refused := 0
	for range 50_000 {
		c.Advance(time.Duration(random.Int64N(int64(2 * time.Millisecond))))
		key := random.IntN(500)
		switch got := l.Allow(0, key).Allowed; {
		case !got:
			refused++
		case !model.allow(key, time.Duration(c.now.Load())):
			t.Fatalf("key %d got more than its own budget", key)
		}
		if l.Len() > 64 {
			t.Fatalf("%d keys are kept", l.Len())
		}
	}
	assert.True(t, refused > 0, "the model was put to the test")
}

// To shut newcomers out takes about as much as the table could admit in all; the
// one who spent everything is not forgotten on the way.
func TestAFloodOfKeysForgetsTheFreshOnesFirst(t *testing.T) {
	t.Parallel()
	const keys, quota = 64 * 32, 10
	l, c := newLimiter(t, keys, ratelimit.Rule{{Quota: quota, Window: time.Hour}})
	for range quota {
		assert.True(t, l.Allow(0, -1).Allowed, "within the quota")
	}
	admitted := 0
	for key := 0; l.Allow(0, key).Allowed; key++ {
		admitted++
		if key%1000 == 0 {
			assert.False(t, l.Allow(0, -1).Allowed, "the flood washes nothing off")
		}
	}
	if admitted < keys*quota/2 || admitted > keys*quota {
		t.Errorf("newcomers are refused after %d requests", admitted)
	}
	assert.True(t, l.Len() <= keys, "memory is bounded")
	c.Advance(time.Hour / quota)
	assert.True(t, l.Allow(0, -2).Allowed, "what newcomers start with drains")
}

func TestRacersGetTheQuota(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t, 64, ratelimit.Rule{{Quota: 100, Window: time.Hour}}, ratelimit.Rule{{Quota: 150, Window: time.Hour}})
	var first, second atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := range 100 {
				charges := []ratelimit.Charge[int]{{Key: 1 + i%2}, {Rule: 1, Key: 7}}
				if n%2 == 0 {
					charges[0], charges[1] = charges[1], charges[0]
				}
				if l.AllowAll(charges...).Allowed {
					[]*atomic.Int64{&first, &second}[i%2].Add(1)
				}
			}
		})
	}
	group.Wait()
	assert.Equal(t, first.Load()+second.Load(), 150)
	assert.True(t, first.Load() <= 100 && second.Load() <= 100, "each key within its own")
}

func TestAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	l, c := newLimiter(t, 0, ratelimit.Rule{{Quota: 2, Window: time.Minute}})
	c.Advance(time.Hour)
	l.Allow(0, 1)
	l.Allow(0, 1)
	c.Advance(-30 * time.Second)
	assert.Equal(t, l.Allow(0, 1).RetryAfter, time.Minute)
	c.Advance(30 * time.Second)
	assert.Equal(t, l.Allow(0, 1).RetryAfter, 30*time.Second)
	c.Advance(-50 * time.Minute)
	assert.Equal(t, l.Allow(0, 1).RetryAfter, 30*time.Second)
	c.now.Store(math.MinInt64)
	assert.False(t, l.Allow(0, 1).Allowed, "before the origin")
	c.now.Store(math.MaxInt64)
	assert.True(t, l.Allow(0, 1).Allowed, "at the end of time")
}

func TestNewRefusesWhatItCannotCount(t *testing.T) {
	t.Parallel()
	now := new(clock).Now
	limit := func(quota int, window time.Duration) ratelimit.Config {
		return ratelimit.Config{Rules: []ratelimit.Rule{{{Quota: quota, Window: window}}}, Now: now}
	}
	for name, cfg := range map[string]ratelimit.Config{
		"nothing": {}, "no clock": {Rules: []ratelimit.Rule{nil}}, "no rules": {Now: now},
		"no quota": limit(0, time.Hour), "negative": limit(-1, time.Hour), "no window": limit(1, 0),
		"a short window": limit(1, time.Millisecond-1), "too much": limit(math.MaxInt, math.MaxInt64), "overflow": limit(1<<31, 1<<31),
		"five limits":   {Rules: []ratelimit.Rule{make(ratelimit.Rule, 5)}, Now: now},
		"negative keys": {Rules: []ratelimit.Rule{nil}, Now: now, MaxKeys: -1},
		"endless keys":  {Rules: []ratelimit.Rule{nil}, Now: now, MaxKeys: math.MaxInt},
	} {
		if _, err := ratelimit.New[int](cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := ratelimit.New[int](limit(1<<31, 1<<31-1))
	assert.NoError(t, err)
}

func FuzzLimiter(f *testing.F) {
	f.Add(int64(3), int64(time.Minute), []byte{1, 2, 3, 255, 0, 7})
	f.Add(int64(1<<31), int64(1<<31-1), []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, quota, window int64, steps []byte) {
		rule := ratelimit.Rule{{Quota: int(quota), Window: time.Duration(window)}}
		c := new(clock)
		l, err := ratelimit.New[int](ratelimit.Config{Rules: []ratelimit.Rule{rule}, MaxKeys: 64, Now: c.Now})
		if err != nil {
			return
		}
		for i, step := range steps {
			c.now.Store(int64(step) << (i % 57))
			got := l.Allow(0, int(step%3))
			if got.Remaining < 0 || got.Remaining >= int(quota) || got.RetryAfter < 0 || got.ResetAfter < 0 || got.Allowed != (got.RetryAfter == 0) {
				t.Fatalf("%+v", got)
			}
			if got.RetryAfter > 2*time.Duration(window) || got.ResetAfter > 2*time.Duration(window) {
				t.Fatalf("%+v of a window of %v", got, time.Duration(window))
			}
		}
	})
}

// address is what the library limits: a network without pointers in it.
type address struct {
	prefix [16]byte
	bits   uint8
}

func TestAllowOnAKnownKeyDoesNotAllocate(t *testing.T) {
	c := new(clock)
	rule := ratelimit.Rule{{Quota: 1 << 20, Window: time.Minute}, {Quota: 1 << 20, Window: time.Hour}}
	l, err := ratelimit.New[address](ratelimit.Config{Rules: []ratelimit.Rule{rule, rule, rule}, Now: c.Now})
	assert.NoError(t, err)
	key := address{bits: 64}
	l.Allow(0, key)
	assert.Equal(t, testing.AllocsPerRun(1000, func() { l.Allow(0, key) }), 0)
	charges := []ratelimit.Charge[address]{{Key: key}, {Rule: 1, Key: key}, {Rule: 2, Key: address{bits: 48}}}
	l.AllowAll(charges...)
	assert.Equal(t, testing.AllocsPerRun(1000, func() { l.AllowAll(charges...) }), 0)
	assert.Equal(t, testing.AllocsPerRun(1000, func() { l.Peek(charges...) }), 0)
}

func BenchmarkAllow(b *testing.B) {
	for _, keys := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			l, err := ratelimit.New[address](ratelimit.Config{
				Rules: []ratelimit.Rule{{{Quota: 30, Window: time.Minute}}}, Now: time.Now,
			})
			assert.NoError(b, err)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + 1) % keys {
					l.Allow(0, address{prefix: [16]byte{byte(i), byte(i >> 8), byte(i >> 16)}, bits: 64})
				}
			})
		})
	}
}
