package bundbtest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
)

type (
	flowKey    struct{}
	outsideKey struct{}
	unseenKey  struct{}
)

var errEscaped = errors.New("bundbtest: a statement reached the pool while its own transaction was open")

// flow identifies one line of work. It is not empty, so that two differ.
type flow struct{ _ byte }

// Flow marks a context as one line of work, such as one request. While a
// transaction that was opened with it is open, a statement that carries the mark
// but not the transaction fails, and fails the test, in whatever goroutine it
// runs and whoever opened the transaction. Give each racer its own.
func Flow(ctx context.Context) context.Context { return context.WithValue(ctx, flowKey{}, &flow{}) }

// Outside marks statements that a test sends to the pool on purpose while a
// transaction of its own is open, to look at it from outside.
func Outside(ctx context.Context) context.Context {
	return context.WithValue(ctx, outsideKey{}, true)
}

// unseen marks the statements of this package itself: neither counted nor failed.
func unseen(ctx context.Context) context.Context { return context.WithValue(ctx, unseenKey{}, true) }

func isUnseen(ctx context.Context) bool { return ctx.Value(unseenKey{}) != nil }

func flowOf(ctx context.Context) *flow {
	f, _ := ctx.Value(flowKey{}).(*flow)
	return f
}

// opened is a transaction that is open on a connection.
type opened struct {
	flow      *flow
	goroutine int // of InTx; 0 for a transaction that was begun otherwise
}

// began remembers who opened the transaction. InTx allows no goroutines inside,
// so that its goroutine stands for it; a host's own transaction may be handed
// around, and only its flow says who it belongs to.
func (f *Faults) began(ctx context.Context, c *conn) {
	o := opened{flow: flowOf(ctx)}
	if f.db.InTransaction(ctx) {
		o.goroutine = goroutine()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[c] = o
}

func (f *Faults) ended(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

// escaped fails an event on the pool whose own transaction is open on another
// connection.
func (f *Faults) escaped(ctx context.Context, c *conn, e event) error {
	if c.inTx || ctx.Value(outsideKey{}) != nil || !f.ownsOpen(ctx) {
		return nil
	}
	f.report.Errorf("%v; use the ctx that InTx gives, or bundbtest.Outside: %s", errEscaped, e.query)
	return errEscaped
}

func (f *Faults) ownsOpen(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open) == 0 {
		return false
	}
	own, here := flowOf(ctx), goroutine()
	for _, o := range f.open {
		if own != nil && o.flow == own || o.goroutine == here {
			return true
		}
	}
	return false
}

// goroutine returns the number of the calling goroutine, which the runtime tells
// only in a stack trace. database/sql calls drivers in the goroutine of its
// caller.
func goroutine() int {
	buf := make([]byte, 64)
	buf = bytes.TrimPrefix(buf[:runtime.Stack(buf, false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(buf, []byte(" "))
	n, _ := strconv.Atoi(string(digits))
	return n
}
