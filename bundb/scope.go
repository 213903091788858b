package bundb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	// foreign means that the host began it; once gives it its scope.
	foreign bool
	once    sync.Once
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
// ctx asks for the rows of another.
func (s *scope) guard(ctx context.Context) context.Context {
	s.root.join(ctx, s)
	switch {
	case !s.alive():
		return newFinished(ctx, sql.ErrTxDone)
	case ScopeOf(ctx) != s.rows || s.rows.System && s.root.foreign && s.db.secured():
		return newFinished(ctx, ErrScope)
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
	inner := carriedBy(ctx)
	if err := outer.rows.mayEnter(inner); err != nil {
		return fmt.Errorf("bundb: savepoint: %w", err)
	}
	name := fmt.Sprintf("tenon_%d", outer.root.savepoints.Add(1))
	if _, err := (txConn{outer}).ExecContext(carry(ctx, carried{RowScope: outer.rows}), "SAVEPOINT "+name); err != nil {
		return Wrap("bundb: savepoint", err)
	}
	s := newScope(d, outer.tx, outer.root, inner.RowScope)
	released := false
	defer func() {
		if !released {
			s.undo(ctx, name)
		}
	}()
	if err := s.enter(ctx, outer.rows); err != nil {
		return err
	}
	if err := fn(d.withScope(ctx, s)); err != nil {
		return err
	}
	if !s.alive() {
		return fmt.Errorf("bundb: release savepoint: %w", sql.ErrTxDone)
	}
	s.ended.Store(true)
	// What is set in a savepoint outlives its release; undoing it undoes that too.
	if err := outer.enter(ctx, s.rows); err != nil {
		return err
	}
	if err := s.exec(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return Wrap("bundb: release savepoint", err)
	}
	released = true
	outer.addAfter(s.takeAfter()...)
	return nil
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
