package bundb

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/tenon-go/tenon/problem"
)

// The settings that hold the scope of a transaction, and what of them policies
// compare with. PostgreSQL leaves an empty text behind where a transaction had set
// one, hence nullif: empty is nothing, and nothing equals no row.
const (
	organizationSetting = "tenon.org"
	userSetting         = "tenon.user"

	// ScopedOrganization and ScopedUser are the ids of the scope in the SQL of
	// PostgreSQL, NULL where there is none, for the conditions of a [SecuredTable].
	ScopedOrganization = "nullif(current_setting('" + organizationSetting + "', true), '')"
	ScopedUser         = "nullif(current_setting('" + userSetting + "', true), '')"
)

// SecuredTable says whose the rows of a table are. A scope that none of the fields
// opens a row to does not see it, cannot change it and cannot insert it.
type SecuredTable struct {
	// Table is its name, or schema and name with a dot.
	Table string
	// Organization is the column with the id of the organization that may read and
	// write a row; empty: none.
	Organization string
	// User is the column with the id of the user who may read and write a row;
	// empty: none.
	User string
	// IDType is the type of those columns where it is not text, such as "uuid".
	IDType string
	// ReadIf and InsertIf are further conditions, SQL of the program, under which
	// rows may be read and inserted.
	ReadIf, InsertIf string
	// LockIf is a condition under which rows may be locked, which needs more than
	// ReadIf, and not changed, by a scope without an organization.
	LockIf string
}

// Roles are the two roles of the policies, which must exist and log in. Neither
// owns the tables.
type Roles struct {
	// App is the role of the pool, System that of the system's scope.
	App, System string
}

// ErrPolicies means that a table cannot be secured as it is described.
var ErrPolicies = problem.New(problem.Internal, "POLICIES", "The table cannot be secured as described.")

