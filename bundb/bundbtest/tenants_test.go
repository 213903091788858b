package bundbtest_test

import (
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func tenants() bundbtest.Tenants {
	return bundbtest.Tenants{
		Column: "organization_id", Tables: []string{"notes", "places"},
		Excused: []bundbtest.Excuse{
			{Name: "own places", Table: "places", Statement: "select * from places as p where p . user_id = ?", Reason: "a user's own"},
			{Name: "by key", Table: "notes", Column: "key", Reason: "a key is one organization's"},
		},
	}
}

// Every way to forget the organization is found.
func TestIsolation_StatementsWithoutTheirOrganizationAreFound(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"by id":                 "SELECT * FROM notes WHERE id = ?",
		"everything":            `SELECT count(*) FROM "notes"`,
		"update by id":          "UPDATE notes SET organization_id = ? WHERE id = $1",
		"delete by id":          "DELETE FROM notes AS n WHERE n.id = 'organization_id = 1'",
		"read, not compared":    "SELECT n.organization_id = ? FROM notes AS n WHERE n.id = ?",
		"compared otherwise":    "SELECT * FROM notes WHERE organization_id <> ?",
		"not it":                "SELECT * FROM notes WHERE NOT (organization_id = ?)",
		"not in it":             "SELECT * FROM notes WHERE organization_id NOT IN (?)",
		"or anything":           "SELECT * FROM notes WHERE organization_id = ? OR id = ?",
		"or anything, deeper":   "SELECT * FROM notes WHERE id = ? AND (organization_id = ? OR ? = '')",
		"of the other table":    "SELECT * FROM notes AS n, places AS p WHERE p.organization_id = ? AND n.id = p.note_id",
		"of nobody's join":      "SELECT * FROM notes AS n JOIN places AS p ON p.organization_id = n.organization_id WHERE n.id = ?",
		"of itself":             "SELECT * FROM notes AS n WHERE n.organization_id = n.organization_id",
		"a part of it":          "SELECT * FROM users WHERE id IN (SELECT user_id FROM places WHERE role = ?) AND organization_id = ?",
		"the second of a union": "SELECT id FROM notes WHERE organization_id = ? UNION ALL SELECT id FROM notes WHERE id = ?",
		"in a common table":     "WITH x AS (DELETE FROM notes WHERE id = ? RETURNING id) SELECT * FROM x",
		"among others":          "DELETE FROM notes WHERE id IN (SELECT n.id FROM notes AS n WHERE n.text = ?)",
		"not among":             "DELETE FROM notes WHERE id NOT IN (SELECT n.id FROM notes AS n WHERE n.organization_id = ?)",
		"inserted without":      "INSERT INTO notes (id, text) VALUES (?, ?)",
		"in a comment":          "SELECT * FROM notes WHERE id = ? -- AND organization_id = ?",
		"locked":                "SELECT id FROM notes WHERE id = ? FOR UPDATE",
		"excused elsewhere":     "DELETE FROM places AS p WHERE p.user_id = ?",
	} {
		if found := tenants().Offences([]string{query}); len(found) == 0 {
			t.Errorf("%s: not found in %s", name, query)
		}
	}
}

func TestIsolation_StatementsOfOneOrganizationPass(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"by id":                  "SELECT * FROM notes WHERE id = ? AND organization_id = ? LIMIT 1",
		"with a value":           `SELECT "n"."id" FROM "notes" AS "n" WHERE ("n"."organization_id" = '0190b2c4') AND (n.a = 1 OR n.b = 2)`,
		"the other way round":    "SELECT * FROM notes WHERE ? = organization_id",
		"a list":                 "DELETE FROM notes WHERE organization_id IN (?, ?)",
		"any":                    "DELETE FROM notes WHERE organization_id = ANY($1)",
		"update":                 "UPDATE notes SET text = ? WHERE organization_id = ? AND id = ? RETURNING id",
		"joined with it":         "SELECT * FROM notes AS n JOIN places AS p ON p.organization_id = n.organization_id WHERE p.organization_id = ?",
		"by another table":       "SELECT * FROM organizations AS o JOIN notes AS n ON n.organization_id = o.id WHERE o.id = ?",
		"a part of it":           "DELETE FROM notes AS n WHERE n.organization_id = ? AND EXISTS (SELECT 1 FROM places AS p WHERE p.organization_id = n.organization_id)",
		"among its own":          "DELETE FROM notes WHERE id IN (SELECT n.id FROM notes AS n WHERE n.organization_id = ? LIMIT 9)",
		"inserted with":          "INSERT INTO notes (id, organization_id) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET text = ?",
		"excused":                "SELECT * FROM places AS p WHERE p.user_id = ?",
		"by what is excused":     "SELECT * FROM notes AS n JOIN places AS q ON q.organization_id = n.organization_id WHERE n.key = ?",
		"another table":          "SELECT * FROM users WHERE id = ?",
		"a definition":           "CREATE TABLE notes (id TEXT)",
		"a name that is a part":  "SELECT * FROM notes_of_all",
		"an insert from a table": "INSERT INTO notes (id, organization_id) SELECT id, ? FROM users WHERE id = ?",
	} {
		assert.Equal(t, len(tenants().Offences([]string{query})), 0)
		if t.Failed() {
			t.Fatalf("%s: %v", name, tenants().Offences([]string{query}))
		}
	}
}

// The tables come from the schema.
func TestIsolation_TenantTablesAreThoseWithTheColumn(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		for _, statement := range []string{
			"CREATE TABLE notes (id TEXT, organization_id TEXT)", "CREATE TABLE users (id TEXT)", "CREATE TABLE places (organization_id TEXT)",
		} {
			assert.Must(db.Statement(statement).Exec(t.Context()))(t)
		}
		assert.Equal(t, bundbtest.TenantTables(t, db, "organization_id"), []string{"notes", "places"})
		assert.Equal(t, bundbtest.FaultsOf(db).Count(func() { bundbtest.TenantTables(t, db, "organization_id") }), 0)
	})
}
