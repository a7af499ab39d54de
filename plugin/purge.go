package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	// purgeBatch is how many rows one DELETE of Purge takes.
	purgeBatch = 500

	// A login purges one batch of loginPurgeBatch rows, once in loginPurgeOdds. Each login adds one row, so a table
	// stays bounded without a Janitor.
	loginPurgeOdds  = 64
	loginPurgeBatch = 256
)

// Purge deletes the rows of sessions past their absolute end. It returns how many it deleted, also with an error. MariaDB's
// Spider engine doesn't say, so there it returns 0. It goes in small batches and rests after each for as long as that took,
// so it never uses more than half of one connection. Stopped by ctx, it can be run again. Any number of hosts can run it at once.
//
// It refuses with [ErrClock] where this host's clock is more than an hour off the database's.
func (s *Service) Purge(ctx context.Context) (int64, error) {
	if err := s.checkClock(ctx); err != nil {
		return 0, err
	}
	cutoff := s.cutoff(s.now())
	var total int64
	var previous models.Text
	for {
		began := time.Now()
		first, deleted, err := s.store.PurgeBatch(ctx, cutoff, purgeBatch)
		total += deleted
		if err != nil || first == "" {
			return total, err
		}
		if deleted > 0 {
			s.emit(ctx, Event{Kind: EventPurged, Count: deleted})
		} else if first == previous {
			return total, fmt.Errorf("purge: session %s is past its end, and the database does not delete it", first)
		}
		previous = first
		if !sleep(ctx, time.Since(began)) {
			return total, ctx.Err()
		}
	}
}

// purgeSometimes deletes a batch of old rows after one login in loginPurgeOdds. A failure is logged: the login stands. It
// leaves a transaction of the host's alone, because a failure could end it.
func (s *Service) purgeSometimes(ctx context.Context) {
	if s.store.InTransaction() || rand.IntN(loginPurgeOdds) != 0 { //nolint:gosec // need not be secret
		return
	}
	err := s.checkClock(ctx)
	var deleted int64
	if err == nil {
		_, deleted, err = s.store.PurgeBatch(ctx, s.cutoff(s.now()), loginPurgeBatch)
	}
	if deleted > 0 {
		s.emit(ctx, Event{Kind: EventPurged, Count: deleted})
	}
	if err != nil {
		s.config.Logger.WarnContext(ctx, "refreshtokens: purge after a login failed", "error", err)
	}
}

// Janitor runs Purge at once and then at every interval, until ctx is done. A failed purge is logged, and the next one
// makes up for it. It is for a goroutine of the host's:
//
//	go auth.Janitor(ctx, time.Hour)
//
// The error is for an interval that is not positive. The end of ctx is no error.
func (s *Service) Janitor(ctx context.Context, interval time.Duration) error {
	if interval <= 0 {
		return errors.New("refreshtokens: the Janitor's interval must be positive")
	}
	for {
		purged, err := s.Purge(ctx)
		if err != nil && ctx.Err() == nil {
			s.config.Logger.WarnContext(ctx, "refreshtokens: purge failed", "purged", purged, "error", err)
		}
		if !sleep(ctx, interval) {
			return nil
		}
	}
}

// sleep waits for d, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
