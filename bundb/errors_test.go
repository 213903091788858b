package bundb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return fmt.Sprintf("code %d", int(e)) }
func (e codeError) Code() int     { return int(e) }

func TestOutagesAreUnavailableAndKeepTheirCause(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, syscall.ECONNRESET,
		stateError("08006"), stateError("57P01"), stateError("57P03"), stateError("53300"), stateError("40P01"),
		codeError(5), codeError(261), codeError(10), codeError(14), codeError(13),
		errors.New("sql: database is closed"),
	} {
		err := bundb.Wrap("notes: add", fmt.Errorf("deeper: %w", cause))
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		assert.ErrorIs(t, err, cause)
		assert.Contains(t, err.Error(), "notes: add: ")
	}
}

func TestOtherErrorsKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	assert.NoError(t, bundb.Wrap("notes: add", nil))
	own := problem.New(problem.Conflict, "TAKEN", "It is taken.")
	for _, cause := range []error{context.Canceled, sql.ErrNoRows, sql.ErrTxDone, own, stateError("23505"), codeError(2067), codeError(11)} {
		err := bundb.Wrap("notes: add", cause)
		assert.ErrorIs(t, err, cause)
		assert.False(t, errors.Is(err, problem.ErrUnavailable), cause.Error())
	}
	cancelled := fmt.Errorf("%w: %w", context.Canceled, io.ErrUnexpectedEOF)
	assert.False(t, errors.Is(bundb.Wrap("x", cancelled), problem.ErrUnavailable), "a caller who left is no outage")
}

func TestUniqueViolationNamesWhatItBroke(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		assert.NoError(t, add(t.Context(), db, "a"))
		err := add(t.Context(), db, "a")
		assert.True(t, bundb.IsUniqueViolation(bundb.Wrap("notes: add", err)), "a second id is a unique violation")
		_, err = db.Bun().NewInsert().Model(&note{ID: "b", Body: "body a"}).Conn(db.Conn(t.Context())).Exec(t.Context())
		assert.True(t, bundb.IsUniqueViolation(err), "a second body is a unique violation")
		assert.Contains(t, bundb.Violated(bundb.Wrap("notes: add", err)), "body")
		assert.NotContains(t, bundb.Violated(err), " ")

		_, err = db.Raw(t.Context()).ExecContext(t.Context(), "INSERT INTO tenon_nothing VALUES (1)")
		assert.Error(t, err)
		assert.False(t, bundb.IsUniqueViolation(err), "a missing table is none")
		assert.Equal(t, bundb.Violated(err), "")
	})
}

func TestClosedPoolAndCancelledContextAreToldApart(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		broken := bundbtest.Broken(t, db)
		assert.ErrorIs(t, bundb.Wrap("notes: add", add(t.Context(), broken, "a")), problem.ErrUnavailable)
		var id string
		err := broken.Statement("SELECT id FROM tenon_notes").QueryRow(t.Context()).Scan(&id)
		assert.ErrorIs(t, bundb.Wrap("notes: get", err), problem.ErrUnavailable)
		assert.ErrorIs(t, broken.Ping(t.Context()), problem.ErrUnavailable)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		err = bundb.Wrap("notes: add", add(gone, db, "a"))
		assert.ErrorIs(t, err, context.Canceled)
		assert.False(t, errors.Is(err, problem.ErrUnavailable), "a caller who left is no outage")
		err = db.InTx(gone, func(context.Context) error { return nil })
		assert.ErrorIs(t, err, context.Canceled)
		during, cancel := context.WithCancel(t.Context())
		err = db.InTx(during, func(ctx context.Context) error {
			assert.NoError(t, add(ctx, db, "a"))
			cancel()
			// Wait until database/sql has rolled back behind our back.
			for !errors.Is(db.Statement("SELECT 1").QueryRow(context.WithoutCancel(ctx)).Err(), sql.ErrTxDone) {
				runtime.Gosched()
			}
			return nil
		})
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, ids(t, db), "")
		assert.NoError(t, db.Ping(t.Context()))
	})
}

func TestRefusedConnectionIsUnavailableAndTellsNoPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://app:s3cret@127.0.0.1:1/app?sslmode=disable",
		"postgres://app:s3cret@[broken:1/app",
	} {
		_, err := postgres.Open(t.Context(), dsn, bundb.Config{})
		assert.Error(t, err)
		assert.False(t, strings.Contains(err.Error(), "s3cret"), "the error shows the password")
	}
	_, err := postgres.Open(t.Context(), "postgres://127.0.0.1:1/app?sslmode=disable", bundb.Config{})
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

func TestAdministratorsShutdownIsUnavailableAndThePoolRecovers(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, notes()...)
	other := bundbtest.Reopen(t, db)
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		var pid int
		assert.NoError(t, db.Raw(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
		_, err := other.Raw(t.Context()).ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", pid)
		assert.NoError(t, err)
		return bundb.Wrap("notes: add", add(ctx, db, "a"))
	})
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.NoError(t, add(t.Context(), db, "b"))
	assert.Equal(t, ids(t, db), "b")
}
