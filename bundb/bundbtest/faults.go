package bundbtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tenon-go/tenon/bundb"
)

var (
	// ErrInjected is the error of a statement or commit that was made to fail.
	ErrInjected = errors.New("bundbtest: injected fault")

	errCut  = fmt.Errorf("bundbtest: injected cut: %w", syscall.ECONNRESET)
	errLost = errors.New("bundbtest: commit, then lose the answer")
)

// kind is what an event is: a statement, or a part of a transaction's frame.
type kind int

const (
	statement kind = iota
	savepoint
	begin
	commit
	rollback
)

type event struct {
	kind  kind
	query string
}

// scopeFrame begins the statement that gives a transaction its scope.
const scopeFrame = "SELECT set_config('tenon.org'"

func kindOf(query string) kind {
	for _, frame := range []string{"SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", "BEGIN", "ROLLBACK", scopeFrame} {
		if strings.HasPrefix(query, frame) {
			return savepoint
		}
	}
	return statement
}

// Faults makes the statements of one test's database fail, wait or be written
// down. A statement is what Bun, Raw or a Statement sends; what frames a
// transaction (BEGIN, SAVEPOINT, COMMIT, its scope …) is not counted as one. A fault is
// armed by its method, counts from then on, acts once and is gone. All methods
// are safe for concurrent use.
//
// Faults also watches that no statement escapes: one that comes to the pool, from
// the same goroutine or with a context of the same [Flow], while a transaction of
// InTx is open fails, and fails the test. It used the context from outside
// the transaction.
type Faults struct {
	dialect bundb.Dialect
	db      *bundb.DB // set right after the pool is open
	report  reporter

	mu      sync.Mutex
	plans   []*plan
	records map[*record]bool
	open    map[*conn]opened
}

type reporter interface {
	Errorf(format string, args ...any)
}

// plan is an armed fault: act on the events numbered from..to of those that match.
type plan struct {
	match    func(event) bool
	from, to int
	act      func(context.Context, *conn, event) error
	release  func() // nil, or ends the waiting of those it stalled
	seen     int
}

type record struct{ queries []string }

func newFaults(t testing.TB, dialect bundb.Dialect) *Faults {
	return &Faults{dialect: dialect, report: t, records: map[*record]bool{}, open: map[*conn]opened{}}
}

// FaultsOf returns the faults of a database that this package opened.
func FaultsOf(db *bundb.DB) *Faults { return driverOf(db).faults }

// FailAt makes the k-th statement from now fail with ErrInjected before it runs,
// k counting from 1. On PostgreSQL the transaction around it is aborted, as by a
// real error.
func (f *Faults) FailAt(k int) { f.arm(k, k, isStatement, f.fail) }

// FailOn makes the next statement or frame that contains text fail with
// ErrInjected, as FailAt does. Frames are "BEGIN", "SAVEPOINT", "RELEASE
// SAVEPOINT", "ROLLBACK TO SAVEPOINT" and "COMMIT".
func (f *Faults) FailOn(text string) {
	f.arm(1, 1, func(e event) bool { return strings.Contains(e.query, text) }, f.fail)
}

// FailCommit makes the next commit fail with ErrInjected; the transaction is
// rolled back.
func (f *Faults) FailCommit() { f.arm(1, 1, isCommit, f.fail) }

// LoseCommit makes the next commit succeed and its answer get lost: the caller
// sees a broken connection.
func (f *Faults) LoseCommit() {
	f.arm(1, 1, isCommit, func(context.Context, *conn, event) error { return errLost })
}

// CutAt cuts the connection in place of the k-th statement from now, k counting
// from 1. The pool drops the connection and makes a new one when it needs one.
func (f *Faults) CutAt(k int) {
	f.arm(k, k, isStatement, func(_ context.Context, c *conn, _ event) error {
		c.sever()
		return errCut
	})
}

// StallAt makes the k-th statement from now wait, before it runs, until the
// barrier is released or its context ends.
func (f *Faults) StallAt(k int) *Barrier {
	b := newBarrier(1)
	f.add(&plan{match: isStatement, from: k, to: k, act: b.stall, release: b.Release})
	return b
}

// StallOn makes the next n statements or frames that contain text wait, before
// they run, until the barrier is released. Frames are those of FailOn and
// "ROLLBACK".
func (f *Faults) StallOn(text string, n int) *Barrier {
	b := newBarrier(n)
	match := func(e event) bool { return strings.Contains(e.query, text) }
	f.add(&plan{match: match, from: 1, to: n, act: b.stall, release: b.Release})
	return b
}

// Record runs fn and returns the text of every statement that reached the
// database meanwhile, whoever sent it, in order.
func (f *Faults) Record(fn func()) []string {
	stop := f.watch()
	defer stop()
	fn()
	return stop()
}

// watch begins to write down statements; stop ends it and returns them.
func (f *Faults) watch() (stop func() []string) {
	r := &record{}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[r] = true
	return func() []string {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.records, r)
		return r.queries
	}
}

// Count runs fn and returns how many statements reached the database meanwhile.
func (f *Faults) Count(fn func()) int { return len(f.Record(fn)) }

// Disarm takes back every fault that has not acted yet and releases every stalled
// statement.
func (f *Faults) Disarm() {
	f.mu.Lock()
	plans := f.plans
	f.plans = nil
	f.mu.Unlock()
	for _, p := range plans {
		if p.release != nil {
			p.release()
		}
	}
}

func isStatement(e event) bool { return e.kind == statement }

func isCommit(e event) bool { return e.kind == commit }

func (f *Faults) arm(from, to int, match func(event) bool, act func(context.Context, *conn, event) error) *plan {
	p := &plan{match: match, from: from, to: to, act: act}
	f.add(p)
	return p
}

func (f *Faults) add(p *plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plans = append(f.plans, p)
}

// remove takes one plan back and reports whether it has acted.
func (f *Faults) remove(p *plan) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plans = slices.DeleteFunc(f.plans, func(q *plan) bool { return q == p })
	return p.seen >= p.from
}

// before is told of every event before it happens; its error is the event's.
func (f *Faults) before(ctx context.Context, c *conn, e event) error {
	if isUnseen(ctx) {
		return nil
	}
	if err := f.escaped(ctx, c, e); err != nil {
		return err
	}
	for _, p := range f.due(e) {
		if err := p.act(ctx, c, e); err != nil {
			return err
		}
	}
	return nil
}

// due counts the event and returns the plans whose turn it is.
func (f *Faults) due(e event) []*plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.kind == statement {
		for r := range f.records {
			r.queries = append(r.queries, e.query)
		}
	}
	var due []*plan
	for _, p := range f.plans {
		if !p.match(e) {
			continue
		}
		if p.seen++; p.seen >= p.from && p.seen <= p.to {
			due = append(due, p)
		}
	}
	return due
}

// fail is the act of a failing statement. A statement that PostgreSQL cannot
// parse aborts the transaction just as one that fails.
func (f *Faults) fail(ctx context.Context, c *conn, _ event) error {
	if f.dialect == bundb.Postgres && c.inTx {
		_, _ = c.Conn.(driver.ExecerContext).ExecContext(ctx, "injected fault", nil)
	}
	return ErrInjected
}
