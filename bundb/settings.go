package bundb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/tenon-go/tenon/problem"
)

// ErrSettings means that a session of PostgreSQL does not read and write values as
// the library does. The wrapping text names the setting.
var ErrSettings = problem.New(problem.Internal, "DATABASE_SETTINGS", "The database's settings do not fit.")

// options asks for the isolation under which the rules of the stores were written
// and tested: a guarded statement waits for the row and then decides on what is
// there, where stricter levels would fail it.
func (d *DB) options() *sql.TxOptions {
	if d.dialect != Postgres {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

// checkSettings finds sessions in which text means something else than Bun and pgx
// think. Without standard_conforming_strings a backslash before a quote would let a
// value out of its quotes: an injection in every query.
func (d *DB) checkSettings(ctx context.Context) error {
	if d.dialect != Postgres {
		return nil
	}
	var conforming, bytea, dates string
	err := d.sqldb.QueryRowContext(ctx, `SELECT current_setting('standard_conforming_strings'),
		current_setting('bytea_output'), current_setting('datestyle')`).Scan(&conforming, &bytea, &dates)
	switch {
	case err != nil:
		return err
	case conforming != "on":
		return fmt.Errorf("standard_conforming_strings must be on: %w", ErrSettings)
	case bytea != "hex":
		return fmt.Errorf("bytea_output must be hex: %w", ErrSettings)
	case !strings.HasPrefix(dates, "ISO"):
		return fmt.Errorf("datestyle must be ISO: %w", ErrSettings)
	}
	return nil
}
