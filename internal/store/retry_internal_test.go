package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

func TestIsTransient(t *testing.T) {
	for _, row := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Code: "40001"}, true},
		{&pgconn.PgError{Code: "40P01"}, true},
		{fmt.Errorf("update: %w", &pgconn.PgError{Code: "55P03"}), true},
		{&pgconn.PgError{Code: "23505"}, false},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "08006"}, false}, // connection_failure: nobody knows what became of the statement
		{&mysql.MySQLError{Number: 1213}, true},
		{fmt.Errorf("update: %w", &mysql.MySQLError{Number: 1205}), true},
		{&mysql.MySQLError{Number: 9007}, true},
		{&mysql.MySQLError{Number: 1062}, false},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, true},
		{sqlite3.Error{Code: sqlite3.ErrLocked}, true},
		{sqlite3.Error{Code: sqlite3.ErrConstraint}, false},
		{pureSQLite(5), true},
		{pureSQLite(517), true}, // SQLITE_BUSY_SNAPSHOT
		{pureSQLite(19), false},
		{driver.ErrBadConn, false},
		{context.DeadlineExceeded, false},
		{errors.New("x"), false},
		{nil, false},
	} {
		if got := isTransient(row.err); got != row.want {
			t.Errorf("%v: %v", row.err, got)
		}
	}
}

// pureSQLite has the shape of modernc.org/sqlite's error.
type pureSQLite int

func (p pureSQLite) Error() string { return fmt.Sprintf("code %d", int(p)) }
func (p pureSQLite) Code() int     { return int(p) }
