package bundb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// steps is a schema whose migration i makes the table tenon_<name>_<i>.
func steps(name string, n int) bundb.Schema {
	files := fstest.MapFS{}
	for i := 1; i <= n; i++ {
		table := fmt.Sprintf("tenon_%s_%d", name, i)
		put(files, fmt.Sprintf("%04d_step", i),
			"CREATE TABLE "+table+" (id text PRIMARY KEY);\nINSERT INTO "+table+" VALUES ('x');", "DROP TABLE "+table+";")
	}
	return bundb.Schema{Name: name, FS: files}
}

// put writes a migration for both databases; an empty text leaves its file out.
func put(files fstest.MapFS, name, up, down string) {
	for _, dir := range []string{"postgres", "sqlite"} {
		for suffix, text := range map[string]string{".up.sql": up, ".down.sql": down} {
			if text != "" {
				files[dir+"/"+name+suffix] = &fstest.MapFile{Data: []byte(text)}
			}
		}
	}
}

func bare(t *testing.T, fn func(t *testing.T, db *bundb.DB)) {
	t.Helper()
	t.Parallel()
	bundbtest.Each(t, nil, fn)
}

func names(ms []bundb.Migration) []string {
	var all []string
	for _, m := range ms {
		all = append(all, m.String())
	}
	return all
}

func TestMigrateAppliesWhatIsPendingInOrder(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		ctx := t.Context()
		one, two := steps("one", 2), steps("two", 1)
		all := []string{"two 0001_step", "one 0001_step", "one 0002_step"}
		pending, err := db.Pending(ctx, two, one)
		assert.NoError(t, err)
		assert.Equal(t, names(pending), all)
		done, err := db.Migrate(ctx, two, one)
		assert.NoError(t, err)
		assert.Equal(t, names(done), all)
		assert.Equal(t, done[0].AppliedAt, db.Now())
		done, err = db.Migrate(ctx, one, two, steps("three", 1))
		assert.NoError(t, err)
		assert.Equal(t, names(done), []string{"three 0001_step"})
		done, err = db.Migrate(ctx, steps("one", 3))
		assert.NoError(t, err)
		assert.Equal(t, names(done), []string{"one 0003_step"})
		pending, err = db.Pending(ctx, one)
		assert.ErrorIs(t, err, bundb.ErrMigrationUnknown)
		assert.Len(t, pending, 0)
	})
}

func TestSixteenMigrateAtOnceAndEachFileIsAppliedOnce(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		pools := []*bundb.DB{db, bundbtest.Reopen(t, db), bundbtest.Reopen(t, db), bundbtest.Reopen(t, db)}
		schemas := []bundb.Schema{steps("one", 5), steps("two", 3)}
		var wg sync.WaitGroup
		var applied atomic.Int64
		for i := range 16 {
			wg.Go(func() {
				done, err := pools[i%len(pools)].Migrate(t.Context(), schemas...)
				assert.NoError(t, err)
				applied.Add(int64(len(done)))
			})
		}
		wg.Wait()
		assert.Equal(t, applied.Load(), 8)
		for _, table := range []string{"one_5", "two_3"} {
			var n int
			row := db.Statement("SELECT count(*) FROM tenon_" + table).QueryRow(t.Context())
			assert.NoError(t, row.Scan(&n))
			assert.Equal(t, n, 1)
		}
	})
}

func TestFailedMigrationLeavesNothingOfItself(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		s := steps("one", 1)
		put(s.FS.(fstest.MapFS), "0002_broken", "CREATE TABLE tenon_half (id text); INSERT INTO tenon_absent VALUES (1);", "SELECT 1;")
		done, err := db.Migrate(t.Context(), s)
		assert.Error(t, err)
		assert.Contains(t, err.Error(), "one 0002_broken")
		assert.Equal(t, names(done), []string{"one 0001_step"})
		assert.NotContains(t, bundbtest.SchemaText(t, db), "tenon_half")
		put(s.FS.(fstest.MapFS), "0002_broken", "CREATE TABLE tenon_half (id text);", "DROP TABLE tenon_half;")
		done, err = db.Migrate(t.Context(), s)
		assert.NoError(t, err)
		assert.Equal(t, names(done), []string{"one 0002_broken"})
	})
}

// A process that dies while migrating looks to the database like a cut connection.
func TestMigrateCutAtAnyStatementGoesOnLater(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		s := steps("one", 2)
		want := bundbtest.SchemaText(t, migrated(t, db.Dialect(), s))
		for k := 1; ; k++ {
			bundbtest.FaultsOf(db).CutAt(k)
			_, err := db.Migrate(t.Context(), s)
			bundbtest.FaultsOf(db).Disarm()
			if err == nil && k > 1 {
				break
			}
			assert.ErrorIs(t, err, problem.ErrUnavailable)
			_, err = db.Migrate(t.Context(), s)
			assert.NoError(t, err)
			assert.Equal(t, bundbtest.SchemaText(t, db), want)
			_, err = db.Rollback(t.Context(), s, 0)
			assert.NoError(t, err)
		}
	})
}

func migrated(t *testing.T, dialect bundb.Dialect, s bundb.Schema) *bundb.DB {
	if dialect == bundb.SQLite {
		return bundbtest.SQLite(t, s)
	}
	return bundbtest.Postgres(t, s)
}

