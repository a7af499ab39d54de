package plugin

import (
	"context"
	"errors"
	"time"
)

// purgeBatch is how many rows one DELETE of Purge takes.
const purgeBatch = 500

// Purge deletes the rows of sessions past their absolute end, and returns how many it deleted, also with an error. It goes
// in small batches and rests after each for as long as that took, so that it never has more than half of one connection.
// Stopped by ctx, it can be run again, and any number of hosts can run it at once.
func (s *Service) Purge(ctx context.Context) (int64, error) {
	cutoff := s.cutoff(s.now())
	var total int64
	for {
		began := time.Now()
		deleted, err := s.store.PurgeBatch(ctx, cutoff, purgeBatch)
		total += deleted
		if err != nil || deleted == 0 {
			return total, err
		}
		if !sleep(ctx, time.Since(began)) {
			return total, ctx.Err()
		}
	}
}

// Janitor runs Purge at once and then at every interval, until ctx is done. A failed purge is logged, and the next one
// makes up for it. It is for a goroutine of the host's:
//
//	go auth.Janitor(ctx, time.Hour)
//
// The error is for an interval that is not positive; ctx's end is none.
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

// sleep waits for d, and tells whether ctx let it.
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
