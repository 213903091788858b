package bundb_test

import (
	"context"
	"database/sql"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/internal/assert"
)

// papers is a table of which each row belongs to an organization and a user.
func papers() bundb.Schema {
	up := &fstest.MapFile{Data: []byte("CREATE TABLE tenon_papers (id text NOT NULL, org text NOT NULL, author text NOT NULL);")}
	down := &fstest.MapFile{Data: []byte("DROP TABLE tenon_papers;")}
	return bundb.Schema{Name: "papers", FS: fstest.MapFS{
		"sqlite/0001_init.up.sql": up, "sqlite/0001_init.down.sql": down,
		"postgres/0001_init.up.sql": up, "postgres/0001_init.down.sql": down,
	}}
}

func paperTable() bundb.SecuredTable {
	return bundb.SecuredTable{Table: "tenon_papers", Organization: "org", User: "author"}
}

const addPaper = "INSERT INTO tenon_papers (id, org, author) VALUES (?, ?, ?)"

// library returns a secured database with papers of two organizations, each with one
// of ada's and one of bob's, and the database of their owner.
func library(t *testing.T) (secured, owner *bundb.DB) {
	t.Helper()
	owner = bundbtest.Postgres(t, papers())
	for _, p := range [][]any{{"ra", "red", "ada"}, {"rb", "red", "bob"}, {"ba", "blue", "ada"}, {"bb", "blue", "bob"}} {
		_, err := owner.Statement(addPaper).Exec(t.Context(), p...)
		assert.NoError(t, err)
	}
	return bundbtest.Secured(t, owner, paperTable()), owner
}

// seen returns the ids of the papers that a statement without any WHERE finds.
func seen(ctx context.Context, t *testing.T, db *bundb.DB) string {
	t.Helper()
	var ids []string
	err := db.Bun().NewRaw("SELECT id FROM tenon_papers").Conn(db.Conn(ctx)).Scan(ctx, &ids)
	assert.NoError(t, err)
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func TestR29_AStatementWithoutWhereSeesItsScopeOnly(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	ctx := t.Context()
	for want, ctx := range map[string]context.Context{
		"":            ctx,
		"ra rb":       bundb.ForOrganization(ctx, "red"),
		"ba bb":       bundb.ForOrganization(ctx, "blue"),
		"ba ra":       bundb.ForUser(ctx, "ada"),
		"bb ra rb":    bundb.ForUser(bundb.ForOrganization(ctx, "red"), "bob"),
		"ba bb ra rb": bundb.ForSystem(ctx),
	} {
		assert.Equal(t, seen(ctx, t, db), want)
		assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error {
			assert.Equal(t, seen(ctx, t, db), want)
			return nil
		}))
		var n int
		assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_papers").Scan(ctx, nil, &n))
		assert.Equal(t, n, len(strings.Fields(want)))
	}
	for _, none := range []context.Context{bundb.ForOrganization(ctx, ""), bundb.ForUser(ctx, ""), bundb.ForOrganization(ctx, "green")} {
		assert.Equal(t, seen(none, t, db), "")
	}
}

func TestR29_AStatementWithoutWhereChangesItsScopeOnly(t *testing.T) {
	t.Parallel()
	db, owner := library(t)
	red := bundb.ForOrganization(t.Context(), "red")
	changed, err := db.Statement("UPDATE tenon_papers SET id = id || '!'").Exec(red)
	assert.NoError(t, err)
	n, err := changed.RowsAffected()
	assert.NoError(t, err)
	assert.Equal(t, n, int64(2))
	_, err = db.Statement(addPaper).Exec(red, "x", "blue", "eve")
	assert.Error(t, err)
	_, err = db.Statement("UPDATE tenon_papers SET org = 'blue'").Exec(red)
	assert.Error(t, err)
	_, err = db.Statement(addPaper).Exec(t.Context(), "x", "red", "eve")
	assert.Error(t, err)
	_, err = db.Statement("DELETE FROM tenon_papers").Exec(red)
	assert.NoError(t, err)
	assert.Equal(t, seen(t.Context(), t, owner), "ba bb")
}

