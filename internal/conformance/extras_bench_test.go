package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/telemetry"
)

// BenchmarkExtras measures what each option adds to a rotation, from the request to the answer, without a network.
func BenchmarkExtras(b *testing.B) {
	data := plugin.WithData(map[string]any{"amr": []string{"pwd", "otp"}, "tenant": "5ebac534954b54139806c112", "role": "an administrator of it"})
	events := func(context.Context, plugin.Event) {}
	for _, extra := range []struct {
		name    string
		onEvent func(context.Context, plugin.Event)
		cookies bool
		data    []plugin.SessionOption
	}{
		{"none", nil, false, nil},
		{"events", events, false, nil},
		{"telemetry", reporter(b), false, nil},
		{"cookies", nil, true, nil},
		{"data", nil, false, []plugin.SessionOption{data}},
		{"all", reporter(b), true, []plugin.SessionOption{data}},
	} {
		b.Run(extra.name, func(b *testing.B) {
			host := testhost.New(b, testdb.Open(b, testdb.SQLite(b), &gorm.Config{}), testhost.Strict, func(c *refreshtokens.Config) { c.OnEvent = extra.onEvent })
			host.Register(host.Router.Group("/web"), refreshtokens.WithCookies(refreshtokens.Cookies{}))
			tokens, err := host.Issue(b.Context(), "alice", plugin.Device{UserAgent: "test/1.0", IP: "192.0.2.1"}, extra.data...)
			if err != nil {
				b.Fatal(err)
			}
			token := tokens.Refresh.Token
			b.ReportAllocs()
			for b.Loop() {
				if extra.cookies {
					token = inCookie(b, host, token)
				} else {
					token = inBody(b, host, token)
				}
			}
		})
	}
}

// reporter is an OnEvent that reports to OpenTelemetry's SDK.
func reporter(b *testing.B) func(context.Context, plugin.Event) {
	b.Helper()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()))
	t, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())), traces)
	if err != nil {
		b.Fatal(err)
	}
	return t.OnEvent
}

// inBody refreshes with a token in the body, and returns the next one.
func inBody(b *testing.B, host *testhost.Host, token string) string {
	b.Helper()
	recorder := host.Post(testhost.RefreshPath, `{"refreshToken":"`+token+`"}`)
	var tokens plugin.Tokens
	if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil || recorder.Code != http.StatusOK {
		b.Fatal(recorder.Code, err)
	}
	return tokens.Refresh.Token
}

// inCookie refreshes with a token in a cookie, and returns the next one.
func inCookie(b *testing.B, host *testhost.Host, token string) string {
	b.Helper()
	recorder := host.Do(http.MethodPost, "/web/auth/refresh-tokens", nil, "Cookie", "__Secure-refresh-token="+token)
	_, next, ok := strings.Cut(recorder.Header().Get("Set-Cookie"), "=")
	next, _, ended := strings.Cut(next, ";")
	if !ok || !ended || recorder.Code != http.StatusOK {
		b.Fatal(recorder.Code, recorder.Body)
	}
	return next
}
