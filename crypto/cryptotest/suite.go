package cryptotest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// racers is the number of concurrent attempts of which one may win.
const racers = 16

// errUndo makes a transaction of a test roll back.
var errUndo = errors.New("cryptotest: undo")

// Env is a key table under test.
type Env struct {
	Store crypto.Store
	// InTx runs fn in a transaction of the store; a nested one is a savepoint.
	InTx func(ctx context.Context, fn func(ctx context.Context) error) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at crypto.Store. Each call of open yields an empty one.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause[Env]{readClauses(), changeClauses(), outsideClauses()} {
		run(t, group, open)
	}
}

// clause is one sentence of a contract.
type clause[E any] struct {
	name string
	test func(*testing.T, E)
}

func run[E any](t *testing.T, clauses []clause[E], open func(t *testing.T) E) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// newRow returns a row of which every column differs from every other row.
func newRow(t *testing.T, purpose, tenant string, state crypto.State) crypto.Key {
	t.Helper()
	row := crypto.Key{
		ID: hex.EncodeToString(random(t, 8)), Purpose: purpose, Tenant: tenant, KEK: "memory:" + rand.Text(),
		KEKVersion: "v7", Wrapped: random(t, 60), Check: random(t, 16), State: state, StateMAC: random(t, 32), Seals: 12,
		CreatedAt: time.Date(2026, 3, 29, 1, 59, 59, 123456000, time.UTC),
	}
	if state == crypto.StateDecryptOnly {
		row.RetiredAt = row.CreatedAt.Add(time.Hour)
	}
	return row
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(rand.Reader, b)
	assert.NoError(t, err)
	return b
}

func insert(t *testing.T, e Env, rows ...crypto.Key) {
	t.Helper()
	assert.NoError(t, e.Store.InsertKeys(t.Context(), rows...))
}

func requireKey(t *testing.T, e Env, want crypto.Key) {
	t.Helper()
	got, err := e.Store.Key(t.Context(), want.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
}

func idsOf(t *testing.T, e Env, filter crypto.KeyFilter) []string {
	t.Helper()
	rows, err := e.Store.ListKeys(t.Context(), filter)
	assert.NoError(t, err)
	ids := []string{}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// race starts n calls at once and returns how many of them returned nil.
func race(t *testing.T, n int, loser error, call func(i int) error) (winners int) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	results := make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range results {
		if err == nil {
			winners++
			continue
		}
		assert.ErrorIs(t, err, loser)
	}
	return winners
}
