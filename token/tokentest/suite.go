package tokentest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// Env is a store under test.
type Env struct {
	Store token.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at token.Store,
// one subtest per sentence. Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause{
		addClauses(), findClauses(), consumeClauses(), chargeClauses(), dropClauses(), pruneClauses(),
		faultClauses(), txClauses(), nestedClauses(), raceClauses(),
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, &world{Env: open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
			})
		}
	}
}

type clause struct {
	name string
	test func(t *testing.T, w *world)
}

// world is a store and the time of its test.
type world struct {
	Env
	now  time.Time
	made int
}

const (
	verify token.Purpose = "vrf:verify-email"
	reset  token.Purpose = "rst:reset-password"
)

// row returns a row that no other equals in any column that identifies it.
func (w *world) row(change ...func(*token.Row)) token.Row {
	w.made++
	id := uuid.Must(uuid.NewV7()).String()
	r := token.Row{
		OneTime: token.OneTime{
			ID: id, Purpose: verify, Subject: "u1", Tenant: "o1", SecurityVersion: 3,
			CreatedAt: w.now.Add(time.Duration(w.made) * time.Microsecond), ExpiresAt: w.now.Add(time.Hour),
			Payload: []byte(`{"b": 1, "a":"é"}`),
		},
		Selector: fmt.Sprintf("selector-%s", id),
		Verifier: token.Verifier{KID: "k1", MAC: []byte("mac-" + id)},
	}
	for _, fn := range change {
		fn(&r)
	}
	return r
}

func subject(s string) func(*token.Row)        { return func(r *token.Row) { r.Subject = s } }
func tenant(s string) func(*token.Row)         { return func(r *token.Row) { r.Tenant = s } }
func purpose(p token.Purpose) func(*token.Row) { return func(r *token.Row) { r.Purpose = p } }
func expires(at time.Time) func(*token.Row)    { return func(r *token.Row) { r.ExpiresAt = at } }

// add stores a row made with change.
func (w *world) add(t *testing.T, change ...func(*token.Row)) token.Row {
	t.Helper()
	r := w.row(change...)
	assert.NoError(t, w.Store.AddToken(t.Context(), r, 100))
	return r
}

// find returns the stored row and whether there is one.
func (w *world) find(ctx context.Context, t *testing.T, r token.Row) (token.Row, bool) {
	t.Helper()
	got, err := w.Store.TokenBySelector(ctx, r.Purpose, r.Selector)
	if err != nil {
		assert.ErrorIs(t, err, token.ErrNotFound)
	}
	return got, err == nil
}

// left checks which rows the store still has.
func (w *world) left(t *testing.T, want map[string]bool, rows map[string]token.Row) {
	t.Helper()
	for name, r := range rows {
		if _, ok := w.find(t.Context(), t, r); ok != want[name] {
			t.Errorf("%s: there %t, want %t", name, ok, want[name])
		}
	}
}
