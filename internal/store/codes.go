package store

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"
)

// isTransient tells a deadlock, a serialization failure, a lock timeout and a busy database from other errors. After each
// of them the statement has changed nothing.
func isTransient(err error) bool {
	code := codeOf(err)
	return slices.Contains([]string{
		"40001", // serialization_failure, and CockroachDB's "restart transaction"
		"40P01", // deadlock_detected
		"55P03", // lock_not_available
		"57P01", // admin_shutdown: the server ended the connection before, or instead of, the statement
		"57P03", // cannot_connect_now
	}, code.state) || slices.ContainsFunc(code.numbers, func(number uint64) bool {
		return slices.Contains([]uint64{
			1020, // record has changed since last read (MariaDB's snapshot isolation)
			1047, // node not ready (Galera)
			1205, // lock wait timeout
			1213, // deadlock, and Galera's certification failure
			3572, // lock not available at once
			8022, // the commit failed and was rolled back (TiDB)
			8028, // the table's schema has changed (TiDB)
			9007, // write conflict (TiDB)
		}, number)
	}) || code.sqlite&0xff == 5 || code.sqlite&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED, and their extended codes
}

// isBroken tells a connection that broke off. A server that can't be connected to at all is none: it would fail again.
func isBroken(err error) bool {
	if opError := new(net.OpError); errors.As(err, &opError) && opError.Op == "dial" {
		return false
	}
	for _, broken := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return true
		}
	}
	text := err.Error() // of go-sql-driver/mysql and pgx, whose errors we can't import
	return strings.Contains(text, "invalid connection") || strings.Contains(text, "conn closed")
}

// code is what a database called an error. What it didn't say is empty.
type code struct {
	state   string   // SQLSTATE: pgx, pq
	numbers []uint64 // go-sql-driver/mysql
	sqlite  int64    // the SQLite drivers
}

// codeOf knows the drivers by the shape of their errors, so that none need be imported: an SQLSTATE method, a Number
// field, a Code field or method.
func codeOf(err error) (c code) {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return code{state: state.SQLState()}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if number := fieldOf(err, "Number"); number.CanUint() {
			return code{numbers: []uint64{number.Uint()}}
		}
		if sqlite, ok := sqliteCode(err); ok {
			return code{sqlite: sqlite}
		}
	}
	return code{}
}

func sqliteCode(err error) (int64, bool) {
	if coded, ok := err.(interface{ Code() int }); ok {
		return int64(coded.Code()), true
	}
	if code := fieldOf(err, "Code"); code.CanInt() {
		return code.Int(), true
	}
	return 0, false
}

// fieldOf returns a field of the struct behind an error, or the zero Value, which is no number of any kind.
func fieldOf(err error, name string) reflect.Value {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}
