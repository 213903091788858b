// Package faketx gives in-memory stores the transactions that their contracts
// ask for. The Fakes of the ...test packages are built on it.
package faketx

import (
	"context"
	"database/sql"
	"sync"
)

// DB holds a state of type S. Transactions run one at a time, as SQLite's do;
// nested ones are savepoints. It is safe for concurrent use; make it with New.
type DB[S any] struct {
	clone func(S) S
	turn  chan struct{} // held for the length of a transaction

	mu    sync.Mutex
	state S
	err   error
}

// New returns a DB that starts with state. clone copies a state so deeply that
// changes of the copy leave the original alone.
func New[S any](state S, clone func(S) S) *DB[S] {
	return &DB[S]{clone: clone, turn: make(chan struct{}, 1), state: state}
}

// tx is one transaction. Its key in ctx is the DB.
type tx[S any] struct {
	state S
	done  bool
	after []func()
}

// Fail makes every call return err until Fail(nil): a database that is down.
func (d *DB[S]) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// State returns a copy of what is committed.
func (d *DB[S]) State() S {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clone(d.state)
}

// InTransaction reports whether ctx carries a transaction of d.
func (d *DB[S]) InTransaction(ctx context.Context) bool {
	return ctx.Value(d) != nil
}

// InTx runs fn in a transaction, or at a savepoint of the one in ctx. An error
// or a panic of fn takes back what it did.
func (d *DB[S]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t, ok := ctx.Value(d).(*tx[S]); ok {
		return d.savepoint(ctx, t, fn)
	}
	after, err := d.transact(ctx, fn)
	if err != nil {
		return err
	}
	for _, call := range after {
		call()
	}
	return nil
}

// transact returns what is to be called after the commit.
func (d *DB[S]) transact(ctx context.Context, fn func(ctx context.Context) error) ([]func(), error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.turn }()
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	t := &tx[S]{state: d.State()}
	defer func() { t.done = true }()
	if err := fn(context.WithValue(ctx, d, t)); err != nil {
		return nil, err
	}
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = t.state
	return t.after, nil
}

// AfterCommit calls fn once the outermost transaction in ctx has committed, and
// never where the transaction or the savepoint around the call is taken back.
// Without a transaction it calls fn at once.
func (d *DB[S]) AfterCommit(ctx context.Context, fn func()) {
	if t, ok := ctx.Value(d).(*tx[S]); ok {
		t.after = append(t.after, fn)
		return
	}
	fn()
}

func (d *DB[S]) savepoint(ctx context.Context, t *tx[S], fn func(ctx context.Context) error) error {
	if t.done {
		return sql.ErrTxDone
	}
	before, after, kept := d.clone(t.state), len(t.after), false
	defer func() {
		if !kept {
			t.state, t.after = before, t.after[:after]
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	kept = true
	return nil
}

// Do runs fn on the state of the transaction in ctx, or in one of its own.
func (d *DB[S]) Do(ctx context.Context, fn func(state *S) error) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		if err := d.ready(ctx); err != nil {
			return err
		}
		t, _ := ctx.Value(d).(*tx[S])
		return fn(&t.state)
	})
}

func (d *DB[S]) ready(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	return ctx.Err()
}
