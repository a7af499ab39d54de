package main

import (
	"fmt"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// metrics is what Prometheus reads: the sessions' metrics, and those of the Go runtime and the process. docs/grafana.json is a
// dashboard for them.
type metrics struct {
	*telemetry.Telemetry
	registry *prometheus.Registry
}

// newMetrics uses a registry of its own and not Prometheus's global one, so that a process can have several apps, as tests do.
func newMetrics() (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("export metrics: %w", err)
	}
	// The spans go to OpenTelemetry's global provider, which drops them: this example has nowhere to send them.
	sessions, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)), nil)
	if err != nil {
		return nil, fmt.Errorf("session metrics: %w", err)
	}
	return &metrics{sessions, registry}, nil
}

// handler answers in Prometheus's text format. It asks for no credentials, so a real host serves it on a port that only
// Prometheus reaches, and not on the public one.
func (m *metrics) handler(sessions telemetry.Source) gin.HandlerFunc {
	m.Observe(sessions)
	return gin.WrapH(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}