// A statement alone that returns rows commits, however its rows are read.
func TestR29_AStatementOfItsOwnIsCommittedWithItsRows(t *testing.T) {
	t.Parallel()
	db, owner := library(t)
	red := bundb.ForOrganization(t.Context(), "red")
	add := db.Statement(addPaper + " RETURNING id")
	var id string
	assert.NoError(t, add.QueryRow(red, "r1", "red", "eve").Scan(&id))
	assert.NoError(t, add.Scan(red, []any{"r2", "red", "eve"}, &id))
	rows, err := add.Query(red, "r3", "red", "eve") //nolint:sqlclosecheck // read to the end, which closes
	assert.NoError(t, err)
	assert.True(t, rows.Next(), "a row")
	assert.False(t, rows.Next(), "a second row")
	assert.NoError(t, rows.Err())
	rows, err = add.Query(red, "r4", "red", "eve")
	assert.NoError(t, err)
	assert.NoError(t, rows.Close()) //nolint:sqlclosecheck // the close is what is tried
	assert.Error(t, add.QueryRow(red, "x", "blue", "eve").Scan(&id))
	_, err = db.Bun().NewRaw("INSERT INTO tenon_papers VALUES ('r5', 'red', 'eve')").Conn(db.Conn(red)).Exec(red)
	assert.NoError(t, err)
	assert.Equal(t, seen(t.Context(), t, owner), "ba bb r1 r2 r3 r4 r5 ra rb")
	assert.Equal(t, db.Bun().Stats().InUse, 0)
}

func TestR29_NothingOfAScopeStaysOnTheConnection(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	db.Bun().SetMaxOpenConns(1)
	red := bundb.ForOrganization(t.Context(), "red")
	for range 3 {
		assert.Equal(t, seen(red, t, db), "ra rb")
		assert.Equal(t, seen(t.Context(), t, db), "")
		_ = db.InTx(red, func(context.Context) error { return errFn })
		assert.Equal(t, seen(t.Context(), t, db), "")
	}
	// Somebody who sets the session's own scope reaches no transaction with it.
	_, err := db.Raw(t.Context()).ExecContext(t.Context(), "SELECT set_config('tenon.org', 'red', false)")
	assert.NoError(t, err)
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		assert.Equal(t, seen(ctx, t, db), "")
		return nil
	}))
	assert.Equal(t, seen(bundb.ForOrganization(t.Context(), "blue"), t, db), "ba bb")
}

func TestR29_InTxRestoresTheScopeOnEveryExit(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	exits := map[string]func(ctx context.Context) error{
		"return": func(context.Context) error { return nil },
		"error":  func(context.Context) error { return errFn },
		"panic":  func(context.Context) error { panic("boom") },
		"failed statement": func(ctx context.Context) error {
			_, err := db.Raw(ctx).ExecContext(ctx, "SELECT 1/0")
			return err
		},
		"failed statement kept quiet": func(ctx context.Context) error {
			_, _ = db.Raw(ctx).ExecContext(ctx, "SELECT 1/0")
			return nil
		},
		"goexit": func(context.Context) error { runtime.Goexit(); return nil },
		"nested": func(ctx context.Context) error {
			return db.InTx(bundb.SwitchScope(ctx, "", "bob"), func(ctx context.Context) error {
				assert.Equal(t, seen(ctx, t, db), "bb rb")
				return nil
			})
		},
	}
	for name, exit := range exits {
		var inside, after string
		var wg sync.WaitGroup
		assert.NoError(t, db.InTx(bundb.ForOrganization(t.Context(), "red"), func(ctx context.Context) error {
			wg.Go(func() { // for Goexit; the transaction is this goroutine's meanwhile
				defer func() { _ = recover() }()
				_ = db.InTx(bundb.SwitchScope(ctx, "blue", ""), func(ctx context.Context) error {
					inside = seen(ctx, t, db)
					return exit(ctx)
				})
			})
			wg.Wait()
			// Below all guards, where nothing could set the scope once more.
			return db.Raw(ctx).QueryRowContext(ctx, "SELECT string_agg(id, ' ' ORDER BY id) FROM tenon_papers").Scan(&after)
		}))
		assert.Equal(t, name+": "+inside+", "+after, name+": ba bb, ra rb")
	}
}

