package bundbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// rowSecurityVariable set to anything runs what asks for RowSecurity with it.
const rowSecurityVariable = "TENON_TEST_ROW_SECURITY"

// RowSecurity reports whether tests on PostgreSQL are asked to run with row security, by
// the environment variable TENON_TEST_ROW_SECURITY.
func RowSecurity(db *bundb.DB) bool {
	return db.Dialect() == bundb.Postgres && os.Getenv(rowSecurityVariable) != ""
}

// Secured returns another pool on the data of db, which is PostgreSQL's, with row
// security: as a role of the application that sees of the tables what its scope
// opens, with a system's scope of another role. Both may use all tables of db and are
// made for the test, which needs a db that may make roles; db itself sees
// everything if it is a superuser's.
func Secured(t testing.TB, db *bundb.DB, tables ...bundb.SecuredTable) *bundb.DB {
	t.Helper()
	suffix := strings.ToLower(rand.Text()[:16])
	roles := bundb.Roles{App: "tenon_test_app_" + suffix, System: "tenon_test_system_" + suffix}
	script, err := bundb.PolicySQL(roles, tables...)
	if err != nil {
		t.Fatalf("bundbtest: %v", err)
	}
	password := rand.Text()
	both := roles.App + ", " + roles.System
	var schema string
	ctx := unseen(context.Background())
	if err := db.Raw(ctx).QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		t.Fatalf("bundbtest: %v", err)
	}
	grants, err := bundb.GrantSQL(roles, schema)
	if err != nil {
		t.Fatalf("bundbtest: %v", err)
	}
	t.Cleanup(func() {
		for _, query := range []string{"DROP OWNED BY " + both, "DROP ROLE " + both} {
			if _, err := db.Raw(ctx).ExecContext(ctx, query); err != nil {
				t.Errorf("bundbtest: drop the roles: %v", err)
			}
		}
	})
	for _, query := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", roles.App, password),
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", roles.System, password),
		grants,
		// For what the test makes later.
		fmt.Sprintf("ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %s", schema, both),
		script,
	} {
		if _, err := db.Raw(ctx).ExecContext(ctx, query); err != nil {
			t.Fatalf("bundbtest: secure the tables: %v", err)
		}
	}
	s := driverOf(db).source
	s.clock = driverOf(db).clock
	s.system = withUser(t, s.dsn, roles.System, password)
	s.dsn = withUser(t, s.dsn, roles.App, password)
	return s.open(t)
}

// withUser makes a data source name of either form that of another role.
func withUser(t testing.TB, dsn, role, password string) string {
	t.Helper()
	if !strings.Contains(dsn, "://") {
		return dsn + " user=" + role + " password=" + password
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("bundbtest: the data source name cannot be parsed")
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}
