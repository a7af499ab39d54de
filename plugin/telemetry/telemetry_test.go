package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// recorder is a Telemetry with an SDK that keeps everything.
type recorder struct {
	*telemetry.Telemetry
	t      *testing.T
	reader *sdkmetric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer *sdktrace.TracerProvider
}

func newRecorder(t *testing.T) recorder {
	t.Helper()
	reader, spans := sdkmetric.NewManualReader(), tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tel, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), tracer)
	if err != nil {
		t.Fatal(err)
	}
	return recorder{tel, t, reader, spans, tracer}
}

// metrics are all metrics, by name.
func (r recorder) metrics() map[string]metricdata.Metrics {
	r.t.Helper()
	var data metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &data); err != nil {
		r.t.Fatal(err)
	}
	all := map[string]metricdata.Metrics{}
	for _, scope := range data.ScopeMetrics {
		if scope.Scope.Name != telemetry.Scope {
			r.t.Errorf("scope is %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// counts are the values of all counters, and the counts of all histograms, by name and attributes.
func (r recorder) counts() map[string]int64 {
	r.t.Helper()
	counts := map[string]int64{}
	for name, m := range r.metrics() {
		name = strings.TrimPrefix(name, "refreshtokens.")
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			if !data.IsMonotonic {
				r.t.Errorf("%s is no counter", name)
			}
			for _, point := range data.DataPoints {
				counts[name+render(point.Attributes)] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				counts[name+render(point.Attributes)] = int64(point.Count)
			}
		default:
			r.t.Errorf("%s is a %T", name, data)
		}
	}
	return counts
}

// render is " event=issued", say, for each attribute.
func render(attributes attribute.Set) string {
	var b strings.Builder
	for _, a := range attributes.ToSlice() {
		fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(string(a.Key), "refreshtokens."), a.Value.String())
	}
	return b.String()
}

// want fails the test unless the counts are these, and all others are 0.
func (r recorder) want(want map[string]int64) {
	r.t.Helper()
	got := r.counts()
	maps.DeleteFunc(got, func(_ string, count int64) bool { return count == 0 })
	if maps.Equal(got, want) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if count, ok := want[name]; !ok || count != got[name] {
			r.t.Errorf("%s is %d, want %d", name, got[name], count)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			r.t.Errorf("%s is missing", name)
		}
	}
}

const (
	alice     = "alice-the-subject"
	userAgent = "the-user-agent/1.0"
	address   = "192.0.2.77"
)

