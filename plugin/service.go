// Package plugin issues, refreshes, verifies and revokes. It knows nothing of HTTP.
//
// A session is one row. [Service.Issue] inserts it, and [Service.Refresh] rotates it in one conditional UPDATE. The tokens
// are derived from the row and the host's secret, so none is stored, and the same answer can be given twice: to tabs that
// race, and to a client whose answer got lost. docs/how-it-works.md has the decision table.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
)

// Service issues, refreshes, verifies and revokes. It is safe for concurrent use, by any number of processes on one
// database.
type Service struct {
	config   Config
	store    *store.Store
	ended    *endedSessions
	live     *liveSessions
	onHostDB bool // made by WithDB
	stats    *stats
	places   places
	keys

	// In seconds; gracePeriod is negative where it is off.
	accessTTL, refreshTTL, sessionTTL, gracePeriod int64
}

// New fills in the defaults of config, checks it, and checks that the table is there. Every mistake in config is in the
// error, each with what to do about it.
func New(config Config) (*Service, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("refreshtokens: bad Config: %w", err)
	}
	rows := store.New(config.DB, config.Table)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := rows.Check(ctx); err != nil {
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	signing, err := config.keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	s := &Service{
		config:      config,
		store:       rows,
		ended:       newEndedSessions(),
		live:        &liveSessions{},
		stats:       &stats{},
		places:      newPlaces(config),
		keys:        signing,
		accessTTL:   int64(config.AccessTTL / time.Second),
		refreshTTL:  int64(config.RefreshTTL / time.Second),
		sessionTTL:  int64(config.SessionTTL / time.Second),
		gracePeriod: int64(config.GracePeriod / time.Second),
	}
	if config.GracePeriod < 0 {
		s.gracePeriod = -1
	}
	if err := s.checkClock(ctx); err != nil && !errors.Is(err, ErrClock) { // which was logged
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	return s, nil
}

// startTimeout bounds what New asks of the database.
const startTimeout = 10 * time.Second

// WithDB returns the Service on db, which may be a transaction or a connection of the host's. What it writes then stands or
// falls with that transaction, and a deadlock is for the host to repeat.
//
// The Claims callback runs outside the transaction: on its own it doesn't see what is not committed yet, and on a pool of
// one connection it would wait for ever. Its ctx is the one that Issue got, so it can carry the transaction. Don't call
// Refresh in a transaction that its error rolls back: [ErrReused] and [ErrSubjectRefused] come with a revocation that has
// to stay.
func (s *Service) WithDB(db *gorm.DB) *Service {
	with := *s
	with.store, with.onHostDB = s.store.WithDB(db), true
	with.ended = nil  // what a transaction finds may be rolled back
	with.places = nil // it has its connection already
	return &with
}

// Logger returns the configured logger, never nil.
func (s *Service) Logger() *slog.Logger {
	return s.config.Logger
}
