package bundbtest_test

import (
	"slices"
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
			{Name: "how many", Table: "places", Statement: "select count ( * ) from places ;", Reason: "no more than that"},
			{Name: "by key", Table: "notes", Column: "key", Reason: "a key is one organization's"},
		},
	}
}

// needed are statements that need every excuse of tenants.
func needed() []string {
	return []string{"SELECT * FROM places AS p WHERE p.user_id = ?", "SELECT count(*) FROM places", "SELECT * FROM notes WHERE key = $1"}
}

// offences is what is found in a statement.
func offences(query string) []string { return tenants().Offences(append(needed(), query)) }

// An excuse that no statement needs any more would excuse the next one that fits.
func TestIsolation_AnExcuseThatNothingNeedsIsFound(t *testing.T) {
	t.Parallel()
	assert.Len(t, tenants().Offences(needed()), 0)
	for i, name := range []string{"own places", "how many", "by key"} {
		assert.Equal(t, tenants().Offences(slices.Delete(needed(), i, i+1)), []string{"no statement needs the excuse: " + name})
	}
	// One that fits, where the organization is named as well.
	spare := append(needed()[1:], "SELECT * FROM places AS p WHERE p.user_id = ? AND p.organization_id = ?")
	assert.Equal(t, tenants().Offences(spare), []string{"no statement needs the excuse: own places"})
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
		"excused to its end":    "SELECT count(*) FROM places WHERE id = ?",
		"excused elsewhere":     "DELETE FROM places AS p WHERE p.user_id = ?",

		"not it, bare":                 "SELECT * FROM notes WHERE NOT organization_id = ?",
		"not it, with its name":        "SELECT * FROM notes AS n WHERE NOT n.organization_id = ?",
		"in a case":                    "SELECT * FROM notes WHERE CASE WHEN organization_id = ? THEN ? ELSE ? END",
		"or its own":                   "SELECT * FROM notes WHERE organization_id = COALESCE(?, organization_id)",
		"in a list with its own":       "SELECT * FROM notes WHERE organization_id IN (?, organization_id)",
		"left of an outer join":        "SELECT * FROM notes AS n LEFT JOIN places AS p ON n.organization_id = ? WHERE n.id = ?",
		"left of an outer join, bound": "SELECT * FROM notes AS n LEFT OUTER JOIN places AS p ON p.organization_id = ? AND p.organization_id = n.organization_id",
		"right of a right join":        "SELECT * FROM notes AS n RIGHT JOIN places AS p ON p.organization_id = ?",
		"a full join":                  "SELECT * FROM notes AS n FULL JOIN places AS p ON n.organization_id = ? AND p.organization_id = ?",
		"after a join":                 "SELECT * FROM users AS u JOIN orgs AS o ON o.id = u.org_id, notes AS n WHERE n.id = ?",
		"where nothing exists":         "DELETE FROM notes AS n WHERE NOT EXISTS (SELECT ? FROM places AS p WHERE p.organization_id = ? AND p.organization_id = n.organization_id)",
		"or where something exists":    "DELETE FROM notes AS n WHERE id = ? OR EXISTS (SELECT ? FROM places AS p WHERE p.organization_id = ? AND p.organization_id = n.organization_id)",
		"beside a count":               "SELECT (SELECT count(*) FROM places AS p WHERE p.organization_id = ? AND p.organization_id = n.organization_id) FROM notes AS n WHERE n.id = ?",
		"by what does not exist":       "SELECT * FROM orgs AS o JOIN notes AS n ON n.organization_id = o.id WHERE NOT EXISTS (SELECT ? FROM users WHERE o.id = ?)",
		"among parents":                "DELETE FROM notes WHERE id IN (SELECT n.parent_id FROM notes AS n WHERE n.organization_id = ?)",
		"among its own and others":     "DELETE FROM notes WHERE id IN (SELECT n.id FROM notes AS n WHERE n.organization_id = ? UNION SELECT ?)",
		"update from another":          "UPDATE notes AS n SET text = p.text FROM places AS p WHERE p.organization_id = ? AND p.note_id = n.id",
		"update from it":               "UPDATE users AS u SET name = n.text FROM notes AS n WHERE n.user_id = u.id AND u.id = ?",
		"delete using another":         "DELETE FROM notes AS n USING places AS p WHERE p.organization_id = ? AND p.note_id = n.id",
		"only it":                      "DELETE FROM ONLY tenon.notes WHERE id = $1",
		"taken over":                   "INSERT INTO notes (id, organization_id) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET text = ?",
		"taken over by a constraint":   "INSERT INTO notes (id, organization_id) VALUES (?, ?) ON CONFLICT ON CONSTRAINT notes_id DO UPDATE SET text = ?",
		"replaced":                     "INSERT OR REPLACE INTO notes (id, organization_id) VALUES (?, ?)",
		"replaced, in short":           "REPLACE INTO notes (id, organization_id) VALUES (?, ?)",
		"merged":                       "MERGE INTO notes AS n USING users AS u ON u.note_id = n.id WHEN MATCHED THEN UPDATE SET text = ?",
		"inserted from it":             "INSERT INTO users (id, name) SELECT n.id, n.text FROM notes AS n WHERE n.id = ?",
		"inserted from another's":      "INSERT INTO notes (id, organization_id) SELECT p.id, p.organization_id FROM places AS p WHERE p.id = ?",
		"a common table beside":        "WITH x AS (SELECT id FROM places WHERE organization_id = ?) UPDATE notes SET text = ? WHERE id IN (SELECT id FROM x)",
		"emptied":                      "TRUNCATE TABLE notes",
		"explained":                    "EXPLAIN SELECT * FROM notes WHERE id = ?",
		"in parentheses":               "(SELECT * FROM notes WHERE id = ?)",
	} {
		if found := offences(query); len(found) == 0 {
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
		"inserted with":          "INSERT INTO notes (id, organization_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
		"taken over, its own":    "INSERT INTO notes (id, organization_id) VALUES (?, ?) ON CONFLICT (organization_id, id) DO UPDATE SET text = ?",
		"taken over, if its own": "INSERT INTO notes AS n (id, organization_id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET text = $3 WHERE n.organization_id = excluded.organization_id",
		"left of a left join":    "SELECT * FROM notes AS n LEFT JOIN places AS p ON p.organization_id = n.organization_id WHERE n.organization_id = ?",
		"where it exists":        "SELECT * FROM notes AS n WHERE EXISTS (SELECT 1 FROM places AS p WHERE p.organization_id = ? AND p.organization_id = n.organization_id)",
		"update from":            "UPDATE notes AS n SET text = p.text FROM places AS p WHERE p.organization_id = $1 AND n.organization_id = p.organization_id",
		"delete using":           "DELETE FROM notes AS n USING places AS p WHERE p.organization_id = $1 AND n.organization_id = p.organization_id",
		"common tables":          "WITH x AS (DELETE FROM notes WHERE organization_id = ? RETURNING id), y AS (SELECT 1) SELECT * FROM x, y WHERE x.id = ?",
		"inserted from it":       "INSERT INTO notes (id, organization_id) SELECT id, organization_id FROM places WHERE organization_id = ?",
		"a comma after a join":   "SELECT * FROM users AS u JOIN orgs AS o ON o.id = u.org_id, notes AS n WHERE n.organization_id = ?",
		"locked":                 "SELECT n.id FROM notes AS n WHERE n.organization_id = $1 AND n.id = $2 FOR NO KEY UPDATE OF n",
		"excused":                "SELECT * FROM places AS p WHERE p.user_id = ?",
		"by what is excused":     "SELECT * FROM notes AS n JOIN places AS q ON q.organization_id = n.organization_id WHERE n.key = ?",
		"another table":          "SELECT * FROM users WHERE id = ?",
		"a definition":           "CREATE TABLE notes (id TEXT)",
		"a name that is a part":  "SELECT * FROM notes_of_all",
		"an insert from a table": "INSERT INTO notes (id, organization_id) SELECT id, ? FROM users WHERE id = ?",
	} {
		if found := offences(query); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
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