// TestSessions drives a host on SQLite through everything that happens to sessions.
func TestSessions(t *testing.T) {
	r := newRecorder(t)
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	banned := false
	host := testhost.New(t, db, func(config *refreshtokens.Config) {
		config.OnEvent = r.OnEvent
		config.MaxSessions = 3
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			if banned {
				return nil, refreshtokens.ErrSubjectRefused
			}
			return nil, nil
		}
	})
	r.Observe(host)
	host.Router.GET("/live", host.RequireAuth(middleware.LiveSession(middleware.Within(time.Minute))), func(*gin.Context) {})
	ctx, device := t.Context(), plugin.Device{UserAgent: userAgent, IP: address}
	var secrets []string
	login := func() plugin.Tokens {
		t.Helper()
		tokens, err := host.Issue(ctx, alice, device)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, tokens.Refresh.Token, tokens.Access.Token, host.SessionID(tokens))
		host.Clock.Advance(time.Second)
		return tokens
	}
	refresh := func(token string, device plugin.Device, want error) plugin.Tokens {
		t.Helper()
		tokens, err := host.Refresh(ctx, token, device)
		if !errors.Is(err, want) {
			t.Fatalf("refresh: %v, want %v", err, want)
		}
		return tokens
	}

	first := login()
	second := refresh(first.Refresh.Token, device, nil)
	refresh(first.Refresh.Token, device, nil)
	refresh(second.Refresh.Token, plugin.Device{UserAgent: userAgent, IP: "198.51.100.9"}, nil)
	host.Clock.Advance(time.Hour)
	refresh(first.Refresh.Token, device, plugin.ErrReused)
	refresh("forged", device, plugin.ErrInvalidToken)

	testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, login().Refresh.Token), http.StatusNoContent, "")
	mine := login()
	testhost.WantAnswer(t, host.Bearer(http.MethodDelete, testhost.RefreshPath, mine.Access.Token), http.StatusNoContent, "")
	for range 4 { // one more than MaxSessions
		mine = login()
	}
	for range 2 {
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/live", mine.Access.Token), http.StatusOK, "")
	}
	claims, err := host.VerifyAccess(mine.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Reauthenticate(ctx, claims); err != nil {
		t.Fatal(err)
	}
	banned = true
	refresh(mine.Refresh.Token, device, plugin.ErrSubjectRefused)
	if err := host.RevokeAll(ctx, alice); err != nil {
		t.Fatal(err)
	}
	r.OnEvent(ctx, plugin.Event{Kind: plugin.EventPurged, Time: time.Now(), Count: 7}) // Purge refuses the host's clock

	r.want(map[string]int64{
		"session.events event=issued":                                7,
		"session.events event=refreshed":                             1,
		"session.events device_changed=false event=repeated":         1,
		"session.events device_changed=true event=repeated":          1,
		"session.events event=reuse_detected":                        1,
		"session.events event=revoked revocation.reason=logout":      1,
		"session.events event=revoked revocation.reason=limit":       1,
		"session.events event=revoked revocation.reason=refusal":     1,
		"session.events event=revoked revocation.reason=host":        1,
		"session.events event=reauthenticated":                       1,
		"session.events event=purged":                                1,
		"session.events event=revoked revocation.reason=device_list": 1,
		"session.revoked revocation.reason=reuse":                    1,
		"session.revoked revocation.reason=logout":                   1,
		"session.revoked revocation.reason=device_list":              1,
		"session.revoked revocation.reason=limit":                    1,
		"session.revoked revocation.reason=refusal":                  1,
		"session.revoked revocation.reason=host":                     2,
		"session.purged":                                             7,
		"operation.duration event=issued":                            7,
		"operation.duration event=refreshed":                         1,
		"operation.duration event=repeated":                          2,
		"refresh.rejected":                                           3,
		"live_session.lookups":                                       3, // the list of sessions asks too
		"live_session.cache_hits":                                    1,
	})

	metrics, spans := fmt.Sprintf("%+v", r.metrics()), ""
	for _, span := range r.spans.Ended() {
		spans += fmt.Sprintf("%s %v %v %v\n", span.Name(), span.Attributes(), span.Status(), span.Events())
	}
	for name := range r.counts() {
		metrics += name
	}
	for _, private := range append(secrets, alice, userAgent, address, "198.51.100.9") {
		if strings.Contains(metrics, private) {
			t.Errorf("a metric has %s", private)
		}
		if len(private) != len("00000000-0000-0000-0000-000000000000") && strings.Contains(spans, private) {
			t.Errorf("a span has %s", private)
		}
	}
	if !strings.Contains(spans, host.SessionID(mine)) {
		t.Errorf("no span has the session's id:\n%s", spans)
	}
}

// TestCountersStartAtZero: an event makes no series that was not there before.
func TestCountersStartAtZero(t *testing.T) {
	r := newRecorder(t)
	before := r.counts()
	if len(before) != 7+2+5+6+1 { // of events: 7 kinds alone, 2 of repeats, 5 of revocations; 6 reasons; and the purged
		t.Errorf("%d series: %v", len(before), slices.Sorted(maps.Keys(before)))
	}
	r.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventReuseDetected})
	r.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventRevoked, Reason: plugin.ByLimit, Count: 1})
	r.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventRepeated, DeviceChanged: true})
	for name := range r.counts() {
		if count, ok := before[name]; (!ok || count != 0) && !strings.HasPrefix(name, "operation.duration") {
			t.Errorf("%s was %d", name, count)
		}
	}
}

func TestDuration(t *testing.T) {
	r := newRecorder(t)
	r.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventRefreshed, Time: time.Now(), Duration: 3 * time.Millisecond})
	r.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventReuseDetected, Time: time.Now()})

	m := r.metrics()["refreshtokens.operation.duration"]
	histogram, _ := m.Data.(metricdata.Histogram[float64])
	if m.Unit != "s" || len(histogram.DataPoints) != 1 {
		t.Fatalf("unit %q, %d series", m.Unit, len(histogram.DataPoints))
	}
	point := histogram.DataPoints[0]
	if point.Sum != .003 || point.Bounds[0] != .0005 || point.Bounds[len(point.Bounds)-1] != 10 || point.BucketCounts[3] != 1 {
		t.Errorf("sum %v, bounds %v, counts %v", point.Sum, point.Bounds, point.BucketCounts)
	}
}

