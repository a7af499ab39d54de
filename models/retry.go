package models

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"gorm.io/gorm"
)

const (
	maxTries  = 12
	firstWait = 2 * time.Millisecond
	maxWait   = 200 * time.Millisecond
)

// run runs one statement, and again while it fails in a way that has changed nothing and may pass by itself: with a
// growing, random wait in between, a bounded number of times, and no longer than ctx lasts.
//
// Within a transaction of the host's there is no second try: the transaction is over, and only the host can repeat it.
func (s *Store) run(ctx context.Context, statement func() *gorm.DB) *gorm.DB {
	wait := firstWait
	for try := 1; ; try++ {
		result := statement()
		if result.Error == nil || try == maxTries || s.InTransaction() {
			return result
		}
		// GORM prepares a statement within the first request that needs it. If that one is cancelled, the others that
		// wait for the statement get its error.
		another := ctx.Err() == nil && (errors.Is(result.Error, context.Canceled) || errors.Is(result.Error, context.DeadlineExceeded))
		if !another && !isTransient(result.Error) {
			return result
		}
		timer := time.NewTimer(rand.N(wait)) //nolint:gosec // jitter need not be secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return result
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

// isTransient tells a deadlock, a serialization failure, a lock timeout and a busy database from other errors. A
// connection that broke off without a word is none of them: the statement may have been carried out.
//
// It knows the drivers by the shape of their errors, so that none need be imported: an SQLSTATE method (pgx, pq), a
// Number field (go-sql-driver/mysql), a Code field or method (the SQLite drivers).
func isTransient(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return slices.Contains([]string{
			"40001", // serialization_failure, and CockroachDB's "restart transaction"
			"40P01", // deadlock_detected
			"55P03", // lock_not_available
			"57P01", // admin_shutdown: the server ended the connection before, or instead of, the statement
			"57P03", // cannot_connect_now
		}, state.SQLState())
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if number := fieldOf(err, "Number"); number.CanUint() {
			return slices.Contains([]uint64{
				1020, // record has changed since last read (MariaDB's snapshot isolation)
				1047, // node not ready (Galera)
				1205, // lock wait timeout
				1213, // deadlock, and Galera's certification failure
				3572, // lock not available at once
			}, number.Uint())
		}
		if code, ok := sqliteCode(err); ok {
			return code&0xff == 5 || code&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED, and their extended codes
		}
	}
	return false
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
