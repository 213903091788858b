package bundbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// TestSchema shows on each database that the migrations of one package apply, that
// undoing them leaves nothing, and that applying them again makes exactly the same
// tables, indexes and constraints.
func TestSchema(t *testing.T, schema bundb.Schema) {
	t.Helper()
	Each(t, nil, func(t *testing.T, db *bundb.DB) {
		ctx := context.Background()
		migrate := func() {
			t.Helper()
			if _, err := db.Migrate(ctx, schema); err != nil {
				t.Fatalf("up: %v", err)
			}
		}
		empty := SchemaText(t, db)
		migrate()
		first := SchemaText(t, db)
		if first == empty {
			t.Fatal("the migrations make nothing")
		}
		if _, err := db.Rollback(ctx, schema, 0); err != nil {
			t.Fatalf("down: %v", err)
		}
		if got := SchemaText(t, db); got != empty {
			t.Errorf("down leaves something behind:\n%s", got)
		}
		migrate()
		if again := SchemaText(t, db); again != first {
			t.Errorf("up, down and up differs from up:\n%s\nwant\n%s", again, first)
		}
	})
}

// SchemaText describes all tables, columns, indexes and constraints of a test's
// database, the table of migrations left out, in a fixed order.
func SchemaText(t testing.TB, db *bundb.DB) string {
	t.Helper()
	queries := []string{`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'tenon_migrations' ORDER BY type, name`}
	if db.Dialect() == bundb.Postgres {
		queries = postgresCatalog()
	}
	var b strings.Builder
	for _, query := range queries {
		for _, row := range table(t, db, query) {
			fmt.Fprintln(&b, row...)
		}
	}
	return b.String()
}

// postgresCatalog returns queries for columns, indexes, constraints, triggers,
// policies and functions of the current schema.
func postgresCatalog() []string {
	const own = `<> 'tenon_migrations'`
	return []string{
		`SELECT 'column', table_name::text, column_name::text, ordinal_position, data_type::text, is_nullable::text,
			coalesce(column_default, ''), coalesce(collation_name::text, '')
			FROM information_schema.columns WHERE table_schema = current_schema() AND table_name ` + own + ` ORDER BY 2, 4`,
		`SELECT 'index', replace(indexdef, current_schema() || '.', '')
			FROM pg_indexes WHERE schemaname = current_schema() AND tablename ` + own + ` ORDER BY 2`,
		`SELECT 'constraint', c.relname::text, k.conname::text, replace(pg_get_constraintdef(k.oid), current_schema() || '.', '')
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
			WHERE k.connamespace = current_schema()::regnamespace AND c.relname ` + own + ` ORDER BY 2, 3`,
		`SELECT 'trigger', replace(pg_get_triggerdef(g.oid), current_schema() || '.', '')
			FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
			WHERE c.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal ORDER BY 2`,
		`SELECT 'policy', tablename::text, policyname::text, permissive, roles::text, cmd, coalesce(qual, ''), coalesce(with_check, '')
			FROM pg_policies WHERE schemaname = current_schema() ORDER BY 2, 3`,
		`SELECT 'security', relname::text, relrowsecurity, relforcerowsecurity
			FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity ORDER BY 2`,
		`SELECT 'function', replace(pg_get_functiondef(oid), current_schema() || '.', '')
			FROM pg_proc WHERE pronamespace = current_schema()::regnamespace ORDER BY 2`,
	}
}