func TestSpans(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	session := plugin.Session{ID: "the-session", Subject: alice}
	for _, row := range []struct {
		event      plugin.Event
		name       string
		attributes string
		status     codes.Code
	}{
		{plugin.Event{Kind: plugin.EventIssued, Session: session, Duration: time.Second}, "refreshtokens.issue",
			" event=issued session.id=the-session", codes.Unset},
		{plugin.Event{Kind: plugin.EventTakenOver, Session: session, Duration: time.Second}, "refreshtokens.refresh",
			" event=taken_over session.id=the-session", codes.Unset},
		{plugin.Event{Kind: plugin.EventRefreshed, Session: session, Duration: time.Second}, "refreshtokens.refresh",
			" event=refreshed session.id=the-session", codes.Unset},
		{plugin.Event{Kind: plugin.EventRepeated, Session: session, DeviceChanged: true}, "refreshtokens.refresh",
			" device_changed=true event=repeated session.id=the-session", codes.Unset},
		{plugin.Event{Kind: plugin.EventReuseDetected, Session: session}, "refreshtokens.refresh",
			" error.type=reuse_detected event=reuse_detected session.id=the-session", codes.Error},
		{plugin.Event{Kind: plugin.EventRevoked, Session: plugin.Session{Subject: alice}, Count: 3, Reason: plugin.ByHost}, "refreshtokens.revoke",
			" event=revoked revocation.reason=host session.count=3", codes.Unset},
		{plugin.Event{Kind: plugin.EventReauthenticated, Session: session}, "refreshtokens.reauthenticate",
			" event=reauthenticated session.id=the-session", codes.Unset},
		{plugin.Event{Kind: plugin.EventPurged, Count: 500}, "refreshtokens.purge",
			" event=purged session.count=500", codes.Unset},
		{plugin.Event{Kind: "of_a_later_version"}, "refreshtokens.of_a_later_version",
			" event=of_a_later_version", codes.Unset},
	} {
		t.Run(string(row.event.Kind), func(t *testing.T) {
			r := newRecorder(t)
			ctx, parent := r.tracer.Tracer("host").Start(t.Context(), "POST /v1/auth/refresh-tokens")
			row.event.Time = now
			r.OnEvent(ctx, row.event)

			ended := r.spans.Ended()
			if len(ended) != 1 {
				t.Fatalf("%d spans ended", len(ended))
			}
			span := ended[0]
			if span.Name() != row.name || span.Parent().SpanID() != parent.SpanContext().SpanID() || span.Status().Code != row.status {
				t.Errorf("%s, child of %v, %v", span.Name(), span.Parent().SpanID(), span.Status())
			}
			if !span.StartTime().Equal(now.Add(-row.event.Duration)) || !span.EndTime().Equal(now) {
				t.Errorf("from %v to %v", span.StartTime(), span.EndTime())
			}
			if got := render(attribute.NewSet(span.Attributes()...)); got != row.attributes {
				t.Errorf("attributes are%s\nwant%s", got, row.attributes)
			}
		})
	}
}

type source plugin.Stats

func (s source) Stats() plugin.Stats { return plugin.Stats(s) }

func TestObserveAddsUp(t *testing.T) {
	r := newRecorder(t)
	r.want(map[string]int64{})
	r.Observe(source{Rejected: 1, Failed: 2, Busy: 5, LiveLookups: 3, LiveCacheHits: 4})
	r.Observe(source{Rejected: 10, Failed: 20, Busy: 50, LiveLookups: 30, LiveCacheHits: 40})
	for range 2 { // the counts are read, not taken
		r.want(map[string]int64{
			"refresh.rejected": 11, "refresh.failed": 22, "refresh.busy": 55, "live_session.lookups": 33, "live_session.cache_hits": 44,
		})
	}
}

// TestGlobalProviders also where the host sets them after New.
func TestGlobalProviders(t *testing.T) {
	meters, tracers := otel.GetMeterProvider(), otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetMeterProvider(meters); otel.SetTracerProvider(tracers) })
	tel, err := telemetry.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	otel.SetTracerProvider(r.tracer)
	tel.OnEvent(t.Context(), plugin.Event{Kind: plugin.EventIssued})
	if len(r.spans.Ended()) != 1 {
		t.Errorf("%d spans", len(r.spans.Ended()))
	}
}

type failingProvider struct{ noop.MeterProvider }

func (failingProvider) Meter(string, ...metric.MeterOption) metric.Meter { return failingMeter{} }

type failingMeter struct{ noop.Meter }

var errMeter = errors.New("no such counter")

func (failingMeter) Int64ObservableCounter(string, ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return nil, errMeter
}

func TestNewReturnsTheProvidersError(t *testing.T) {
	if tel, err := telemetry.New(failingProvider{}, nil); tel != nil || !errors.Is(err, errMeter) {
		t.Errorf("%v, %v", tel, err)
	}
}
