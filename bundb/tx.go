package bundb

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tenon-go/tenon/problem"
	"github.com/uptrace/bun"
)

// Errors about the place of a call.
var (
	// ErrNoTransaction means that a call is meaningful only as a part of a
	// transaction and ctx carries none.
	ErrNoTransaction = problem.New(problem.Internal, "NO_TRANSACTION", "The call needs a transaction.")
	// ErrInTransaction means that a call must not be part of a transaction and ctx
	// carries one.
	ErrInTransaction = problem.New(problem.Internal, "IN_TRANSACTION", "The call cannot be part of a transaction.")
)

// InTx runs fn in one transaction: committed when fn returns nil, undone when fn
// returns an error, panics or ends its goroutine. Statements take part when they
// are given the ctx that fn receives; that ctx is dead once InTx has returned,
// and a statement with it fails with sql.ErrTxDone.
//
// Called with a transaction in ctx, InTx makes a savepoint: an error undoes only
// what fn did, and the caller may go on. The scope of ctx is the one of the
// transaction or savepoint. With row security on, statements and savepoints in it may
// add an organization or a user to that, and what would leave it fails with ErrScope,
// see [SwitchScope]. When fn has ended in whatever way, the scope before it is back.
// The isolation is READ
// COMMITTED whatever the server's default, and nothing is retried.
//
// On SQLite transactions queue here for the one writer and then begin as
// writers, so that none fails half-way because another was faster. Readers do
// not wait. The wait ends with ctx or after Config.WriterWait.
//
// The error of fn is returned as it is. An outage while beginning or committing
// is problem.ErrUnavailable; after a failed commit it is possible that the
// database did commit.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if s := d.scope(ctx); s != nil {
		return d.inSavepoint(ctx, s, fn)
	}
	after, err := d.transact(ctx, fn)
	if err != nil {
		return err
	}
	runAll(d.detached(ctx), after)
	return nil
}

// transact runs fn in a transaction of its own and returns what is to be called
// after the commit, once the writer's place is free again.
func (d *DB) transact(ctx context.Context, fn func(context.Context) error) ([]func(context.Context), error) {
	d.clock.refresh(ctx)
	leave, err := d.writer.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s := newScope(d, nil, &root{}, ScopeOf(ctx))
	txCtx := d.withScope(ctx, s)
	if s.tx, err = d.pool(ctx).BeginTx(txCtx, d.options()); err != nil {
		return nil, Wrap("bundb: begin", err)
	}
	if d.secured() {
		s.root.has = &s.rows // which the driver has told the database
	}
	// The deferred rollback serves errors, panics and runtime.Goexit alike; after
	// a commit it does nothing. Its own error says only that the connection is
	// gone, and the transaction with it.
	defer func() {
		s.ended.Store(true)
		_ = s.tx.Rollback()
	}()
	if err := fn(txCtx); err != nil {
		return nil, err
	}
	if err := s.commit(ctx); err != nil {
		return nil, err
	}
	return s.takeAfter(), nil
}

func (s *scope) commit(ctx context.Context) error {
	if s.root.lost.Load() {
		return fmt.Errorf("bundb: commit: %w", sql.ErrTxDone)
	}
	s.ended.Store(true)
	err := s.tx.Commit()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // database/sql has rolled back already and says only ErrTxDone
	}
	return Wrap("bundb: commit", err)
}

// WithSQLTx returns a ctx with which everything joins the host's own
// transaction; InTx under it makes savepoints. The transaction must be one of
// the same database, through the same driver. The host commits or rolls back;
// after a successful commit it calls committed, which runs what was registered
// with [DB.AfterCommit]. After a rollback it must not. Calling committed again
// does nothing.
//
// With row security on, each statement under the ctx gives the transaction the scope
// of its own, which may only add to that of ctx; the last one's stays until the
// transaction ends. The system's scope cannot join: its role is another, and
// everything fails with ErrScope.
func (d *DB) WithSQLTx(ctx context.Context, tx *sql.Tx) (_ context.Context, committed func()) {
	s := newScope(d, tx, &root{foreign: true}, ScopeOf(ctx))
	return d.withScope(ctx, s), func() {
		s.ended.Store(true)
		runAll(d.detached(ctx), s.takeAfter())
	}
}

// WithBunTx is [DB.WithSQLTx] for a transaction that the host began with Bun.
func (d *DB) WithBunTx(ctx context.Context, tx bun.Tx) (_ context.Context, committed func()) {
	return d.WithSQLTx(ctx, tx.Tx)
}

// AfterCommit calls fn once the outermost transaction in ctx has committed, in
// the order of registration, and never where the transaction or the savepoint
// around the call is undone, nor where ctx outlived it. Without a transaction it
// calls fn at once. The ctx
// that fn gets carries the values of the one that InTx got, but no transaction
// and no cancellation. It is for waking a worker or dropping a cache entry: if
// the process dies between commit and call, the call is lost.
func (d *DB) AfterCommit(ctx context.Context, fn func(ctx context.Context)) {
	s := d.scope(ctx)
	if s == nil {
		fn(d.detached(ctx))
		return
	}
	s.addAfter(fn)
}

// RequireTx returns ErrNoTransaction unless ctx carries a transaction of d.
func (d *DB) RequireTx(ctx context.Context) error {
	if !d.InTransaction(ctx) {
		return ErrNoTransaction
	}
	return nil
}

// InTransaction reports whether ctx carries a transaction of d, be it over or
// not.
func (d *DB) InTransaction(ctx context.Context) bool { return d.scope(ctx) != nil }

// detached returns ctx without cancellation and without a transaction.
func (d *DB) detached(ctx context.Context) context.Context {
	return d.withScope(context.WithoutCancel(ctx), nil)
}

// runAll calls all fns in order, the later ones even if an earlier one panics.
func runAll(ctx context.Context, fns []func(context.Context)) {
	if len(fns) == 0 {
		return
	}
	defer runAll(ctx, fns[1:])
	fns[0](ctx)
}
