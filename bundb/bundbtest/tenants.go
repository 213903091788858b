package bundbtest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// Tenants judges statements by whether they stay in one organization. A reference to a
// table with the column stays in it if the statement compares the column with a value,
// or with a column that is itself compared with one, in a WHERE or ON that holds for
// every row; and if it is inserted with the column. What an OR or a NOT loosens does not
// count.
//
// It reads the text as a list of words: it finds a condition that is missing, not one
// that names the wrong organization.
type Tenants struct {
	// Column names the organization in tables that belong to one: "organization_id".
	Column string
	// Tables are the tables with the column; see [TenantTables].
	Tables []string
	// Excused are the references that need no organization.
	Excused []Excuse
}

// Excuse says why a reference to a table needs no organization.
type Excuse struct {
	// Name is what the exception is called.
	Name string
	// Table is the table that it is about.
	Table string
	// Column stands for the organization where it is not empty: rows that it is compared
	// with are one owner's.
	Column string
	// Statement is a part of the text of the statements that are excused, as
	// [Normalize] writes it, with " ;" for its end; used where Column is empty.
	Statement string
	// Reason is for the reader.
	Reason string
}

// TenantTables returns the tables of a test's database that have the column, in order.
func TenantTables(t testing.TB, db *bundb.DB, column string) []string {
	t.Helper()
	var found []string
	for _, name := range tables(t, db) {
		query := `SELECT count(*) FROM pragma_table_info('` + name + `') WHERE name = '` + column + `'`
		if db.Dialect() == bundb.Postgres {
			query = `SELECT count(*) FROM information_schema.columns
				WHERE table_schema = current_schema() AND table_name = '` + name + `' AND column_name = '` + column + `'`
		}
		if fmt.Sprint(table(t, db, query)[0][0]) != "0" {
			found = append(found, name)
		}
	}
	return found
}

// Offences returns one line for each statement and table that may leave the
// organization, and one for each excuse that none of the statements needs.
func (c Tenants) Offences(statements []string) []string {
	texts := normalized(statements)
	found := c.offences(texts)
	for _, name := range c.unneeded(texts) {
		found = append(found, "no statement needs the excuse: "+name)
	}
	return found
}

// defines are the first words of statements that change no rows and return none.
func defines() []string {
	return []string{
		"create", "alter", "drop", "begin", "commit", "rollback", "savepoint", "release", "set", "reset", "show", "pragma", "analyze", "vacuum", "lock",
	}
}

// normalized returns what the statements are without their values, each once.
func normalized(statements []string) []string {
	texts, read := map[string]bool{}, map[string]bool{}
	for _, query := range statements {
		if read[query] {
			continue
		}
		read[query] = true
		text := Normalize(query)
		if first, _, _ := strings.Cut(text, " "); !slices.Contains(defines(), first) {
			texts[text] = true
		}
	}
	return slices.Sorted(maps.Keys(texts))
}

func (c Tenants) offences(texts []string) (found []string) {
	for _, text := range texts {
		p := &tenantParser{cfg: c, words: strings.Fields(text)}
		p.parse()
		for _, r := range p.unbound(text) {
			found = append(found, fmt.Sprintf("%s %s without %s: %s", r.table, r.alias, c.Column, text))
		}
	}
	return found
}

// Lint fails the test, when it and its subtests are over, for everything that
// [Tenants.Offences] finds in the statements that reached one of the databases which the
// function it returns was called with. Where -run or -skip choose among the subtests,
// statements are missing, and no excuse is held to be unneeded.
func (c Tenants) Lint(t *testing.T) (watch func(db *bundb.DB)) {
	t.Helper()
	var (
		mu    sync.Mutex
		stops []func() []string
	)
	t.Cleanup(func() {
		var all []string
		for _, stop := range stops {
			all = append(all, stop()...)
		}
		find := c.Offences
		if chosen() {
			find = func(statements []string) []string { return c.offences(normalized(statements)) }
		}
		for _, offence := range find(all) {
			t.Errorf("a statement may leave its organization: %s", offence)
		}
	})
	return func(db *bundb.DB) {
		mu.Lock()
		defer mu.Unlock()
		stops = append(stops, FaultsOf(db).watch())
	}
}

// chosen reports whether not all subtests run.
func chosen() bool {
	return slices.ContainsFunc([]string{"test.run", "test.skip"}, func(name string) bool {
		f := flag.Lookup(name)
		return f != nil && strings.Contains(f.Value.String(), "/")
	})
}