func TestRollbackUndoesTheNewestFirst(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		ctx := t.Context()
		s, other := steps("one", 3), steps("two", 1)
		_, err := db.Migrate(ctx, s, other)
		assert.NoError(t, err)
		undone, err := db.Rollback(ctx, s, 1)
		assert.NoError(t, err)
		assert.Equal(t, names(undone), []string{"one 0003_step", "one 0002_step"})
		pending, err := db.Pending(ctx, s, other)
		assert.NoError(t, err)
		assert.Equal(t, names(pending), []string{"one 0002_step", "one 0003_step"})
		_, err = db.Migrate(ctx, s)
		assert.NoError(t, err)
		_, err = db.Rollback(ctx, steps("one", 2), 0)
		assert.ErrorIs(t, err, bundb.ErrMigrationUnknown)
		undone, err = db.Rollback(ctx, steps("three", 1), 0)
		assert.NoError(t, err)
		assert.Len(t, undone, 0)
	})
}

func TestAppliedFilesAreChecked(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		ctx := t.Context()
		_, err := db.Migrate(ctx, steps("one", 3))
		assert.NoError(t, err)
		crlf := steps("one", 3)
		put(crlf.FS.(fstest.MapFS), "0001_step", "CREATE TABLE tenon_one_1 (id text PRIMARY KEY);\r\nINSERT INTO tenon_one_1 VALUES ('x');", "DROP TABLE tenon_one_1;")
		_, err = db.Migrate(ctx, crlf)
		assert.NoError(t, err)

		edited := steps("one", 4)
		put(edited.FS.(fstest.MapFS), "0002_step", "CREATE TABLE tenon_one_2 (id text);", "DROP TABLE tenon_one_2;")
		for _, call := range []func() error{
			func() error { _, err := db.Migrate(ctx, edited); return err },
			func() error { _, err := db.Pending(ctx, edited); return err },
			func() error { _, err := db.Rollback(ctx, edited, 1); return err },
		} {
			assert.ErrorIs(t, call(), bundb.ErrMigrationEdited)
		}
		_, err = db.Raw(ctx).ExecContext(ctx, "DELETE FROM tenon_migrations WHERE number = 2")
		assert.NoError(t, err)
		_, err = db.Migrate(ctx, steps("one", 4))
		assert.ErrorIs(t, err, bundb.ErrMigrationGap)
		assert.NotContains(t, bundbtest.SchemaText(t, db), "tenon_one_4")
	})
}

func TestPlanIsWhatMigrateWouldRunAndChangesNothing(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		ctx := t.Context()
		schemas := []bundb.Schema{steps("one", 2), steps("two", 1)}
		before := bundbtest.SchemaText(t, db)
		script, err := db.Plan(ctx, schemas...)
		assert.NoError(t, err)
		assert.Equal(t, bundbtest.SchemaText(t, db), before)
		_, err = db.Raw(ctx).ExecContext(ctx, script)
		assert.NoError(t, err)
		assert.Equal(t, bundbtest.SchemaText(t, db), bundbtest.SchemaText(t, migratedAll(t, db.Dialect(), schemas)))
		done, err := db.Migrate(ctx, schemas...)
		assert.NoError(t, err)
		assert.Len(t, done, 0)
		script, err = db.Plan(ctx, schemas...)
		assert.NoError(t, err)
		assert.Equal(t, script, "")
	})
}

func migratedAll(t *testing.T, dialect bundb.Dialect, schemas []bundb.Schema) *bundb.DB {
	db := migrated(t, dialect, schemas[0])
	_, err := db.Migrate(t.Context(), schemas...)
	assert.NoError(t, err)
	return db
}

func TestMigrateRefusesATransaction(t *testing.T) {
	bare(t, func(t *testing.T, db *bundb.DB) {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_, err := db.Migrate(ctx, steps("one", 1))
			return err
		})
		assert.ErrorIs(t, err, bundb.ErrInTransaction)
	})
}

func TestIncompleteMigrationFilesAreRefused(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t)
	for name, damage := range map[string]func(files fstest.MapFS){
		"down is missing":       func(f fstest.MapFS) { delete(f, "sqlite/0002_step.down.sql"); delete(f, "postgres/0002_step.down.sql") },
		"up is missing":         func(f fstest.MapFS) { delete(f, "sqlite/0002_step.up.sql"); delete(f, "postgres/0002_step.up.sql") },
		"other database lacks":  func(f fstest.MapFS) { delete(f, "postgres/0003_step.up.sql"); delete(f, "postgres/0003_step.down.sql") },
		"other database's pair": func(f fstest.MapFS) { delete(f, "postgres/0002_step.down.sql") },
		"gap":                   func(f fstest.MapFS) { put(f, "0005_late", "SELECT 1;", "SELECT 1;") },
		"number twice":          func(f fstest.MapFS) { put(f, "0003_again", "SELECT 1;", "SELECT 1;") },
		"odd name":              func(f fstest.MapFS) { put(f, "03_Short", "SELECT 1;", "SELECT 1;") },
	} {
		s := steps("one", 3)
		damage(s.FS.(fstest.MapFS))
		_, err := db.Migrate(t.Context(), s)
		assert.True(t, errors.Is(err, bundb.ErrMigrationFiles), name+": "+fmt.Sprint(err))
	}
	for _, s := range [][]bundb.Schema{{{Name: "one"}}, {{Name: "One", FS: fstest.MapFS{}}}, {steps("one", 1), steps("one", 1)}} {
		_, err := db.Pending(t.Context(), s...)
		assert.ErrorIs(t, err, bundb.ErrMigrationFiles)
	}
	assert.Equal(t, bundbtest.SchemaText(t, db), "")
}

func TestUpDownUpEqualsUp(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, steps("one", 3))
	bundbtest.TestSchema(t, notes()[0])
}