// Scopes are compared on both databases, row security or not: a mistake shows in tests
// on SQLite too.
func TestR29_ATransactionKeepsItsScopeUnlessTheChangeIsStated(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		nothing := func(context.Context) error { return nil }
		red := bundb.ForUser(bundb.ForOrganization(t.Context(), "red"), "ada")
		assert.NoError(t, db.InTx(red, func(ctx context.Context) error {
			for _, other := range []context.Context{
				bundb.ForOrganization(ctx, "blue"), bundb.ForOrganization(ctx, ""), bundb.ForUser(ctx, "bob"), bundb.ForSystem(ctx),
			} {
				assert.ErrorIs(t, add(other, db, "x"), bundb.ErrScope)
				assert.ErrorIs(t, db.InTx(other, nothing), bundb.ErrScope)
			}
			// The switch holds for the savepoint, not for statements around it.
			stated := bundb.SwitchScope(ctx, "blue", "bob")
			assert.ErrorIs(t, add(stated, db, "x"), bundb.ErrScope)
			assert.NoError(t, db.InTx(stated, func(ctx context.Context) error {
				assert.ErrorIs(t, db.InTx(red2(ctx), nothing), bundb.ErrScope)
				return add(ctx, db, "a")
			}))
			return add(ctx, db, "b")
		}))
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			assert.ErrorIs(t, db.InTx(bundb.ForSystem(ctx), nothing), bundb.ErrScope)
			return db.InTx(bundb.ForOrganization(ctx, "red"), func(ctx context.Context) error { return add(ctx, db, "c") })
		}))
		assert.NoError(t, db.InTx(bundb.ForSystem(t.Context()), func(ctx context.Context) error {
			assert.ErrorIs(t, add(bundb.ForOrganization(ctx, "red"), db, "x"), bundb.ErrScope)
			assert.ErrorIs(t, db.InTx(bundb.ForOrganization(ctx, "red"), nothing), bundb.ErrScope)
			assert.ErrorIs(t, db.InTx(bundb.SwitchScope(ctx, "red", ""), nothing), bundb.ErrScope)
			return add(ctx, db, "d")
		}))
		assert.Equal(t, ids(t, db), "abcd")
	})
}

// red2 goes back without stating it.
func red2(ctx context.Context) context.Context { return bundb.ForOrganization(ctx, "red") }

func TestR29_TheHostsOwnTransactionGetsTheScopeOfItsContext(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	red := bundb.ForOrganization(t.Context(), "red")
	for _, begun := range []context.Context{t.Context(), red, bundb.ForOrganization(t.Context(), "blue")} {
		tx, err := db.Bun().DB.BeginTx(begun, nil)
		assert.NoError(t, err)
		ctx, committed := db.WithSQLTx(red, tx)
		assert.Equal(t, seen(ctx, t, db), "ra rb")
		assert.NoError(t, db.InTx(bundb.SwitchScope(ctx, "blue", ""), func(ctx context.Context) error {
			assert.Equal(t, seen(ctx, t, db), "ba bb")
			return nil
		}))
		var n int
		assert.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM tenon_papers WHERE org = 'red'").Scan(&n))
		assert.Equal(t, n, 2)
		assert.Equal(t, seen(ctx, t, db), "ra rb")
		assert.NoError(t, tx.Commit())
		committed()
	}
	tx, err := db.Bun().DB.BeginTx(t.Context(), nil)
	assert.NoError(t, err)
	ctx, _ := db.WithSQLTx(bundb.ForSystem(t.Context()), tx)
	_, err = db.Statement("DELETE FROM tenon_papers").Exec(ctx)
	assert.ErrorIs(t, err, bundb.ErrScope)
	assert.NoError(t, tx.Rollback())
}

func TestR29_TheSystemsScopeIsAnotherRole(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	who := func(ctx context.Context) (name string) {
		assert.NoError(t, db.Statement("SELECT current_user::text").Scan(ctx, nil, &name))
		return name
	}
	assert.Contains(t, who(t.Context()), "_app_")
	assert.Contains(t, who(bundb.ForSystem(t.Context())), "_system_")
	assert.NoError(t, db.InTx(bundb.ForSystem(t.Context()), func(ctx context.Context) error {
		assert.Contains(t, who(ctx), "_system_")
		return nil
	}))
	for _, become := range []string{"SET ROLE ", "SET SESSION AUTHORIZATION "} {
		_, err := db.Raw(t.Context()).ExecContext(t.Context(), become+who(bundb.ForSystem(t.Context())))
		assert.Error(t, err)
	}
	for _, query := range []string{
		"ALTER TABLE tenon_papers DISABLE ROW LEVEL SECURITY", "ALTER TABLE tenon_papers NO FORCE ROW LEVEL SECURITY",
		"DROP POLICY tenon_organization ON tenon_papers", "TRUNCATE tenon_papers",
	} {
		_, err := db.Raw(t.Context()).ExecContext(t.Context(), query)
		assert.Error(t, err)
	}
}

