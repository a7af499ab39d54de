package models

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"gorm.io/gorm"
)

const (
	maxTries  = 12
	firstWait = 2 * time.Millisecond
	maxWait   = 200 * time.Millisecond

	// maxBreaks is how often run tries again after a broken connection: a connection that the database closed, and the
	// next one that the pool had not noticed either.
	maxBreaks = 2
)

// onBreak says what run does when a connection breaks off: the statement may or may not have been carried out.
type onBreak bool

const (
	once  onBreak = false // gives up
	again onBreak = true  // tries again: doing it twice does no harm
)

// run runs one statement. It tries again while the statement fails in a way that changed nothing and may pass by itself,
// and, with again, after a broken connection. Between tries it waits for a growing, random time. It stops after maxTries,
// or when ctx ends. unsure reports that a connection broke off, so that a try before the last may have been carried out.
//
// On a transaction of the host's there is no second try: the transaction is over, and only the host can repeat it.
func (s *Store) run(ctx context.Context, broken onBreak, statement func() *gorm.DB) (result *gorm.DB, unsure bool) {
	wait, breaks := firstWait, 0
	for try := 1; ; try++ {
		result = statement()
		if result.Error == nil || try == maxTries || s.InTransaction() {
			return result, unsure
		}
		switch {
		case ctx.Err() != nil:
			return result, unsure
		case isTransient(result.Error):
		case errors.Is(result.Error, context.Canceled) || errors.Is(result.Error, context.DeadlineExceeded):
			// GORM prepares a statement within the first request that needs it. If that one is cancelled, the others that
			// wait for the statement get its error.
		case broken == again && breaks < maxBreaks && isBroken(result.Error):
			breaks++
			unsure = true
		default:
			return result, unsure
		}
		timer := time.NewTimer(rand.N(wait)) //nolint:gosec // jitter need not be secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return result, unsure
		case <-timer.C:
		}
		wait = min(2*wait, maxWait)
	}
}

// InTransaction tells whether the Store works in a transaction of the host's.
func (s *Store) InTransaction() bool {
	return inTransaction(s.db)
}

func inTransaction(db *gorm.DB) bool {
	_, ok := db.Statement.ConnPool.(gorm.TxCommitter)
	return ok
}

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
