package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// The host brings the SDK. This one is read by hand; a real one has an exporter.
func Example() {
	dir, err := os.MkdirTemp("", "telemetry")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "app.db")), &gorm.Config{})
	if err != nil {
		panic(err)
	}
	if err := db.AutoMigrate(models.All()...); err != nil {
		panic(err)
	}
	reader := sdkmetric.NewManualReader()

	t, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), nil)
	if err != nil {
		panic(err)
	}
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB: db, Secret: []byte("0123456789abcdef0123456789abcdef"), Logger: slog.New(slog.DiscardHandler),
		OnEvent: t.OnEvent,
	})
	if err != nil {
		panic(err)
	}
	t.Observe(auth)

	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{})
	_, _ = auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	_, _ = auth.Refresh(ctx, "not a token", refreshtokens.Device{})

	var metrics metricdata.ResourceMetrics
	_ = reader.Collect(ctx, &metrics)
	for _, metric := range metrics.ScopeMetrics[0].Metrics {
		sum, ok := metric.Data.(metricdata.Sum[int64])
		if !ok {
			continue
		}
		for _, point := range sum.DataPoints {
			if kind, _ := point.Attributes.Value(telemetry.EventKey); point.Value > 0 {
				fmt.Println(metric.Name, kind.AsString(), point.Value)
			}
		}
	}
	// Unordered output:
	// refreshtokens.session.events issued 1
	// refreshtokens.session.events refreshed 1
	// refreshtokens.refresh.rejected  1
}
