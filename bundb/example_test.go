package bundb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/sqlite"
)

// teams is a package's schema as its embedded files would hold it.
func teams() bundb.Schema {
	up := &fstest.MapFile{Data: []byte("CREATE TABLE tenon_members (team text NOT NULL, name text NOT NULL);")}
	down := &fstest.MapFile{Data: []byte("DROP TABLE tenon_members;")}
	return bundb.Schema{Name: "teams", FS: fstest.MapFS{
		"sqlite/0001_init.up.sql": up, "sqlite/0001_init.down.sql": down,
		"postgres/0001_init.up.sql": up, "postgres/0001_init.down.sql": down,
	}}
}

// openExample opens a database in a directory that the returned function removes.
func openExample(ctx context.Context) (*bundb.DB, func(), error) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(dir, "app.db"), bundb.Config{})
	if err != nil {
		return nil, nil, err
	}
	_, err = db.Migrate(ctx, teams())
	return db, func() { _ = db.Close(); _ = os.RemoveAll(dir) }, err
}

// join is a store's method: it takes part in the transaction in ctx.
func join(ctx context.Context, db *bundb.DB, team, name string) error {
	_, err := db.Statement("INSERT INTO tenon_members (team, name) VALUES (?, ?)").Exec(ctx, team, name)
	return bundb.Wrap("teams: join", err)
}

func size(ctx context.Context, db *bundb.DB, team string) (n int) {
	row := db.Statement("SELECT count(*) FROM tenon_members WHERE team = ?").QueryRow(ctx, team)
	if err := row.Scan(&n); err != nil {
		return -1
	}
	return n
}

func ExampleDB_InTx() {
	ctx := context.Background()
	db, closeDB, err := openExample(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeDB()

	err = db.InTx(ctx, func(ctx context.Context) error {
		if err := join(ctx, db, "red", "ada"); err != nil {
			return err
		}
		// A part that may fail without undoing the rest is an InTx of its own.
		err := db.InTx(ctx, func(ctx context.Context) error {
			if err := join(ctx, db, "red", "bob"); err != nil {
				return err
			}
			return errors.New("bob has changed his mind")
		})
		fmt.Println("inner:", err)
		db.AfterCommit(ctx, func(context.Context) { fmt.Println("committed") })
		return nil
	})
	fmt.Println("outer:", err, "members:", size(ctx, db, "red"))
	// Output:
	// inner: bob has changed his mind
	// committed
	// outer: <nil> members: 1
}

func ExampleDB_WithSQLTx() {
	ctx := context.Background()
	db, closeDB, err := openExample(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeDB()

	// The host begins a transaction as it always does, on the same pool.
	tx, err := db.Bun().DB.BeginTx(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "CREATE TABLE projects (name text)"); err != nil {
		fmt.Println(err)
		return
	}
	txCtx, committed := db.WithSQLTx(ctx, tx)
	if err := join(txCtx, db, "red", "ada"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("seen outside:", size(ctx, db, "red"))
	if err := tx.Commit(); err != nil {
		fmt.Println(err)
		return
	}
	committed()
	fmt.Println("after the commit:", size(ctx, db, "red"))
	// Output:
	// seen outside: 0
	// after the commit: 1
}
