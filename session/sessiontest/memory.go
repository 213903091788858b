package sessiontest

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/tenon-go/tenon/problem"
)

// memory is a value with transactions: one at a time, undone by an error or a
// panic, and nested as savepoints. Calls outside a transaction wait for the one
// that is open, as long as their ctx allows.
type memory[T any] struct {
	turn  chan struct{}
	value T
	clone func(T) T
	down  atomic.Bool
}

func newMemory[T any](value T, clone func(T) T) *memory[T] {
	return &memory[T]{turn: make(chan struct{}, 1), value: value, clone: clone}
}

// transaction is what a ctx carries.
type transaction struct{ ended atomic.Bool }

func (m *memory[T]) transaction(ctx context.Context) *transaction {
	tx, _ := ctx.Value(m).(*transaction)
	return tx
}

func (m *memory[T]) inTx(ctx context.Context, fn func(context.Context) error) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	tx := &transaction{}
	saved, committed := m.clone(m.value), false
	defer func() {
		tx.ended.Store(true)
		if !committed {
			m.value = saved
		}
	}()
	if err := fn(context.WithValue(ctx, m, tx)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	committed = true
	return nil
}

// do runs one statement.
func (m *memory[T]) do(ctx context.Context, fn func(*T) error) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return fn(&m.value)
}

// enter waits for the caller's turn, which it has already inside a transaction.
func (m *memory[T]) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.down.Load() {
		return nil, problem.ErrUnavailable
	}
	if tx := m.transaction(ctx); tx != nil {
		if tx.ended.Load() {
			return nil, sql.ErrTxDone
		}
		return func() {}, nil
	}
	select {
	case m.turn <- struct{}{}:
		return func() { <-m.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
