package plugin

import (
	"context"
	"fmt"
	"time"
)

// Now returns the time, by the configured clock.
func (s *Service) Now() time.Time { return s.config.Clock() }

// now returns the time in Unix seconds. Every operation takes it once, except Refresh, which may wait for the Claims
// callback in between.
func (s *Service) now() int64 {
	return s.config.Clock().Unix()
}

// cutoff returns the auth_time at which, and before which, sessions are past their absolute end.
func (s *Service) cutoff(now int64) int64 {
	return now - s.sessionTTL
}

const (
	clockWarning = 5 * time.Second
	clockLimit   = time.Hour
)

// checkClock compares this host's clock with the database's: a host can't know by itself that its clock is wrong. It warns
// beyond clockWarning and returns [ErrClock] beyond clockLimit.
func (s *Service) checkClock(ctx context.Context) error {
	theirs, known, err := s.store.Now(ctx)
	if err != nil || !known {
		return err
	}
	ahead := time.Duration(s.now()-theirs) * time.Second
	if ahead.Abs() > clockWarning {
		s.config.Logger.WarnContext(ctx, "refreshtokens: this host's clock differs from the database's", "ahead", ahead.String())
	}
	if ahead.Abs() > clockLimit {
		return fmt.Errorf("%w: it is %v ahead of the database's", ErrClock, ahead)
	}
	return nil
}
