package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// spanNames say which call an event is of.
var spanNames = map[plugin.EventKind]string{
	plugin.EventIssued:          "refreshtokens.issue",
	plugin.EventTakenOver:       "refreshtokens.refresh",
	plugin.EventRefreshed:       "refreshtokens.refresh",
	plugin.EventRepeated:        "refreshtokens.refresh",
	plugin.EventReuseDetected:   "refreshtokens.refresh",
	plugin.EventUnproven:        "refreshtokens.refresh",
	plugin.EventRevoked:         "refreshtokens.revoke",
	plugin.EventReauthenticated: "refreshtokens.reauthenticate",
	plugin.EventPurged:          "refreshtokens.purge",
}

// trace makes a span of an event, after the fact: a child of the span in ctx, as long as the call took. An event that has no
// duration is a span of no length.
func (t *Telemetry) trace(ctx context.Context, event *plugin.Event) {
	name, known := spanNames[event.Kind]
	if !known {
		name = "refreshtokens." + string(event.Kind)
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(event.Time.Add(-event.Duration)))
	if span.IsRecording() {
		span.SetAttributes(spanAttributes(event)...)
		switch event.Kind {
		case plugin.EventReuseDetected:
			span.SetStatus(codes.Error, "a spent refresh token came back; its session is revoked")
		case plugin.EventUnproven:
			span.SetStatus(codes.Error, "a bound session's refresh token came without proof of its key")
		}
	}
	span.End(trace.WithTimestamp(event.Time))
}

func spanAttributes(event *plugin.Event) []attribute.KeyValue {
	attributes := append(make([]attribute.KeyValue, 0, 4), EventKey.String(string(event.Kind)))
	attributes = append(attributes, details(event)...)
	if event.Session.ID != "" {
		attributes = append(attributes, SessionIDKey.String(event.Session.ID))
	}
	switch event.Kind {
	case plugin.EventReuseDetected, plugin.EventUnproven:
		// The conventions ask for error.type on what failed.
		attributes = append(attributes, attribute.String("error.type", string(event.Kind)))
	case plugin.EventRevoked, plugin.EventPurged:
		attributes = append(attributes, SessionCountKey.Int64(event.Count))
	}
	return attributes
}
