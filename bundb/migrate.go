package bundb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	marksTable = `CREATE TABLE IF NOT EXISTS tenon_migrations (
	package text NOT NULL,
	number integer NOT NULL,
	name text NOT NULL,
	checksum text NOT NULL,
	applied_at %s NOT NULL,
	PRIMARY KEY (package, number)
)`
	insertMark = `INSERT INTO tenon_migrations (package, number, name, checksum, applied_at) VALUES (?, ?, ?, ?, ?)`
	deleteMark = `DELETE FROM tenon_migrations WHERE package = ? AND number = ?`
	// lockMarks makes one caller at a time change this database's tables. The key
	// holds the schema, so that several in one database do not wait for each other. A
	// migration fails where row security would hide rows from it.
	lockMarks = `SELECT pg_advisory_xact_lock(1952804462, hashtext(current_schema())), set_config('row_security', 'off', true)`
)

// Migrate applies the migrations that are not applied yet, in the order of the
// schemas given, and returns those that this call applied. Each runs in a
// transaction of its own together with its mark in the table tenon_migrations,
// so a failed or killed call leaves whole migrations behind and nothing else. Any
// number of processes may call it at the same time: a lock that waits lets them
// take turns, step by step. On PostgreSQL the lock lives as long as the
// transaction, so a pooler in between does no harm.
//
// Before each step the applied files are checked; see ErrMigrationEdited and its
// neighbours. Applied schemas that are not given are left alone. Migrate returns
// ErrInTransaction where ctx carries a transaction.
func (d *DB) Migrate(ctx context.Context, schemas ...Schema) ([]Migration, error) {
	all, err := d.prepare(ctx, schemas)
	if err != nil {
		return nil, err
	}
	var done []Migration
	for {
		var step *Migration
		err := d.locked(ctx, func(ctx context.Context, applied map[key]Migration) error {
			pending, err := compare(all, applied)
			if err != nil || len(pending) == 0 {
				return err
			}
			step = &pending[0]
			return d.apply(ctx, step)
		})
		if err != nil || step == nil {
			return done, err
		}
		done = append(done, *step)
	}
}

// Rollback undoes the applied migrations of one schema whose number is above to,
// the newest first, and returns those that this call undid; 0 undoes all. Their
// data is lost. Each step runs in a transaction of its own, locked and checked as
// in Migrate.
func (d *DB) Rollback(ctx context.Context, schema Schema, to int) ([]Migration, error) {
	all, err := d.prepare(ctx, []Schema{schema})
	if err != nil {
		return nil, err
	}
	var undone []Migration
	for _, m := range slices.Backward(all) {
		if m.Number <= to {
			break
		}
		did := false
		err := d.locked(ctx, func(ctx context.Context, applied map[key]Migration) error {
			if _, err := compare(all, applied); err != nil {
				return err
			}
			if _, did = applied[m.key()]; !did {
				return nil
			}
			return d.revert(ctx, m)
		})
		if err != nil {
			return undone, err
		}
		if did {
			undone = append(undone, m)
		}
	}
	return undone, nil
}

// Pending returns the migrations that Migrate would apply, without changing
// anything, for a health check. Its errors are those of Migrate.
func (d *DB) Pending(ctx context.Context, schemas ...Schema) ([]Migration, error) {
	all, err := load(d.dialect, schemas)
	if err != nil {
		return nil, err
	}
	applied, err := d.applied(ctx)
	if err != nil {
		return nil, err
	}
	return compare(all, applied)
}

