package bundb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tenon-go/tenon/internal/rowscope"
)

// txKey finds the scope of one database in a context, so that two databases
// never mix.
type txKey struct{ db *DB }

// root is a whole transaction, ours or the host's.
type root struct {
	savepoints atomic.Int64
	// lost means that the database ended the transaction on its own, or that a
	// savepoint could not be undone: nothing may be written or committed any more.
	lost atomic.Bool
	// foreign means that the host began it.
	foreign bool

	mu  sync.Mutex
	has *RowScope // what the database was told last; nil is unknown
}

// scope is a transaction or one savepoint in it.
type scope struct {
	db    *DB
	tx    *sql.Tx
	root  *root
	rows  RowScope // whose rows its statements see
	ended atomic.Bool

	mu    sync.Mutex
	after []func(context.Context)
}

func (d *DB) scope(ctx context.Context) *scope {
	s, _ := ctx.Value(txKey{d}).(*scope)
	return s
}

func (d *DB) withScope(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, txKey{d}, s)
}

func newScope(d *DB, tx *sql.Tx, r *root, rows RowScope) *scope {
	return &scope{db: d, tx: tx, root: r, rows: rows}
}

// alive reports whether the scope may still run statements.
func (s *scope) alive() bool { return !s.ended.Load() && !s.root.lost.Load() }

// guard returns ctx, or one that fails every statement where the scope is over or
// ctx asks for the rows of another. Before the statement the transaction gets the scope
// of ctx, which may add to that of the transaction.
func (s *scope) guard(ctx context.Context) context.Context {
	if !s.alive() {
		return newFinished(ctx, sql.ErrTxDone)
	}
	if !s.db.strict {
		return ctx
	}
	asked := rowscope.Of(ctx)
	if s.rows.within(asked) != nil || asked.System && s.root.foreign && s.db.secured() {
		return newFinished(ctx, ErrScope)
	}
	if err := s.sync(ctx, RowScope(asked.Scope)); err != nil {
		return newFinished(ctx, err)
	}
	return ctx
}

// noticed looks at the error of a statement. SQLite ends a whole transaction
// when a write is interrupted or the disk fails; the next statement would commit
// by itself. BEGIN succeeds only where that has happened.
func (s *scope) noticed(err error) {
	if err == nil || s.db.dialect != SQLite || !endsTransaction(err) || !s.alive() {
		return
	}
	ctx := context.Background()
	if _, err := s.tx.ExecContext(ctx, "BEGIN"); err == nil {
		s.root.lost.Store(true)
		_, _ = s.tx.ExecContext(ctx, "ROLLBACK")
	}
}

// exec runs a statement that steers the transaction, whatever became of the
// caller's context: an undo must not be skipped because the client left.
func (s *scope) exec(ctx context.Context, query string) error {
	_, err := s.tx.ExecContext(context.WithoutCancel(ctx), query)
	return err
}

func (s *scope) addAfter(fns ...func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, fns...)
}

func (s *scope) takeAfter() []func(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fns := s.after
	s.after = nil
	return fns
}

// inSavepoint runs fn as a part of the transaction that can be undone alone.
func (d *DB) inSavepoint(ctx context.Context, outer *scope, fn func(context.Context) error) error {
	inner := rowscope.Of(ctx)
	if d.strict {
		if err := outer.rows.mayEnter(inner); err != nil {
			return fmt.Errorf("bundb: savepoint: %w", err)
		}
	}
	name := fmt.Sprintf("tenon_%d", outer.root.savepoints.Add(1))
	if err := outer.mark(ctx, name); err != nil {
		return err
	}
	s := newScope(d, outer.tx, outer.root, RowScope(inner.Scope))
	before := outer.root.current()
	released := false
	defer func() {
		if !released {
			s.undo(ctx, name)
			s.root.became(before) // undone too
		}
	}()
	if err := s.sync(ctx, s.rows); err != nil {
		return err
	}
	if err := fn(d.withScope(ctx, s)); err != nil {
		return err
	}
	if !s.alive() {
		return fmt.Errorf("bundb: release savepoint: %w", sql.ErrTxDone)
	}
	s.ended.Store(true)
	// What is set in a savepoint outlives its release.
	if before != nil {
		if err := s.sync(ctx, *before); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return Wrap("bundb: release savepoint", err)
	}
	released = true
	outer.addAfter(s.takeAfter()...)
	return nil
}

// mark makes a savepoint, in the scope that the transaction has; the host's own gets
// that of its context first.
func (s *scope) mark(ctx context.Context, name string) error {
	ctx = rowscope.Carry(ctx, rowscope.Carried{Scope: rowscope.Scope(s.rows)})
	if has := s.root.current(); has != nil {
		ctx = rowscope.Carry(ctx, rowscope.Carried{Scope: rowscope.Scope(*has)})
	}
	_, err := (txConn{s}).ExecContext(ctx, "SAVEPOINT "+name)
	return Wrap("bundb: savepoint", err)
}

// undo rolls back to the savepoint. Where that fails, the whole transaction is
// given up: its commit would keep what should have been undone.
func (s *scope) undo(ctx context.Context, name string) {
	s.ended.Store(true)
	err := s.exec(ctx, "ROLLBACK TO SAVEPOINT "+name)
	if err == nil {
		err = s.exec(ctx, "RELEASE SAVEPOINT "+name)
	}
	if err != nil && !errors.Is(err, sql.ErrTxDone) {
		s.root.lost.Store(true)
	}
}
