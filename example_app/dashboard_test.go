package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// query is a PromQL expression of docs/grafana.json.
type query struct{ panel, expr string }

func queries(t *testing.T) []query {
	t.Helper()
	file, err := os.ReadFile("../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("%s has no query", panel.Title)
		}
		for _, target := range panel.Targets {
			if target.Expr == "" {
				t.Errorf("%s has an empty query", panel.Title)
			}
			all = append(all, query{panel.Title, target.Expr})
		}
	}
	if len(all) == 0 {
		t.Fatal("no queries")
	}
	return all
}

// scrape reads /metrics as Prometheus does: every series by its name, and its labels.
func (c client) scrape() map[string][]map[string]string {
	c.t.Helper()
	served := c.do("GET", "/metrics", "", "")
	c.want(served, http.StatusOK, "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(served.body))
	if err != nil {
		c.t.Fatal(err)
	}
	series := map[string][]map[string]string{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetType() != dto.MetricType_HISTOGRAM {
				series[name] = append(series[name], labels)
				continue
			}
			for _, bucket := range metric.GetHistogram().GetBucket() {
				labels := maps.Clone(labels)
				labels["le"] = fmt.Sprint(bucket.GetUpperBound())
				series[name+"_bucket"] = append(series[name+"_bucket"], labels)
			}
		}
	}
	return series
}

var (
	// Each metric of the dashboard has a selector behind it.
	selector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}(\[[^\]]*\])?`)
	matcher  = regexp.MustCompile(`^\s*([a-zA-Z_]\w*)(=~|=)"([^"]*)"\s*$`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	word     = regexp.MustCompile(`[a-zA-Z_]\w*`)
)

// TestDashboard: every metric, label and value that docs/grafana.json asks for is served.
func TestDashboard(t *testing.T) {
	c := newMeasured(t)
	c.everything()
	series := c.scrape()
	for _, q := range queries(t) {
		t.Run(q.panel, func(t *testing.T) {
			selectors := selector.FindAllStringSubmatch(q.expr, -1)
			if len(selectors) == 0 {
				t.Fatalf("no metric in %s", q.expr)
			}
			var found []map[string]string
			for _, s := range selectors {
				matching := matching(t, series[s[1]], s[2])
				if len(matching) == 0 {
					t.Errorf("no such series is served: %s{%s}", s[1], s[2])
				}
				found = append(found, matching...)
			}
			rest := selector.ReplaceAllString(q.expr, "")
			for _, by := range grouping.FindAllStringSubmatch(rest, -1) {
				for label := range strings.SplitSeq(by[1], ",") {
					if !slices.ContainsFunc(found, func(labels map[string]string) bool { return labels[strings.TrimSpace(label)] != "" }) {
						t.Errorf("no such label is served: %s", label)
					}
				}
			}
			for _, name := range word.FindAllString(grouping.ReplaceAllString(rest, ""), -1) {
				if !slices.Contains([]string{"sum", "rate", "increase", "histogram_quantile", "round"}, name) {
					t.Errorf("%s in %s is no function: a metric without a selector?", name, q.expr)
				}
			}
		})
	}
}

// matching are the series that a selector's matchers accept.
func matching(t *testing.T, series []map[string]string, matchers string) []map[string]string {
	t.Helper()
	for m := range strings.SplitSeq(matchers, ",") {
		parts := matcher.FindStringSubmatch(m)
		if parts == nil {
			t.Fatalf("matcher %s", m)
		}
		if parts[1] == "job" { // Prometheus adds it
			continue
		}
		pattern := "^(?:" + parts[3] + ")$"
		if parts[2] == "=" {
			pattern = "^" + regexp.QuoteMeta(parts[3]) + "$"
		}
		accepts := regexp.MustCompile(pattern)
		series = slices.DeleteFunc(slices.Clone(series), func(labels map[string]string) bool { return !accepts.MatchString(labels[parts[1]]) })
	}
	return series
}
