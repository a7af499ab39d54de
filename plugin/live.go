package plugin

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// SessionLives reports whether the subject has a live session of that id. It may reuse an answer that is younger than maxAge;
// 0 asks the database each time. The error is the database's.
//
// If this process revokes the session, the remembered answer is dropped at once, even during a look-up. If another process
// or a transaction of the host's does, it takes up to maxAge.
func (s *Service) SessionLives(ctx context.Context, subject, id string, maxAge time.Duration) (bool, error) {
	s.stats.liveLookups.Add(1)
	if maxAge > 0 && !s.onHostDB { // a transaction may be rolled back, or read an older snapshot
		return s.remembered(ctx, subject, id, maxAge)
	}
	return s.askLives(ctx, subject, id)
}

func (s *Service) askLives(ctx context.Context, subject, id string) (bool, error) {
	_, err := s.liveRow(ctx, subject, id, s.now(), store.Life)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// liveRow returns the columns of the subject's live session, store.Life at least, or [ErrNotFound].
func (s *Service) liveRow(ctx context.Context, subject, id string, now int64, columns store.Columns) (*models.RefreshToken, error) {
	if !jose.ValidSessionID(id) {
		return nil, ErrNotFound
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	row, err := s.store.Find(ctx, models.Text(id), columns)
	if err != nil {
		return nil, err
	}
	if row == nil || string(row.Subject) != subject || row.RevokedAt != 0 ||
		row.ExpiresAt <= now || row.CreatedAt <= s.cutoff(now) {
		return nil, ErrNotFound
	}
	return row, nil
}

// maxRemembered bounds the sessions whose answer is remembered.
const maxRemembered = 100_000

// liveSessions remembers which sessions were found alive. The cache is made when it is first used.
type liveSessions struct {
	cache atomic.Pointer[otter.Cache[string, seenAlive]]
	// revocations counts those of this process, so that a look-up finds out about one that it overlapped.
	revocations atomic.Uint64
}

type seenAlive struct {
	subject string
	at      time.Time
}

// remembered answers from the cache, or asks the database and remembers that the session lives.
func (s *Service) remembered(ctx context.Context, subject, id string, maxAge time.Duration) (bool, error) {
	cache := s.live.cache.Load()
	if cache == nil {
		s.live.cache.CompareAndSwap(nil, otter.Must(&otter.Options[string, seenAlive]{MaximumSize: maxRemembered}))
		cache = s.live.cache.Load()
	}
	now := s.config.Clock()
	if seen, ok := cache.GetIfPresent(id); ok && seen.subject == subject && now.Sub(seen.at).Abs() < maxAge {
		s.stats.liveCacheHits.Add(1)
		return true, nil
	}
	before := s.live.revocations.Load()
	lives, err := s.askLives(ctx, subject, id)
	if err != nil || !lives {
		return false, err
	}
	cache.Set(id, seenAlive{subject, now})
	if s.live.revocations.Load() == before {
		return true, nil
	}
	// What was read may be older than the revocation of this very session.
	cache.Invalidate(id)
	return s.askLives(ctx, subject, id)
}

// forgetLive is called after sessions were revoked: the one of an id, or any where the id is empty.
func (s *Service) forgetLive(id string) {
	s.live.revocations.Add(1)
	cache := s.live.cache.Load()
	switch {
	case cache == nil:
	case id == "":
		cache.InvalidateAll()
	default:
		cache.Invalidate(id)
	}
}
