package main

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// extras measures what the options cost, all of them together.
func (r *run) extras() {
	r.section("A refresh with everything on", "Events, OpenTelemetry with its SDK (metrics, and a span for every event, which is exported to nowhere), tokens in cookies, and sessions "+
		"with 100 bytes of data of their own, against none of it. Every refresh rotates.",
		"server", "refreshes/s", "p50", "p99", "of the refreshes/s with all off")
	traces := trace.NewTracerProvider(trace.WithBatcher(nowhere{}))
	metrics := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	defer func() {
		_ = traces.Shutdown(context.Background())
		_ = metrics.Shutdown(context.Background())
	}()
	for _, e := range []*engine{r.pg, r.maria, r.lite} {
		plain, plainAddr := ours(e, noGrace)
		reporter := must(telemetry.New(metrics, traces))
		config := quiet(e.db)
		config.GracePeriod = noGrace
		config.OnEvent = func(ctx context.Context, event plugin.Event) {
			if event.Kind != plugin.EventRefreshed && event.Kind != plugin.EventIssued {
				log.Fatal(event.Kind)
			}
			reporter.OnEvent(ctx, event)
		}
		full, fullAddr := host(config, refreshtokens.WithCookies(refreshtokens.Cookies{}))
		reporter.Observe(full)
		mint := mintOurs(full, plugin.WithData(map[string]any{"amr": []string{"pwd", "otp"}, "tenant": "5ebac534954b54139806c112", "role": "an administrator of it"}))
		off := &contender{addr: plainAddr, requests: chains(mintOurs(plain), refreshPath, "refreshToken", refreshMark)}
		on := &contender{addr: fullAddr, requests: cookieChains(mint)}
		r.compete(off, on)
		without, with := off.median(), on.median()
		r.result("all off, "+e.name, without)
		r.result("all on, "+e.name, with, times(with.speed(without)))
		r.atLeast("refreshes/s with events, telemetry, cookies and data, of those without, "+e.name, with.speed(without), 0.95)
	}
}

// cookieChains gives each client a chain of tokens, in a cookie.
func cookieChains(mint func() string) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			token := mint()
			all[i] = func(last *answer) call {
				if last != nil {
					if last.cookie == "" || last.cookie == token {
						panic(fmt.Sprintf("no new cookie with %s", last.body))
					}
					token = last.cookie
				}
				return call{path: refreshPath, body: []byte{}, headers: []header{{"Cookie", refreshCookie + "=" + token}}}
			}
		}
		return all
	}
}

// nowhere is where spans are exported to.
type nowhere struct{}

// ExportSpans is part of trace.SpanExporter.
func (nowhere) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return nil }

// Shutdown is part of trace.SpanExporter.
func (nowhere) Shutdown(context.Context) error { return nil }
