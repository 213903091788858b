package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// CodesEnv is a store of codes under test.
type CodesEnv struct {
	Store passwordless.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// codes is a CodesEnv with the moves that clauses share.
type codes struct {
	CodesEnv
	now time.Time
}

// TestCodeStore holds the stores that open returns to the contract at
// passwordless.CodeStore. Each call of open yields an empty store.
func TestCodeStore(t *testing.T, open func(t *testing.T) CodesEnv) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, w *codes){
		"PutCode keeps every field":                                     testPutCode,
		"PutCode puts a code in the place of one of its place only":     testPutCodeReplaces,
		"KeepCode inserts where there is none and else sets AskedAt":    testKeepCode,
		"TryCode spends tries of a live code up to its limit":           testTryCode,
		"concurrent tries spend no more than the limit":                 testTryCodeRace,
		"ConsumeCode consumes a live code once":                         testConsumeCode,
		"of concurrent consumers of a code one succeeds":                testConsumeCodeRace,
		"DropCodes deletes those of an address":                         testDropCodes,
		"PruneCodes deletes those not asked for since, up to its limit": testPruneCodes,
		"a rollback takes back what was put, kept and consumed":         testCodesRollBack,
		"an outage is an error and not an absence":                      testCodesOutage,
		"a cancelled ctx ends every call":                               testCodesCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &codes{CodesEnv: open(t), now: epoch()})
		})
	}
}

func (w *codes) describe(flow string) passwordless.Code {
	return passwordless.Code{
		ID: newID(), Flow: []byte(flow), Purpose: passwordless.PurposeSignIn, Email: "ada@example.com", Subject: "user", SecurityVersion: 3,
		Verifier: token.Verifier{KID: "kid", MAC: []byte("mac")}, Attempts: 1,
		AskedAt: w.now, ExpiresAt: w.now.Add(10 * time.Minute), ConsumedAt: w.now.Add(time.Microsecond),
	}
}

func (w *codes) put(t *testing.T, change ...func(c *passwordless.Code)) passwordless.Code {
	t.Helper()
	c := w.describe("flow")
	c.Attempts, c.ConsumedAt = 0, time.Time{}
	for _, f := range change {
		f(&c)
	}
	assert.NoError(t, w.Store.PutCode(t.Context(), c))
	return c
}

func (w *codes) find(t *testing.T, c passwordless.Code) passwordless.Code {
	t.Helper()
	got, err := w.Store.FindCode(t.Context(), c.Flow, c.Purpose, c.Email)
	assert.NoError(t, err)
	return got
}

func testPutCode(t *testing.T, w *codes) {
	want := w.describe("flow")
	assert.NoError(t, w.Store.PutCode(t.Context(), want))
	assert.Equal(t, w.find(t, want), want)
}

func testPutCodeReplaces(t *testing.T, w *codes) {
	w.put(t)
	others := []passwordless.Code{
		w.put(t, func(c *passwordless.Code) { c.Flow = []byte("another") }),
		w.put(t, func(c *passwordless.Code) { c.Purpose = passwordless.PurposeVerifyEmail }),
		w.put(t, func(c *passwordless.Code) { c.Email = "bob@example.com" }),
	}
	want := w.describe("flow")
	want.Subject, want.SecurityVersion, want.Verifier = "other", 4, token.Verifier{KID: "k2", MAC: []byte("m2")}
	want.AskedAt, want.ExpiresAt = w.now.Add(time.Minute), w.now.Add(time.Hour)
	assert.NoError(t, w.Store.PutCode(t.Context(), want))
	assert.Equal(t, w.find(t, want), want)
	for _, other := range others {
		assert.Equal(t, w.find(t, other), other)
	}
	_, err := w.Store.FindCode(t.Context(), []byte("a third"), want.Purpose, want.Email)
	assert.ErrorIs(t, err, token.ErrNotFound)
}

func testKeepCode(t *testing.T, w *codes) {
	first := w.describe("flow")
	assert.NoError(t, w.Store.KeepCode(t.Context(), first))
	assert.Equal(t, w.find(t, first), first)
	second := w.describe("flow")
	second.Subject, second.AskedAt, second.ExpiresAt = "other", w.now.Add(time.Minute), w.now.Add(time.Hour)
	assert.NoError(t, w.Store.KeepCode(t.Context(), second))
	first.AskedAt = second.AskedAt
	assert.Equal(t, w.find(t, first), first)
}

func (w *codes) try(t *testing.T, id string, at time.Time) bool {
	t.Helper()
	alive, err := w.Store.TryCode(t.Context(), id, 3, at)
	assert.NoError(t, err)
	return alive
}

func testTryCode(t *testing.T, w *codes) {
	c := w.put(t)
	other := w.put(t, func(c *passwordless.Code) { c.Flow = []byte("another") })
	for i := range 5 {
		assert.Equal(t, w.try(t, c.ID, c.ExpiresAt.Add(-time.Microsecond)), i < 3)
	}
	assert.Equal(t, w.find(t, c).Attempts, 3)
	assert.False(t, w.try(t, other.ID, other.ExpiresAt), "it has expired")
	assert.False(t, w.try(t, newID(), w.now), "there is none")
	_, err := w.Store.ConsumeCode(t.Context(), other.ID, w.now)
	assert.NoError(t, err)
	assert.False(t, w.try(t, other.ID, w.now), "it is consumed")
	assert.Equal(t, w.find(t, other).Attempts, 0)
}

