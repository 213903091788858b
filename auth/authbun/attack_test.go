package authbun_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A mail takes several units in one transaction, and pruning deletes many rows in
// an order of its own: it must not wait for one while it holds another.
func TestPruningDoesNotDeadlockWithAMail(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	store := authbun.New(db)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	spend := func(ctx context.Context, i int, now time.Time) {
		t.Helper()
		a := auth.Allowance{Scope: fmt.Sprint("mail:", i), Target: []byte("ada"), Window: time.Hour, Limit: 5}
		ok, err := store.Spend(ctx, a, now)
		assert.NoError(t, err)
		assert.True(t, ok, "the window is over")
	}
	for i := range 20 {
		spend(t.Context(), i, now)
	}
	later := now.Add(48 * time.Hour)
	pruned := make(chan error, 1)
	err := store.InTx(t.Context(), func(ctx context.Context) error {
		spend(ctx, 10, later)
		go func() {
			_, err := store.PruneBudgets(bundbtest.Flow(context.WithoutCancel(t.Context())), later.Add(-24*time.Hour), 1000)
			pruned <- err
		}()
		var pid int
		assert.NoError(t, db.Statement("SELECT pg_backend_pid()").QueryRow(ctx).Scan(&pid))
		for !isBlocking(t, db, pid) && len(pruned) == 0 {
			runtime.Gosched()
		}
		for i := range 20 {
			spend(ctx, i, later)
		}
		return nil
	})
	assert.NoError(t, err)
	assert.NoError(t, <-pruned)
	var spent int
	assert.NoError(t, db.Statement("SELECT sum(spent) FROM tenon_mail_budgets").QueryRow(t.Context()).Scan(&spent))
	assert.Equal(t, spent, 21)
}

// isBlocking reports whether somebody waits for the transaction of that process.
func isBlocking(t *testing.T, db *bundb.DB, pid int) (blocking bool) {
	t.Helper()
	const query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE CAST(? AS integer) = ANY (pg_blocking_pids(pid)))"
	assert.NoError(t, db.Statement(query).QueryRow(bundbtest.Outside(t.Context()), pid).Scan(&blocking))
	return blocking
}
