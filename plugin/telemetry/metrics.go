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

// startAtZero makes each series that is known before its first event. Prometheus's increase() misses the step from no series to
// 1, and the first theft is the one to see.
func (t *Telemetry) startAtZero() {
	ctx := context.Background()
	for kind := range spanNames {
		event := plugin.Event{Kind: kind}
		switch kind {
		case plugin.EventRevoked:
			for _, event.Reason = range reasons {
				t.count(ctx, &event, 0)
			}
		case plugin.EventRepeated:
			for _, event.DeviceChanged = range []bool{false, true} {
				t.count(ctx, &event, 0)
			}
		default:
			t.count(ctx, &event, 0)
		}
	}
}

func (t *Telemetry) measure(ctx context.Context, event *plugin.Event) {
	t.count(ctx, event, 1)
	switch event.Kind {
	case plugin.EventIssued, plugin.EventTakenOver, plugin.EventRefreshed, plugin.EventRepeated:
		t.duration.Record(ctx, event.Duration.Seconds(), metric.WithAttributes(EventKey.String(string(event.Kind))))
	}
}

// count adds an event to the counters n times.
func (t *Telemetry) count(ctx context.Context, event *plugin.Event, n int64) {
	t.events.Add(ctx, n, metric.WithAttributes(append(details(event), EventKey.String(string(event.Kind)))...))
	switch event.Kind {
	case plugin.EventRevoked:
		t.revoked.Add(ctx, n*event.Count, metric.WithAttributes(ReasonKey.String(string(event.Reason))))
	case plugin.EventReuseDetected:
		t.revoked.Add(ctx, n, metric.WithAttributes(ReasonKey.String(string(byReuse))))
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
