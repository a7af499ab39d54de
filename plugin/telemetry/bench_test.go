package telemetry_test

import (
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// BenchmarkOnEvent is what telemetry adds to a refresh, with OpenTelemetry's SDK.
func BenchmarkOnEvent(b *testing.B) {
	event := plugin.Event{Kind: plugin.EventRefreshed, Time: time.Now(), Duration: time.Millisecond, Session: plugin.Session{ID: "a"}}
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for name, traces := range map[string]*sdktrace.TracerProvider{
		"metrics":           sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"metrics and spans": sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample())),
	} {
		b.Run(name, func(b *testing.B) {
			reporter, err := telemetry.New(metrics, traces)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				reporter.OnEvent(b.Context(), event)
			}
		})
	}
}
