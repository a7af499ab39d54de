package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// The attributes of metrics and spans.
const (
	// EventKey is the kind of the event: issued, refreshed, repeated …
	EventKey = attribute.Key("refreshtokens.event")

	// ReasonKey is why sessions were revoked: logout, device_list, host … and reuse, for those that a spent refresh token ended.
	ReasonKey = attribute.Key("refreshtokens.revocation.reason")

	// DeviceChangedKey is of repeated refreshes: whether another device asked than the one that rotated the session.
	DeviceChangedKey = attribute.Key("refreshtokens.device_changed")

	// SessionCountKey is of spans: how many sessions were revoked or purged.
	SessionCountKey = attribute.Key("refreshtokens.session.count")

	// SessionIDKey is of spans.
	SessionIDKey = attribute.Key("session.id")
)

// byReuse is the reason of sessions that a spent refresh token ended. Their event is [plugin.EventReuseDetected], which needs none.
const byReuse plugin.Reason = "reuse"

// reasons are those of [plugin.EventRevoked].
var reasons = []plugin.Reason{plugin.ByLogout, plugin.ByDeviceList, plugin.ByHost, plugin.ByLimit, plugin.ByRefusal}

// buckets hint at seconds. A repeat takes one SELECT on a near database, a slow refresh half a grace period.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// instruments makes the instruments that events are recorded on.
func (t *Telemetry) instruments(meter metric.Meter) error {
	var err1, err2, err3, err4 error
	t.events, err1 = meter.Int64Counter("refreshtokens.session.events", metric.WithUnit("{event}"),
		metric.WithDescription("What happened to sessions, by kind."))
	t.revoked, err2 = meter.Int64Counter("refreshtokens.session.revoked", metric.WithUnit("{session}"),
		metric.WithDescription("Sessions that were ended, by reason."))
	t.purged, err3 = meter.Int64Counter("refreshtokens.session.purged", metric.WithUnit("{session}"),
		metric.WithDescription("Sessions that were long over, and whose rows were deleted."))
	t.duration, err4 = meter.Float64Histogram("refreshtokens.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("How long logins and refreshes took."), metric.WithExplicitBucketBoundaries(buckets...))
	return errors.Join(err1, err2, err3, err4)
}

// series are the options with which the instruments record an event.
type series struct {
	events, revoked []metric.AddOption
	duration        []metric.RecordOption // nil for events without one
}

// seriesKey is what the series of an event depends on.
type seriesKey struct {
	kind          plugin.EventKind
	reason        plugin.Reason
	deviceChanged bool
}

func keyOf(event *plugin.Event) seriesKey {
	return seriesKey{event.Kind, event.Reason, event.DeviceChanged}
}

func newSeries(event *plugin.Event) series {
	kind := EventKey.String(string(event.Kind))
	s := series{events: []metric.AddOption{metric.WithAttributes(append(details(event), kind)...)}}
	switch event.Kind {
	case plugin.EventRevoked:
		s.revoked = []metric.AddOption{metric.WithAttributes(ReasonKey.String(string(event.Reason)))}
	case plugin.EventReuseDetected:
		s.revoked = []metric.AddOption{metric.WithAttributes(ReasonKey.String(string(byReuse)))}
	case plugin.EventIssued, plugin.EventTakenOver, plugin.EventRefreshed, plugin.EventRepeated:
		s.duration = []metric.RecordOption{metric.WithAttributes(kind)}
	}
	return s
}

// seriesOf returns the series of an event, which is a new one for a kind or a reason that is not known.
func (t *Telemetry) seriesOf(event *plugin.Event) series {
	if known, ok := t.known[keyOf(event)]; ok {
		return known
	}
	return newSeries(event)
}

// startAtZero makes each series that is known before its first event. Prometheus's increase() misses the step from no series to
// 1, and the first theft is the one to see. It also keeps them: OpenTelemetry sorts and hashes the attributes of each new one.
func (t *Telemetry) startAtZero() {
	t.known = map[seriesKey]series{}
	start := func(event plugin.Event) {
		made := newSeries(&event)
		t.known[keyOf(&event)] = made
		t.count(context.Background(), made, &event, 0)
	}
	for kind := range spanNames {
		switch kind {
		case plugin.EventRevoked:
			for _, reason := range reasons {
				start(plugin.Event{Kind: kind, Reason: reason})
			}
		case plugin.EventRepeated:
			for _, changed := range []bool{false, true} {
				start(plugin.Event{Kind: kind, DeviceChanged: changed})
			}
		default:
			start(plugin.Event{Kind: kind})
		}
	}
}

func (t *Telemetry) measure(ctx context.Context, event *plugin.Event) {
	s := t.seriesOf(event)
	t.count(ctx, s, event, 1)
	if s.duration != nil {
		t.duration.Record(ctx, event.Duration.Seconds(), s.duration...)
	}
}

// count adds an event to the counters n times.
func (t *Telemetry) count(ctx context.Context, s series, event *plugin.Event, n int64) {
	t.events.Add(ctx, n, s.events...)
	switch event.Kind {
	case plugin.EventRevoked:
		t.revoked.Add(ctx, n*event.Count, s.revoked...)
	case plugin.EventReuseDetected:
		t.revoked.Add(ctx, n, s.revoked...)
	case plugin.EventPurged:
		t.purged.Add(ctx, n*event.Count)
	}
}

// details are the attributes that only some kinds of events have. Each has few values.
func details(event *plugin.Event) []attribute.KeyValue {
	switch event.Kind {
	case plugin.EventRevoked:
		return []attribute.KeyValue{ReasonKey.String(string(event.Reason))}
	case plugin.EventRepeated:
		return []attribute.KeyValue{DeviceChangedKey.Bool(event.DeviceChanged)}
	default:
		return nil
	}
}
