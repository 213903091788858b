package main

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
)

// migrations measures all migrations on an empty database, beside the same files
// run as they are in one transaction.
func migrations(ctx context.Context, b *bench) ([]row, error) {
	onPostgres, err := b.migration(ctx, bundb.Postgres, b.emptyPostgres)
	if err != nil {
		return nil, err
	}
	onSQLite, err := b.migration(ctx, bundb.SQLite, b.emptySQLite)
	return []row{onPostgres, onSQLite}, err
}

func (b *bench) migration(ctx context.Context, dialect bundb.Dialect, empty func(context.Context) (*bundb.DB, error)) (row, error) {
	script, err := script(dialect)
	if err != nil {
		return row{}, err
	}
	bare := func(ctx context.Context, db *bundb.DB) error {
		return db.InTx(ctx, func(ctx context.Context) error {
			_, err := db.Raw(ctx).ExecContext(ctx, script)
			return err
		})
	}
	migrate := func(ctx context.Context, db *bundb.DB) error {
		_, err := db.Migrate(ctx, tenon.Schemas()...)
		return err
	}
	var times [2][]float64
	quotients := make([]float64, b.rounds)
	for round := range b.rounds {
		for i, do := range []func(context.Context, *bundb.DB) error{bare, migrate} {
			took, err := timeOnEmpty(ctx, empty, do)
			if err != nil {
				return row{}, err
			}
			times[i] = append(times[i], float64(took.Nanoseconds()))
		}
		quotients[round] = times[1][round] / times[0][round]
	}
	return row{
		figure: "Migrations from empty, " + string(dialect),
		bare:   millis(time.Duration(median(times[0]))) + ": the same files in one transaction",
		tenon:  millis(time.Duration(median(times[1]))),
		ratio:  newRatio(quotients).String(),
	}, nil
}

// timeOnEmpty times do on an empty database, which is open already.
func timeOnEmpty(ctx context.Context, empty func(context.Context) (*bundb.DB, error), do func(context.Context, *bundb.DB) error) (time.Duration, error) {
	db, err := empty(ctx)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	begin := time.Now()
	err = do(ctx, db)
	return time.Since(begin), err
}

func (b *bench) emptyPostgres(ctx context.Context) (*bundb.DB, error) {
	dsn, err := b.newSchema(ctx)
	if err != nil {
		return nil, err
	}
	// Without arguments the driver sends a script as it is.
	return postgres.Open(ctx, dsn, bundb.Config{})
}

func (b *bench) emptySQLite(ctx context.Context) (*bundb.DB, error) {
	return sqlite.Open(ctx, b.file("db"), bundb.Config{})
}

// script joins the migrations of all packages in their order.
func script(dialect bundb.Dialect) (string, error) {
	var all strings.Builder
	for _, schema := range tenon.Schemas() {
		names, err := fs.Glob(schema.FS, path.Join(string(dialect), "*.up.sql"))
		if err != nil {
			return "", err
		}
		slices.Sort(names)
		for _, name := range names {
			text, err := fs.ReadFile(schema.FS, name)
			if err != nil {
				return "", err
			}
			all.Write(text)
			all.WriteString("\n")
		}
	}
	return all.String(), nil
}
