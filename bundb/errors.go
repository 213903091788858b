package bundb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"

	"github.com/tenon-go/tenon/problem"
)

// Result codes of SQLite, https://www.sqlite.org/rescode.html.
const (
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteNoMem     = 7
	sqliteInterrupt = 9
	sqliteIOErr     = 10
	sqliteFull      = 13
	sqliteCantOpen  = 14
	sqliteProtocol  = 15

	sqliteConstraintPrimaryKey = 1555
	sqliteConstraintUnique     = 2067
)

// Wrap adds the operation to err, as in Wrap("sessionbun: start", err); nil
// stays nil. What means that the database cannot be used now, such as a refused or
// broken connection, a deadline, a full pool or a locked file, becomes
// problem.ErrUnavailable with err as its cause. Everything else keeps its
// identity for errors.Is: context.Canceled, sql.ErrNoRows, the sentinels of the
// packages.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if isOutage(err) {
		err = problem.ErrUnavailable.With(err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// IsUniqueViolation reports whether err says that a row breaks a unique index or
// a primary key.
func IsUniqueViolation(err error) bool {
	if state, ok := sqlState(err); ok {
		return state == "23505"
	}
	code, ok := sqliteCode(err)
	return ok && (code == sqliteConstraintUnique || code == sqliteConstraintPrimaryKey)
}

// Violated names what a unique violation broke: the constraint or index on
// PostgreSQL ("tenon_users_email_key"), the columns on SQLite
// ("tenon_users.email"). It is "" for other errors and where the driver does not
// tell. Look for the column's name in it; an index whose name contains its
// columns' reads alike on both.
func Violated(err error) string {
	if !IsUniqueViolation(err) {
		return ""
	}
	if e, ok := errors.AsType[stateError](err); ok {
		return constraintOf(e)
	}
	_, columns, _ := strings.Cut(err.Error(), "UNIQUE constraint failed: ")
	columns, _, _ = strings.Cut(columns, " (")
	return columns
}

type stateError interface {
	error
	SQLState() string
}

type codeError interface {
	error
	Code() int
}

// constraintOf reads the field by its name, because pgx offers no method for it
// and this package does not link pgx.
func constraintOf(err error) string {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct {
		return ""
	}
	if f := v.FieldByName("ConstraintName"); f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}

func sqlState(err error) (string, bool) {
	e, ok := errors.AsType[stateError](err)
	if !ok {
		return "", false
	}
	return e.SQLState(), true
}

func sqliteCode(err error) (int, bool) {
	e, ok := errors.AsType[codeError](err)
	if !ok {
		return 0, false
	}
	return e.Code(), true
}

func isOutage(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, problem.ErrUnavailable) {
		return false
	}
	if state, ok := sqlState(err); ok {
		return isOutageState(state)
	}
	if code, ok := sqliteCode(err); ok {
		return isOutageCode(code & 0xff)
	}
	return isConnectionLoss(err)
}

// isOutageState knows the SQLSTATEs under which another attempt may succeed:
// classes 08 (connection), 28 and 3D (cannot log in), 53 (resources), 57P
// (shutdown), 58 (system), and a cancelled, deadlocked or read-only transaction.
func isOutageState(state string) bool {
	switch state {
	case "57014", "40001", "40P01", "55P03", "25006":
		return true
	}
	for _, class := range []string{"08", "28", "3D", "53", "57P", "58"} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

func isOutageCode(code int) bool {
	switch code {
	case sqliteBusy, sqliteLocked, sqliteNoMem, sqliteInterrupt, sqliteIOErr, sqliteFull, sqliteCantOpen, sqliteProtocol:
		return true
	}
	return false
}

func isConnectionLoss(err error) bool {
	for _, loss := range []error{
		context.DeadlineExceeded, os.ErrDeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, loss) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// database/sql keeps this error to itself.
	return strings.HasSuffix(err.Error(), "sql: database is closed")
}

// endsTransaction reports whether SQLite may have rolled back the whole
// transaction because of err, https://www.sqlite.org/lang_transaction.html.
func endsTransaction(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code, ok := sqliteCode(err)
	return ok && isOutageCode(code&0xff)
}