var (
	tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)
	plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_ ]*$`)
)

// PolicySQL returns a script for PostgreSQL that lets each role at the rows of its
// scope alone: row security enabled and forced, and policies that replace those of
// an earlier run. The owner of the tables runs it, after the migrations and again
// after each that adds a table; it is one transaction, and what it
// describes wrongly is ErrPolicies. Being forced, the policies bind the owner too:
// a later migration that changes rows, not only tables, needs a role with BYPASSRLS.
//
// The roles also need their ordinary rights, which [GrantSQL] gives.
func PolicySQL(roles Roles, tables ...SecuredTable) (string, error) {
	if roles.App == "" || roles.System == "" || roles.App == roles.System {
		return "", fmt.Errorf("bundb: policies need two roles: %w", ErrPolicies)
	}
	var b strings.Builder
	b.WriteString("BEGIN;\n")
	for _, t := range tables {
		if err := t.check(); err != nil {
			return "", fmt.Errorf("bundb: policies of %q: %w", t.Table, err)
		}
		t.write(&b, roles)
	}
	b.WriteString("COMMIT;\n")
	return b.String(), nil
}

// GrantSQL returns a script for PostgreSQL that gives both roles their ordinary rights on
// everything in the schema: to use it, and to read and change, but not to define, its
// tables. It is for the owner of the tables too.
func GrantSQL(roles Roles, schema string) (string, error) {
	if roles.App == "" || roles.System == "" || roles.App == roles.System || !plainName.MatchString(schema) {
		return "", fmt.Errorf("bundb: grants need two roles and a schema: %w", ErrPolicies)
	}
	both, in := quoteName(roles.App)+", "+quoteName(roles.System), quoteName(schema)
	return "GRANT USAGE ON SCHEMA " + in + " TO " + both + ";\n" +
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + in + " TO " + both + ";\n" +
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA " + in + " TO " + both + ";\n", nil
}

func (t SecuredTable) check() error {
	if !tableName.MatchString(t.Table) {
		return ErrPolicies
	}
	for _, name := range []string{t.Organization, t.User, t.IDType} {
		if name != "" && !plainName.MatchString(name) {
			return ErrPolicies
		}
	}
	return nil
}

func (t SecuredTable) write(b *strings.Builder, roles Roles) {
	table := `"` + strings.ReplaceAll(t.Table, ".", `"."`) + `"`
	fmt.Fprintf(b, "ALTER TABLE %s ENABLE ROW LEVEL SECURITY;\n", table)
	fmt.Fprintf(b, "ALTER TABLE %s FORCE ROW LEVEL SECURITY;\n", table)
	policy := func(name, command, role, using, check string) {
		fmt.Fprintf(b, "DROP POLICY IF EXISTS %s ON %s;\n", name, table)
		if using+check == "" {
			return
		}
		fmt.Fprintf(b, "CREATE POLICY %s ON %s FOR %s TO %s", name, table, command, quoteName(role))
		if using != "" {
			fmt.Fprintf(b, " USING (%s)", using)
		}
		if check != "" {
			fmt.Fprintf(b, " WITH CHECK (%s)", check)
		}
		b.WriteString(";\n")
	}
	organization, user := t.equals(t.Organization, ScopedOrganization), t.equals(t.User, ScopedUser)
	// By name besides by membership: a role that inherits the system's stays out.
	system := "current_user = " + quoteText(roles.System)
	policy("tenon_organization", "ALL", roles.App, organization, organization)
	policy("tenon_user", "ALL", roles.App, user, user)
	policy("tenon_read", "SELECT", roles.App, t.ReadIf, "")
	policy("tenon_insert", "INSERT", roles.App, "", t.InsertIf)
	lock, change := "", ""
	if t.LockIf != "" {
		// Only there: what would be changed has to fit the scope by another policy, and
		// could be another organization's row until then.
		lock, change = ScopedOrganization+" IS NULL AND ("+t.LockIf+")", "false"
	}
	policy("tenon_lock", "UPDATE", roles.App, lock, change)
	policy("tenon_system", "ALL", roles.System, system, system)
}

func (t SecuredTable) equals(column, setting string) string {
	if column == "" {
		return ""
	}
	if t.IDType != "" {
		setting += "::" + t.IDType
	}
	return quoteName(column) + " = " + setting
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// securedSQL asks whether the policies of a table are in force and who they are
// for: a policy that does not name the role of the pool was made for another.
const securedSQL = `
SELECT c.relrowsecurity AND c.relforcerowsecurity,
  coalesce((SELECT bool_and(p.policyname LIKE 'tenon\_%' AND NOT 'public' = ANY (p.roles))
    FROM pg_policies AS p JOIN pg_namespace AS n ON n.nspname = p.schemaname
    WHERE n.oid = c.relnamespace AND p.tablename = c.relname AND p.permissive = 'PERMISSIVE'), false)
FROM pg_class AS c WHERE c.oid = to_regclass($1)`

// CheckSecured returns ErrRowSecurity unless row security is on and forced for every
// table, with the policies of [PolicySQL] and no wider ones: policies of other names
// must be restrictive. A host calls it when it starts.
func (d *DB) CheckSecured(ctx context.Context, tables ...SecuredTable) error {
	if !d.secured() {
		return fmt.Errorf("bundb: row security is off: %w", ErrRowSecurity)
	}
	for _, t := range tables {
		var forced, ours bool
		name := `"` + strings.ReplaceAll(t.Table, ".", `"."`) + `"`
		err := d.sqldb.QueryRowContext(unscoped(ctx), securedSQL, name).Scan(&forced, &ours)
		switch {
		case err != nil:
			return Wrap("bundb: check the table "+t.Table, err)
		case !forced:
			return fmt.Errorf("bundb: the table %s does not force row security: %w", t.Table, ErrRowSecurity)
		case !ours:
			return fmt.Errorf("bundb: the table %s has no policies, or wider ones: %w", t.Table, ErrRowSecurity)
		}
	}
	return nil
}
