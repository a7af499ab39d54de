// Package telemetry reports sessions to OpenTelemetry: metrics, and a span for each event. It uses OpenTelemetry's API alone, so
// the host chooses the SDK and the exporter. Nothing else of this module imports it.
//
//	t, err := telemetry.New(nil, nil)                // the global providers
//	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: secret, OnEvent: t.OnEvent})
//	t.Observe(auth)
//
// The metrics, each with the name that Prometheus gives it:
//
//	refreshtokens.session.events           refreshtokens_session_events_total            events, by kind
//	refreshtokens.session.revoked          refreshtokens_session_revoked_total           sessions that were ended, by reason
//	refreshtokens.session.purged           refreshtokens_session_purged_total            old sessions whose rows were deleted
//	refreshtokens.operation.duration       refreshtokens_operation_duration_seconds      how long logins and refreshes took
//	refreshtokens.refresh.rejected         refreshtokens_refresh_rejected_total          refreshes that were answered 401
//	refreshtokens.refresh.failed           refreshtokens_refresh_failed_total            refreshes that were answered 500
//	refreshtokens.refresh.busy             refreshtokens_refresh_busy_total              refreshes that were answered 503
//	refreshtokens.live_session.lookups     refreshtokens_live_session_lookups_total      look-ups of live sessions
//	refreshtokens.live_session.cache_hits  refreshtokens_live_session_cache_hits_total   those that were answered from memory
//
// No metric has an attribute of a user's: no subject, session id, user agent or address. They would make a series for each user,
// and are nobody's business. A span has the session id, and nothing else of the kind.
package telemetry

import (
	"context"
	"errors"
	"math"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Scope is the name of the meter and of the tracer.
const Scope = "github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"

// Source has counts; a Plugin and a [plugin.Service] are one.
type Source interface{ Stats() plugin.Stats }

// Telemetry records what happens to sessions. It is safe for concurrent use.
type Telemetry struct {
	tracer                  trace.Tracer
	events, revoked, purged metric.Int64Counter
	duration                metric.Float64Histogram
	known                   map[seriesKey]series

	mu      sync.Mutex
	sources []Source
}

// New makes the instruments. A provider that is nil means OpenTelemetry's global one, which the host should have set before: then
// the counters start at 0. An error is the provider's.
func New(meters metric.MeterProvider, tracers trace.TracerProvider) (*Telemetry, error) {
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	t := &Telemetry{tracer: tracers.Tracer(Scope)}
	meter := meters.Meter(Scope)
	if err := errors.Join(t.instruments(meter), t.observables(meter)); err != nil {
		return nil, err
	}
	t.startAtZero()
	return t, nil
}

// OnEvent records event. It is for [plugin.Config]'s OnEvent, or for the host's own to call. It does not wait for anything.
func (t *Telemetry) OnEvent(ctx context.Context, event plugin.Event) {
	t.measure(ctx, &event)
	t.trace(ctx, &event)
}

// Observe adds the counts of source to the metrics, from now on. A host with several Plugins calls it for each: the metrics
// are their sums. The same source must not be given twice.
func (t *Telemetry) Observe(source Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sources = append(t.sources, source)
}

// observables makes the instruments that are read from the sources whenever the SDK collects.
func (t *Telemetry) observables(meter metric.Meter) error {
	counter := func(name, unit, description string) (metric.Int64ObservableCounter, error) {
		return meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	}
	rejected, err1 := counter("refreshtokens.refresh.rejected", "{refresh}",
		"Refreshes with a token that was invalid, expired, revoked or reused.")
	failed, err2 := counter("refreshtokens.refresh.failed", "{refresh}",
		"Refreshes that the database or a callback of the host's failed.")
	busy, err3 := counter("refreshtokens.refresh.busy", "{refresh}",
		"Refreshes that waited too long for their turn.")
	lookups, err4 := counter("refreshtokens.live_session.lookups", "{lookup}", "Look-ups of live sessions.")
	hits, err5 := counter("refreshtokens.live_session.cache_hits", "{lookup}",
		"Look-ups of live sessions that were answered from memory.")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.sources) == 0 {
			return nil
		}
		var sum plugin.Stats
		for _, source := range t.sources {
			stats := source.Stats()
			sum.Rejected += stats.Rejected
			sum.Failed += stats.Failed
			sum.Busy += stats.Busy
			sum.LiveLookups += stats.LiveLookups
			sum.LiveCacheHits += stats.LiveCacheHits
		}
		observer.ObserveInt64(rejected, signed(sum.Rejected))
		observer.ObserveInt64(failed, signed(sum.Failed))
		observer.ObserveInt64(busy, signed(sum.Busy))
		observer.ObserveInt64(lookups, signed(sum.LiveLookups))
		observer.ObserveInt64(hits, signed(sum.LiveCacheHits))
		return nil
	}, rejected, failed, busy, lookups, hits)
	return err
}

func signed(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