func TestR29_PingRefusesRolesThatPoliciesWouldNotHold(t *testing.T) {
	t.Parallel()
	db, owner := library(t)
	ctx := t.Context()
	var app, system string
	assert.NoError(t, db.Statement("SELECT current_user::text").Scan(ctx, nil, &app))
	assert.NoError(t, db.Statement("SELECT current_user::text").Scan(bundb.ForSystem(ctx), nil, &system))
	run := func(query string) {
		t.Helper()
		_, err := owner.Raw(ctx).ExecContext(ctx, query)
		assert.NoError(t, err)
	}
	assert.NoError(t, db.Ping(ctx))
	for _, c := range []struct{ do, undo, says string }{
		{"ALTER ROLE " + app + " SUPERUSER", "ALTER ROLE " + app + " NOSUPERUSER", "superuser"},
		{"ALTER ROLE " + app + " BYPASSRLS", "ALTER ROLE " + app + " NOBYPASSRLS", "BYPASSRLS"},
		{"ALTER ROLE " + app + " CREATEROLE", "ALTER ROLE " + app + " NOCREATEROLE", "CREATEROLE"},
		{"GRANT " + system + " TO " + app, "REVOKE " + system + " FROM " + app, "member"},
		{"CREATE TABLE owned (); ALTER TABLE owned OWNER TO " + app, "DROP TABLE owned", "owns the table"},
	} {
		run(c.do)
		err := db.Ping(ctx)
		assert.ErrorIs(t, err, bundb.ErrRowSecurity)
		assert.Contains(t, err.Error(), c.says)
		run(c.undo)
		assert.NoError(t, db.Ping(ctx))
	}
}

func TestR29_CheckSecuredFindsTablesThatAreOpen(t *testing.T) {
	t.Parallel()
	db, owner := library(t)
	ctx := t.Context()
	run := func(query string) {
		t.Helper()
		_, err := owner.Raw(ctx).ExecContext(ctx, query)
		assert.NoError(t, err)
	}
	assert.NoError(t, db.CheckSecured(ctx, paperTable()))
	for do, undo := range map[string]string{
		"ALTER TABLE tenon_papers NO FORCE ROW LEVEL SECURITY":            "ALTER TABLE tenon_papers FORCE ROW LEVEL SECURITY",
		"ALTER TABLE tenon_papers DISABLE ROW LEVEL SECURITY":             "ALTER TABLE tenon_papers ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY wide ON tenon_papers USING (true)":                 "DROP POLICY wide ON tenon_papers",
		"CREATE POLICY tenon_wide ON tenon_papers TO public USING (true)": "DROP POLICY tenon_wide ON tenon_papers",
	} {
		run(do)
		assert.ErrorIs(t, db.CheckSecured(ctx, paperTable()), bundb.ErrRowSecurity)
		run(undo)
		assert.NoError(t, db.CheckSecured(ctx, paperTable()))
	}
	assert.ErrorIs(t, db.CheckSecured(ctx, bundb.SecuredTable{Table: "tenon_missing"}), sql.ErrNoRows)
	assert.ErrorIs(t, owner.CheckSecured(ctx, paperTable()), bundb.ErrRowSecurity)
}

// A host's table, in a schema of its own, with ids of another type.
func TestR29_AHostsOwnTableIsSecuredAlike(t *testing.T) {
	t.Parallel()
	owner := bundbtest.Postgres(t)
	ctx := t.Context()
	var schema string
	assert.NoError(t, owner.Statement("SELECT current_schema()::text").Scan(ctx, nil, &schema))
	_, err := owner.Raw(ctx).ExecContext(ctx, `CREATE TABLE projects (name text, "Org" uuid)`)
	assert.NoError(t, err)
	table := bundb.SecuredTable{Table: schema + ".projects", Organization: "Org", IDType: "uuid", ReadIf: "name = 'public'"}
	db := bundbtest.Secured(t, owner, table)
	assert.NoError(t, db.CheckSecured(ctx, table))
	const red, blue = "0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002"
	count := func(ctx context.Context) (n int) {
		assert.NoError(t, db.Statement("SELECT count(*) FROM projects").Scan(ctx, nil, &n))
		return n
	}
	for _, id := range []string{red, blue} {
		in := bundb.ForOrganization(ctx, id)
		for _, name := range []string{"public", "private"} {
			_, err := db.Statement("INSERT INTO projects VALUES (?, ?)").Exec(in, name, id)
			assert.NoError(t, err)
		}
	}
	assert.Equal(t, []int{count(ctx), count(bundb.ForOrganization(ctx, red)), count(bundb.ForSystem(ctx))}, []int{2, 3, 4})
	_, err = db.Raw(ctx).ExecContext(ctx, "SELECT count(*) FROM projects WHERE name = 'private'")
	assert.NoError(t, err)
}

