package plugin

import (
	"context"
	"fmt"
	"time"
)

// placesWithoutLimit is how many refreshes run at once where the pool has no limit. A PostgreSQL server as it is installed has 100
// connections, for all its clients together.
const placesWithoutLimit = 64

// places bounds how many refreshes run at once. After an outage, every client comes back at the same time. Without a bound, their
// refreshes would run into their timeouts together, after the database has worked for each of them in vain. Who waits is served in
// order. A refresh that tries again keeps its place, so tries never add to what the database bears. Nil is no bound.
type places chan struct{}

// newPlaces returns as many places as configured. The default is twice as many as the pool has connections: when one of them comes back,
// the next refresh already waits for it.
func newPlaces(config Config) places {
	if config.MaxRefreshes > 0 {
		return make(places, config.MaxRefreshes)
	}
	if pool, err := config.DB.DB(); err == nil {
		if limit := pool.Stats().MaxOpenConnections; limit > 0 {
			return make(places, 2*limit)
		}
	}
	return make(places, placesWithoutLimit)
}

// enter takes a place. If there is none within limit, or the client hangs up first, the error is [ErrBusy].
func (p places) enter(client context.Context, limit time.Duration) error {
	if p == nil {
		return nil
	}
	select {
	case p <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case p <- struct{}{}:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: waited %v for its turn", ErrBusy, limit)
	case <-client.Done():
		return fmt.Errorf("%w: %w while it waited for its turn", ErrBusy, client.Err())
	}
}

// leave gives the place back.
func (p places) leave() {
	if p != nil {
		<-p
	}
}
