package bundbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/assert"
)

// Plan returns how the database carries out the one statement that call sends, or the
// last of several, line by line. args are the values of its placeholders, in their
// order; none where they are in the text. [Fill] the tables before: small ones are read
// in whole, whatever indexes they have.
func Plan(t testing.TB, db *bundb.DB, call func(ctx context.Context) error, args ...any) string {
	t.Helper()
	sent := FaultsOf(db).Record(func() { assert.NoError(t, call(t.Context())) })
	if len(sent) == 0 {
		t.Fatal("nothing was sent")
	}
	explain := "EXPLAIN QUERY PLAN "
	if db.Dialect() == bundb.Postgres {
		explain = "EXPLAIN "
	}
	rows, err := db.Statement(explain+strings.ReplaceAll(sent[len(sent)-1], "?", "??")).Query(db.AsSystem(Outside(t.Context())), args...)
	assert.NoError(t, err)
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		var line string
		var skip any
		if db.Dialect() == bundb.Postgres {
			assert.NoError(t, rows.Scan(&line))
		} else {
			assert.NoError(t, rows.Scan(&skip, &skip, &skip, &line))
		}
		fmt.Fprintln(&text, line)
	}
	assert.NoError(t, rows.Err())
	return text.String()
}

// Planned says how a statement must be carried out.
type Planned struct {
	// Name is for the message, Call and Args are for [Plan].
	Name string
	Call func(ctx context.Context) error
	Args []any
	// SQLite and Postgres are in the plan of that database: the index above all.
	SQLite, Postgres string
	// Sorted says that the index has the order already: nothing is sorted.
	Sorted bool
	// Whole says that SQLite walks the whole of an index, in its order, up to the limit.
	Whole bool
}

// RequirePlans tests that the database carries out every one of all as it says, without
// reading a table in whole.
func RequirePlans(t testing.TB, db *bundb.DB, all ...Planned) {
	t.Helper()
	for _, p := range all {
		got, want := Plan(t, db, p.Call, p.Args...), p.SQLite
		if db.Dialect() == bundb.Postgres {
			want = p.Postgres
		}
		bad := []string{"Seq Scan"}
		if db.Dialect() == bundb.SQLite && !p.Whole {
			bad = []string{"SCAN "}
		}
		if p.Sorted {
			bad = append(bad, "TEMP B-TREE", "Sort")
		}
		for _, b := range bad {
			if strings.Contains(got, b) {
				t.Errorf("%s: %q in\n%s", p.Name, b, got)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", p.Name, want, got)
		}
	}
}

// Fill runs a statement that makes many rows out of the numbers from 1 to n, which it
// reads from "numbers (n)", in one transaction with the others.
func Fill(t testing.TB, db *bundb.DB, n int, statements ...string) {
	t.Helper()
	ctx := Outside(t.Context())
	assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error {
		for _, s := range statements {
			into, from, _ := strings.Cut(s, "SELECT ")
			text := fmt.Sprintf("%sWITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d) SELECT %s", into, n, from)
			if _, err := db.Raw(ctx).ExecContext(ctx, text); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}))
	Analyze(t, db)
}

// Analyze gives the planner its statistics, as time would, and on PostgreSQL marks the
// pages that an index may speak for.
func Analyze(t testing.TB, db *bundb.DB) {
	t.Helper()
	analyze := "ANALYZE"
	if db.Dialect() == bundb.Postgres {
		// Those of the test alone: others change theirs meanwhile, and the catalogue.
		analyze = `VACUUM ANALYZE "` + strings.Join(tables(t, db), `", "`) + `"`
	}
	ctx := Outside(t.Context())
	assert.Must(db.Raw(ctx).ExecContext(ctx, analyze))(t)
}
