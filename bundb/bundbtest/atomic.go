package bundbtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// maxSteps bounds RequireAtomic against an operation that never ends.
const maxSteps = 2000

// RequireAtomic shows that op does all of its work or none. It runs op again and
// again and lets its first statement fail, then its second, and so on, beginnings
// and commits of transactions included. Each time op must return an error and
// every table must hold exactly what it held before. The run in which nothing is
// left to fail must succeed, and it stays in the database.
//
// op gets a context of its own [Flow] each time, and makes its ids and values
// inside, so that each run is a fresh one. Nothing else may write to the database
// meanwhile.
func RequireAtomic(t testing.TB, db *bundb.DB, op func(ctx context.Context) error) {
	t.Helper()
	requireAtomic(t, t, db, op)
}

// failer is what RequireAtomic tells its findings; its own test listens in.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func requireAtomic(t testing.TB, verdict failer, db *bundb.DB, op func(ctx context.Context) error) {
	t.Helper()
	verdict.Helper()
	faults := FaultsOf(db)
	before := snapshot(t, db)
	for step := 1; step <= maxSteps; step++ {
		query := ""
		p := faults.arm(step, step, isStep, func(ctx context.Context, c *conn, e event) error {
			query = e.query
			return faults.fail(ctx, c, e)
		})
		err := op(Flow(t.Context()))
		failed := faults.remove(p)
		switch {
		case !failed && err != nil:
			verdict.Fatalf("bundbtest: the operation fails by itself: %v", err)
			return
		case !failed:
			return
		case err == nil:
			verdict.Fatalf("bundbtest: the operation hides that step %d failed: %s", step, query)
			return
		}
		if table := changed(before, snapshot(t, db)); table != "" {
			verdict.Fatalf("bundbtest: step %d failed and table %s kept a change: %s", step, table, query)
			return
		}
	}
	verdict.Fatalf("bundbtest: the operation takes more than %d steps", maxSteps)
}

func isStep(e event) bool { return e.kind != rollback }

// snapshot returns a hash of the content of each table.
func snapshot(t testing.TB, db *bundb.DB) map[string][32]byte {
	t.Helper()
	hashes := map[string][32]byte{}
	for _, table := range tables(t, db) {
		hashes[table] = sha256.Sum256(bytes.Join(rows(t, db, table), nil))
	}
	return hashes
}

// changed names a table that differs, "" where all are equal.
func changed(before, after map[string][32]byte) string {
	for table, hash := range after {
		if before[table] != hash {
			return table
		}
	}
	for table := range before {
		if _, ok := after[table]; !ok {
			return table
		}
	}
	return ""
}
