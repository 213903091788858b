// Package bundb is the database under Tenon's stores: transactions carried in the
// context, one clock, hot statements and migrations, on PostgreSQL and on embedded
// SQLite, through Bun.
//
//	db, err := postgres.Open(ctx, dsn, bundb.Config{}) // or sqlite.Open(ctx, "app.db", bundb.Config{})
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	if _, err := db.Migrate(ctx, tenancybun.Schema(), quotabun.Schema()); err != nil {
//		return err
//	}
//	teams, err := tenancy.New(tenancybun.New(db), tenancy.Config{})
//	...
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		if err := createProject(ctx, db); err != nil { // the host's own row
//			return err
//		}
//		return teams.Join(ctx, organizationID, userID) // and Tenon's, or neither
//	})
//
// This package links no driver: bundb/sqlite links modernc.org/sqlite and
// bundb/postgres links pgx, and a host gets the one it imports.
//
// # Transactions
//
// The transaction travels in the context, under a key that is the *DB itself, so
// that two databases never mix. [DB.InTx] begins one, or makes a savepoint inside
// the one that ctx carries. [DB.WithSQLTx] and [DB.WithBunTx] put a transaction
// into ctx that the host began. Every query takes its connection from ctx:
// [DB.Conn] for Bun's builders, [DB.Raw] and [DB.Statement] below Bun. What was
// given a ctx without the transaction runs outside it, so the parameter of the
// function that InTx calls is always named ctx and hides the outer one. bundbtest
// fails a test in which a statement escapes. A ctx that outlived its transaction
// fails with sql.ErrTxDone and never falls back to the pool.
//
// Inside a transaction: no network, no waiting for people or other processes, no
// goroutines. A call that is meaningless alone says so with [DB.RequireTx].
// Isolation is the database's default, and nothing is retried: rules live in the
// SQL (guarded updates, unique indexes), not in values read before.
//
// On PostgreSQL a failed statement aborts the transaction up to the next savepoint.
// On SQLite it undoes itself only; code that goes on after an error wraps the
// part that may fail into an InTx of its own and then behaves alike on both. When
// SQLite itself ends a transaction, after an interrupted write or a full disk, all
// further statements of it fail.
//
// # Row security
//
// On PostgreSQL a second wall can stand behind the WHERE of each query: with
// Config.RowSecurity the database itself shows the rows of one scope only (rule
// R29). The scope travels in ctx; say it once, where it is proven who acts:
//
//	ctx = bundb.ForUser(ctx, userID)                 // the user's own rows
//	ctx = bundb.ForOrganization(ctx, organizationID) // and those of the organization
//	ctx = bundb.ForSystem(ctx)                       // all rows: workers, the lookup of tokens
//
// A ctx without a scope sees nothing in a secured table. The scope holds for each
// transaction and for each statement outside of one, Bun's and the host's on the
// same pool included; such a statement becomes a transaction of its own, which costs
// three round trips more, so that those who run several begin one. A statement that
// the host prepares on the pool with database/sql has no scope.
//
// Three roles take part. The owner of the tables migrates, and runs the script
// that [PolicySQL] makes. The application's role is the pool's: it owns nothing and
// cannot get past the policies, which [DB.Ping] and so Open check. The system's role
// has a pool of its own, with Config.RowSecurity.SystemDSN.
//
//	script, err := bundb.PolicySQL(
//		bundb.Roles{App: "app", System: "app_system"},
//		bundb.SecuredTable{Table: "projects", Organization: "organization_id"})
//	...
//	db, err := postgres.Open(ctx, dsn, bundb.Config{RowSecurity: &bundb.RowSecurity{SystemDSN: systemDSN}})
//	...
//	err = db.CheckSecured(ctx, tables...) // that the script has run
//
// A transaction keeps its scope. Statements and savepoints may add to it, for
// themselves; to leave it for another
// organization or user must be stated with [SwitchScope], for a savepoint; and the system's scope
// never mixes with the others, being another connection. All else is ErrScope, and with
// Config.CompareScopes on SQLite and without row security too, so that a test on any
// database finds it.
//
// The wall stops a query that forgot its WHERE. It does not stop whoever can run SQL
// of their own choice in the application's role: they can set a scope as we do.
//
// # Lock order
//
// Transactions that touch several rows take them in one order, so that they do not
// wait for each other in a circle:
//
//  1. the row that is claimed or changes state (user, invitation, token, family)
//  2. the row that counts (quota)
//  3. inserts
//  4. the outbox (events, mail, jobs)
//
// Rows of one kind are taken in the order of their ids.
//
// # Concurrency
//
// A [DB] and a [Statement] are safe for concurrent use; a transaction, and so the
// ctx that carries it, is for one goroutine at a time. SQLite has one writer:
// transactions queue for it in this process, cancellably, and wait for other
// processes with SQLite's own busy timeout. Readers never wait. No goroutine is
// started apart from those of database/sql.
//
// # Errors
//
// [Wrap] names the operation and turns an outage into problem.ErrUnavailable with
// the driver's error as its cause; [IsUniqueViolation] and [Violated] let a store
// translate into its own sentinels. sql.ErrNoRows and context.Canceled keep their
// identity. Texts of queries do not appear in errors of this package; those of
// PostgreSQL may quote a piece of a statement that does not parse.
//
// # Time
//
// [DB.Now] is the one clock (R32). No SQL asks for the time, which a test checks
// for the whole tree; a time is a parameter, UTC in microseconds. Columns are
// TIMESTAMPTZ on PostgreSQL and TIMESTAMP on SQLite, which holds text that sorts
// as the time does. Read them with [ScanTime].
package bundb