// Policies that are forced bind the owner of the tables. A migration that changes
// rows would pass over most of them in silence.
func TestR29_AMigrationThatPoliciesWouldNarrowFails(t *testing.T) {
	t.Parallel()
	db, owner := library(t)
	ctx := t.Context()
	var app string
	assert.NoError(t, db.Statement("SELECT current_user::text").Scan(ctx, nil, &app))
	_, err := owner.Raw(ctx).ExecContext(ctx, "ALTER TABLE tenon_papers OWNER TO "+app)
	assert.NoError(t, err)
	schema := papers()
	for _, file := range []string{"sqlite/0002_ids.up.sql", "sqlite/0002_ids.down.sql", "postgres/0002_ids.up.sql", "postgres/0002_ids.down.sql"} {
		schema.FS.(fstest.MapFS)[file] = &fstest.MapFile{Data: []byte("UPDATE tenon_papers SET id = upper(id);")}
	}
	_, err = db.Migrate(ctx, schema)
	assert.Error(t, err)
	assert.Contains(t, err.Error(), "row-level security")
	done, err := owner.Migrate(ctx, schema)
	assert.NoError(t, err)
	assert.Len(t, done, 1)
}

func TestR29_SQLiteRefusesRowSecurity(t *testing.T) {
	t.Parallel()
	_, err := sqlite.Open(t.Context(), t.TempDir()+"/app.db", bundb.Config{RowSecurity: &bundb.RowSecurity{SystemDSN: "x"}})
	assert.ErrorIs(t, err, bundb.ErrRowSecurity)
	assert.Contains(t, err.Error(), "sqlite has no row-level security")
}

func TestR29_PolicySQLRefusesWhatItCannotQuote(t *testing.T) {
	t.Parallel()
	roles := bundb.Roles{App: "app", System: "system"}
	for _, table := range []bundb.SecuredTable{
		{}, {Table: "a b"}, {Table: `a"; DROP TABLE b; --`}, {Table: "a", Organization: "b;"}, {Table: "a", IDType: "uuid)"},
	} {
		_, err := bundb.PolicySQL(roles, table)
		assert.ErrorIs(t, err, bundb.ErrPolicies)
	}
	for _, roles := range []bundb.Roles{{}, {App: "app"}, {App: "app", System: "app"}} {
		_, err := bundb.PolicySQL(roles, paperTable())
		assert.ErrorIs(t, err, bundb.ErrPolicies)
	}
}

// A statement may add to the scope of its transaction. What it added is closed to the
// next one that does not ask for it.
func TestR29_AStatementAddsToTheScopeForItselfAlone(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	below := func(ctx context.Context) (all string) {
		assert.NoError(t, db.Raw(ctx).QueryRowContext(ctx, "SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM tenon_papers").Scan(&all))
		return all
	}
	assert.NoError(t, db.InTx(bundb.ForUser(t.Context(), "bob"), func(ctx context.Context) error {
		red := bundb.ForOrganization(ctx, "red")
		assert.Equal(t, below(ctx), "bb rb")
		assert.Equal(t, below(red), "bb ra rb")
		assert.Equal(t, below(ctx), "bb rb")
		for _, exit := range []error{nil, errFn} {
			for _, inside := range []context.Context{ctx, red} {
				for _, before := range []context.Context{ctx, red} {
					want := below(before)
					assert.ErrorIs(t, db.InTx(inside, func(ctx context.Context) error {
						assert.Equal(t, below(bundb.ForOrganization(ctx, "red")), "bb ra rb")
						if exit != nil {
							_, _ = db.Raw(ctx).ExecContext(ctx, "SELECT 1/0")
						}
						return exit
					}), exit)
					assert.Equal(t, below(before), want)
				}
			}
		}
		return nil
	}))
}

// What a savepoint added is closed when it ends, in whatever way, to the host's own
// statements too, which no guard looks at.
func TestR29_ASavepointClosesWhatItAdded(t *testing.T) {
	t.Parallel()
	db, _ := library(t)
	bob := bundb.ForUser(t.Context(), "bob")
	for _, exit := range []error{nil, errFn} {
		tx, err := db.Bun().DB.BeginTx(bob, nil)
		assert.NoError(t, err)
		ctx, _ := db.WithSQLTx(bob, tx)
		for _, inside := range []context.Context{ctx, bundb.ForOrganization(ctx, "red")} {
			assert.ErrorIs(t, db.InTx(inside, func(ctx context.Context) error {
				assert.Equal(t, seen(bundb.ForOrganization(ctx, "red"), t, db), "bb ra rb")
				return exit
			}), exit)
			var all string
			assert.NoError(t, tx.QueryRowContext(ctx, "SELECT string_agg(id, ' ' ORDER BY id) FROM tenon_papers").Scan(&all))
			assert.Equal(t, all, "bb rb")
		}
		assert.NoError(t, tx.Rollback())
	}
}
