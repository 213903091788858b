package bundbtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// Dump returns every row of every table, text and bytes as they are stored, so
// that a test can look for what must not be at rest. The order of rows and tables
// is fixed by their content and name.
func Dump(t testing.TB, db *bundb.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, table := range tables(t, db) {
		fmt.Fprintf(&b, "== %s\n", table)
		for _, row := range rows(t, db, table) {
			b.Write(row)
		}
	}
	return b.Bytes()
}

// tables returns the names of all tables of the test's database.
func tables(t testing.TB, db *bundb.DB) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`
	if db.Dialect() == bundb.Postgres {
		query = `SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`
	}
	var names []string
	for _, row := range table(t, db, query) {
		names = append(names, string(fmt.Append(nil, row[0])))
	}
	return names
}

// rows returns one sorted line for each row, with the names of the columns.
func rows(t testing.TB, db *bundb.DB, name string) [][]byte {
	t.Helper()
	var lines [][]byte
	for _, row := range table(t, db, `SELECT * FROM "`+name+`"`) {
		var line bytes.Buffer
		for _, value := range row {
			if raw, ok := value.([]byte); ok {
				value = string(raw)
			}
			fmt.Fprintf(&line, "%v\t", value)
		}
		lines = append(lines, append(line.Bytes(), '\n'))
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

// table returns the values of a query.
func table(t testing.TB, db *bundb.DB, query string) [][]any {
	t.Helper()
	result, err := readAll(bundb.ForSystem(unseen(context.Background())), db, query)
	if err != nil {
		t.Fatalf("bundbtest: read the database: %v", err)
	}
	return result
}

func readAll(ctx context.Context, db *bundb.DB, query string) ([][]any, error) {
	rows, err := db.Raw(ctx).QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var result [][]any
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		result = append(result, values)
	}
	return result, rows.Err()
}