var errNot = errors.New("not this one")

func raceCode(t *testing.T, use func(ctx context.Context) (bool, error)) int {
	t.Helper()
	won, lost := race(t, func(ctx context.Context) error {
		ok, err := use(ctx)
		if err == nil && !ok {
			return errNot
		}
		return err
	})
	for _, err := range lost {
		assert.ErrorIs(t, err, errNot)
	}
	return won
}

func testTryCodeRace(t *testing.T, w *codes) {
	c := w.put(t)
	assert.Equal(t, raceCode(t, func(ctx context.Context) (bool, error) { return w.Store.TryCode(ctx, c.ID, 3, w.now) }), 3)
}

func (w *codes) consume(t *testing.T, id string, at time.Time) bool {
	t.Helper()
	won, err := w.Store.ConsumeCode(t.Context(), id, at)
	assert.NoError(t, err)
	return won
}

func testConsumeCode(t *testing.T, w *codes) {
	c := w.put(t)
	other := w.put(t, func(c *passwordless.Code) { c.Flow = []byte("another") })
	assert.False(t, w.consume(t, c.ID, c.ExpiresAt), "it has expired")
	last := c.ExpiresAt.Add(-time.Microsecond)
	assert.True(t, w.consume(t, c.ID, last), "it is there")
	assert.False(t, w.consume(t, c.ID, last), "it is consumed")
	assert.False(t, w.consume(t, newID(), w.now), "there is none")
	c.ConsumedAt = last
	assert.Equal(t, w.find(t, c), c)
	assert.Equal(t, w.find(t, other), other)
}

func testConsumeCodeRace(t *testing.T, w *codes) {
	c := w.put(t)
	assert.Equal(t, raceCode(t, func(ctx context.Context) (bool, error) { return w.Store.ConsumeCode(ctx, c.ID, w.now) }), 1)
}

func testDropCodes(t *testing.T, w *codes) {
	mine := w.put(t)
	w.put(t, func(c *passwordless.Code) { c.Flow = []byte("another") })
	other := w.put(t, func(c *passwordless.Code) { c.Email = "bob@example.com" })
	assert.NoError(t, w.Store.DropCodes(t.Context(), mine.Email))
	_, err := w.Store.FindCode(t.Context(), mine.Flow, mine.Purpose, mine.Email)
	assert.ErrorIs(t, err, token.ErrNotFound)
	assert.Equal(t, w.find(t, other), other)
}

func testPruneCodes(t *testing.T, w *codes) {
	for _, flow := range []string{"a", "b", "c"} {
		w.put(t, func(c *passwordless.Code) { c.Flow = []byte(flow) })
	}
	young := w.put(t, func(c *passwordless.Code) { c.AskedAt = w.now.Add(time.Minute) })
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneCodes(t.Context(), w.now.Add(time.Minute), 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.Equal(t, w.find(t, young), young)
}

func testCodesRollBack(t *testing.T, w *codes) {
	c := w.put(t)
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		won, err := w.Store.ConsumeCode(ctx, c.ID, w.now)
		assert.NoError(t, err)
		assert.True(t, won, "it is there")
		assert.NoError(t, w.Store.PutCode(ctx, w.describe("flow")))
		assert.NoError(t, w.Store.KeepCode(ctx, w.describe("another")))
		return errTakeBack
	}), errTakeBack)
	assert.Equal(t, w.find(t, c), c)
	_, err := w.Store.FindCode(t.Context(), []byte("another"), c.Purpose, c.Email)
	assert.ErrorIs(t, err, token.ErrNotFound)
}

func (w *codes) calls() map[string]func(ctx context.Context) error {
	s := w.Store
	return map[string]func(ctx context.Context) error{
		"PutCode":  func(ctx context.Context) error { return s.PutCode(ctx, w.describe("x")) },
		"KeepCode": func(ctx context.Context) error { return s.KeepCode(ctx, w.describe("x")) },
		"FindCode": func(ctx context.Context) error {
			_, err := s.FindCode(ctx, []byte("x"), passwordless.PurposeSignIn, "x")
			return err
		},
		"TryCode":     func(ctx context.Context) error { _, err := s.TryCode(ctx, "x", 1, w.now); return err },
		"ConsumeCode": func(ctx context.Context) error { _, err := s.ConsumeCode(ctx, "x", w.now); return err },
		"DropCodes":   func(ctx context.Context) error { return s.DropCodes(ctx, "x") },
		"PruneCodes":  func(ctx context.Context) error { _, err := s.PruneCodes(ctx, w.now, 1); return err },
	}
}

func testCodesOutage(t *testing.T, w *codes) {
	w.Break()
	for name, call := range w.calls() {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v, want problem.ErrUnavailable", name, err)
		}
	}
}

func testCodesCancelled(t *testing.T, w *codes) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range w.calls() {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
}
