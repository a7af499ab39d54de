package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
)

const (
	// All tries together take at least a second and a half. PostgreSQL refuses a serializable statement at once, again and
	// again, while the commit of another transaction waits for its disk or its synchronous replica.
	maxTries  = 12
	firstWait = 2 * time.Millisecond
	maxWait   = time.Second

	// maxBreaks is how often retry tries again after a broken connection: the pool may hand out a second dead one.
	maxBreaks = 2
)

// onBreak says what retry does when a connection breaks off: the statement may or may not have been carried out.
type onBreak bool

const (
	once  onBreak = false // gives up
	again onBreak = true  // tries again: doing it twice does no harm
)

// retry runs one statement. It tries again while the statement fails in a way that changed nothing and may pass by itself,
// and, with again, after a broken connection. Between tries it waits for a growing, partly random time. It stops after maxTries,
// or when ctx ends. unsure is true if a connection broke: then an earlier try may have changed rows.
//
// On a transaction of the host's there is no second try: the transaction is over, and only the host can repeat it.
func (s *Store) retry(ctx context.Context, broken onBreak, statement func() *gorm.DB) (result *gorm.DB, unsure bool) {
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
		timer := time.NewTimer(wait/2 + rand.N(wait/2)) //nolint:gosec // jitter need not be secret
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
