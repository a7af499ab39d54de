package plugin

import (
	"errors"
	"sync/atomic"
)

// Stats counts what is of no session, or too frequent for an event, since the Service was made.
type Stats struct {
	Rejected      uint64 // refreshes with a token that was invalid, expired, revoked or reused
	Failed        uint64 // refreshes that the database or a callback of the host's failed
	Busy          uint64 // refreshes that waited too long for their turn
	LiveLookups   uint64 // look-ups of live sessions
	LiveCacheHits uint64 // those that were answered from memory
}

// Stats returns the counts.
func (s *Service) Stats() Stats {
	return Stats{
		Rejected: s.stats.rejected.Load(), Failed: s.stats.failed.Load(), Busy: s.stats.busy.Load(),
		LiveLookups: s.stats.liveLookups.Load(), LiveCacheHits: s.stats.liveCacheHits.Load(),
	}
}

type stats struct{ rejected, failed, busy, liveLookups, liveCacheHits atomic.Uint64 }

// count counts a refresh that ended with err.
func (s *stats) count(err error) {
	switch {
	case err == nil:
	case isOurs(err):
		s.rejected.Add(1)
	case errors.Is(err, ErrBusy):
		s.busy.Add(1)
	default:
		s.failed.Add(1)
	}
}
