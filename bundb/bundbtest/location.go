package bundbtest

import (
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

// Location returns the data source name of a test's database, for another
// process to open with At: the child of a test that dies on purpose.
func Location(db *bundb.DB) string { return driverOf(db).source.dsn }

// At opens the database at a Location, with faults and a clock of its own. It is
// closed when the test ends; the data stay.
func At(t testing.TB, dialect bundb.Dialect, location string) *bundb.DB {
	t.Helper()
	return source{dialect: dialect, dsn: location}.open(t)
}
