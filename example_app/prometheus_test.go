package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPrometheus: a real Prometheus scrapes the app and answers every query of docs/grafana.json. It is skipped where there is none.
func TestPrometheus(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed")
	}
	c := newMeasured(t)
	server := httptest.NewServer(c.app.router)
	defer server.Close()
	base := startPrometheus(t, binary, strings.TrimPrefix(server.URL, "http://"))
	replace := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*")
	unanswered := queries(t)
	for deadline := time.Now().Add(30 * time.Second); len(unanswered) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		c.everything()
		unanswered = slices.DeleteFunc(unanswered, func(q query) bool {
			return answers(t, base, replace.Replace(q.expr))
		})
	}
	for _, q := range unanswered {
		t.Errorf("%s: no answer to %s", q.panel, q.expr)
	}
}

// startPrometheus starts one that scrapes target each second, and returns its address.
func startPrometheus(t *testing.T, binary, target string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	err := os.WriteFile(config, fmt.Appendf(nil, `{global: {scrape_interval: 1s}, scrape_configs: [{job_name: example, static_configs: [{targets: [%q]}]}]}`, target), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	command := exec.CommandContext(t.Context(), binary, "--config.file="+config, "--storage.tsdb.path="+dir, "--web.listen-address="+addr)
	command.Dir = dir
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	return "http://" + addr
}

// answers reports whether Prometheus has a number for a query. A query that it refuses fails the test.
func answers(t *testing.T, base, query string) bool {
	t.Helper()
	response, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return false // it still starts
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	switch {
	case response.StatusCode == http.StatusServiceUnavailable: // it still starts
		return false
	case err != nil || response.StatusCode != http.StatusOK:
		t.Fatalf("%s: %d %s, %v", query, response.StatusCode, body, err)
	}
	type sample struct{ Value [2]any } // time and number
	var result struct{ Data struct{ Result []sample } }
	if err := json.Unmarshal(body, &result); err != nil {
		t.Fatal(err)
	}
	isNaN := func(s sample) bool { return s.Value[1] == "NaN" }
	return len(result.Data.Result) > 0 && !slices.ContainsFunc(result.Data.Result, isNaN)
}
