package sessionbun_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/sessionbun"
)

// BenchmarkLookup compares the check of a session over PostgreSQL, from the
// cookie's text to the identity, with the bare limit: the same SQL, columns and
// scan targets over pgxpool. Both take turns of 10 in ten rounds; ratio is the
// quotient of the rounds' medians, and is to stay below 1.15.
//
//	go test ./session/sessionbun -run '^$' -bench Lookup -benchtime 20000x
func BenchmarkLookup(b *testing.B) {
	const (
		rounds   = 10
		turn     = 10
		sessions = 1000
	)
	db, pool := benchDatabase(b)
	w := newWorld(b, db)
	query := newStore(b, db).FindSQL()
	tokens := make([]string, sessions)
	for i := range tokens {
		tokens[i] = w.start(b).Token.Reveal()
	}
	lookup := func(i int) error {
		_, err := w.Lookup(b.Context(), tokens[i%sessions])
		return err
	}
	bare := func(i int) error {
		return pool.QueryRow(b.Context(), query, tokens[i%sessions][8:24]).Scan(sessionbun.FindTargets()...)
	}
	time1000 := func(call func(int) error) time.Duration { return timeCalls(b, call, sessions) }
	time1000(lookup)
	time1000(bare)
	b.ReportAllocs()
	b.ResetTimer()
	var lookups, bares []float64
	for range rounds {
		var ours, theirs time.Duration
		turns := max(1, b.N/rounds/turn)
		for range turns {
			ours += timeCalls(b, lookup, turn)
			theirs += timeCalls(b, bare, turn)
		}
		lookups = append(lookups, float64(ours.Nanoseconds())/float64(turns*turn))
		bares = append(bares, float64(theirs.Nanoseconds())/float64(turns*turn))
	}
	b.ReportMetric(0, "ns/op") // it would be that of both
	b.ReportMetric(median(lookups), "ns/lookup")
	b.ReportMetric(median(bares), "ns/bare")
	b.ReportMetric(median(lookups)/median(bares), "ratio")
}

func timeCalls(b *testing.B, call func(int) error, n int) time.Duration {
	b.Helper()
	begin := time.Now()
	for i := range n {
		if err := call(i); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// benchDatabase opens an empty schema as a host does, without the test driver,
// and the bare pool on the same.
func benchDatabase(b *testing.B) (*bundb.DB, *pgxpool.Pool) {
	b.Helper()
	dsn := os.Getenv("TENON_TEST_POSTGRES")
	if dsn == "" {
		b.Skip("SKIPPED, NO POSTGRESQL: set TENON_TEST_POSTGRES")
	}
	name := "tenon_bench_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	separator := map[bool]string{true: "&", false: "?"}[strings.Contains(dsn, "?")]
	scoped := dsn + separator + "search_path=" + name
	pool := assert.Must(pgxpool.New(b.Context(), scoped))(b)
	assert.Must(pool.Exec(b.Context(), "CREATE SCHEMA "+name))(b)
	db := assert.Must(postgres.Open(b.Context(), scoped, bundb.Config{}))(b)
	b.Cleanup(func() {
		_ = db.Close()
		if _, err := pool.Exec(context.Background(), fmt.Sprintf("DROP SCHEMA %s CASCADE", name)); err != nil {
			b.Errorf("drop the schema: %v", err)
		}
		pool.Close()
	})
	assert.Must(db.Migrate(b.Context(), schemas()...))(b)
	return db, pool
}