// Plan returns the SQL that Migrate would run, marks included, as a script for a
// person to read or to run where programs may not change tables. It changes
// nothing. It is "" where nothing is pending.
func (d *DB) Plan(ctx context.Context, schemas ...Schema) (string, error) {
	pending, err := d.Pending(ctx, schemas...)
	if err != nil || len(pending) == 0 {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s;\n", d.marksTable())
	for _, m := range pending {
		at := d.Now().Format("2006-01-02 15:04:05.999999-07:00")
		fmt.Fprintf(&b, "\n-- %s\nBEGIN;\n%s\n", m, strings.TrimSpace(m.up))
		fmt.Fprintf(&b, "INSERT INTO tenon_migrations (package, number, name, checksum, applied_at)\n"+
			"\tVALUES ('%s', %d, '%s', '%s', '%s');\nCOMMIT;\n", m.Package, m.Number, m.Name, m.Checksum, at)
	}
	return b.String(), nil
}

// prepare reads the files and makes sure that the table of marks is there.
func (d *DB) prepare(ctx context.Context, schemas []Schema) ([]Migration, error) {
	if d.InTransaction(ctx) {
		return nil, fmt.Errorf("bundb: migrate: %w", ErrInTransaction)
	}
	all, err := load(d.dialect, schemas)
	if err != nil {
		return nil, err
	}
	if exists, err := d.hasMarks(ctx); err != nil || exists {
		return all, err
	}
	err = d.InTx(ctx, func(ctx context.Context) error {
		if err := d.lockMarks(ctx); err != nil {
			return err
		}
		_, err := d.conn(ctx).ExecContext(ctx, d.marksTable())
		return Wrap("bundb: create the table of migrations", err)
	})
	return all, err
}

func (d *DB) marksTable() string {
	if d.dialect == SQLite {
		return fmt.Sprintf(marksTable, "TIMESTAMP")
	}
	return strings.ReplaceAll(fmt.Sprintf(marksTable, "timestamptz"), "text", `text COLLATE "C"`)
}

// locked runs fn in a transaction while no other caller changes the tables. On
// SQLite the transaction itself excludes the others.
func (d *DB) locked(ctx context.Context, fn func(context.Context, map[key]Migration) error) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		if err := d.lockMarks(ctx); err != nil {
			return err
		}
		applied, err := d.applied(ctx)
		if err != nil {
			return err
		}
		return fn(ctx, applied)
	})
}

func (d *DB) lockMarks(ctx context.Context) error {
	if d.dialect == SQLite {
		return nil
	}
	_, err := d.conn(ctx).ExecContext(ctx, lockMarks)
	return Wrap("bundb: lock the migrations", err)
}

func (d *DB) apply(ctx context.Context, m *Migration) error {
	if _, err := d.conn(ctx).ExecContext(ctx, m.up); err != nil {
		return Wrap(fmt.Sprintf("bundb: apply %s", m), err)
	}
	m.AppliedAt = d.Now()
	_, err := d.Statement(insertMark).Exec(ctx, m.Package, m.Number, m.Name, m.Checksum, m.AppliedAt)
	return Wrap(fmt.Sprintf("bundb: mark %s", m), err)
}

func (d *DB) revert(ctx context.Context, m Migration) error {
	if _, err := d.conn(ctx).ExecContext(ctx, m.down); err != nil {
		return Wrap(fmt.Sprintf("bundb: undo %s", m), err)
	}
	_, err := d.Statement(deleteMark).Exec(ctx, m.Package, m.Number)
	return Wrap(fmt.Sprintf("bundb: unmark %s", m), err)
}

func (d *DB) hasMarks(ctx context.Context) (exists bool, err error) {
	query := `SELECT to_regclass('tenon_migrations') IS NOT NULL`
	if d.dialect == SQLite {
		query = `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tenon_migrations')`
	}
	err = d.conn(ctx).QueryRowContext(ctx, query).Scan(&exists)
	return exists, Wrap("bundb: look for the table of migrations", err)
}

// applied reads what the database says is applied; nothing where it has never
// been migrated.
func (d *DB) applied(ctx context.Context) (map[key]Migration, error) {
	exists, err := d.hasMarks(ctx)
	if err != nil || !exists {
		return nil, err
	}
	const query = `SELECT package, number, name, checksum, applied_at FROM tenon_migrations`
	rows, err := d.conn(ctx).QueryContext(ctx, query)
	if err != nil {
		return nil, Wrap("bundb: read the migrations", err)
	}
	defer rows.Close()
	applied := map[key]Migration{}
	for rows.Next() {
		var m Migration
		var at time.Time
		if err := rows.Scan(&m.Package, &m.Number, &m.Name, &m.Checksum, ScanTime(&at)); err != nil {
			return nil, Wrap("bundb: read the migrations", err)
		}
		m.AppliedAt = at
		applied[m.key()] = m
	}
	return applied, Wrap("bundb: read the migrations", rows.Err())
}
