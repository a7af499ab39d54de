package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// TestDocs: the app serves the description of its routes as YAML, as JSON and as a page.
func TestDocs(t *testing.T) {
	c := newMeasured(t)
	for path, row := range map[string]struct{ mediaType, want string }{
		"/openapi.yaml": {"application/yaml", "openapi: 3.1."},
		"/openapi.json": {"application/json", `"openapi":"3.1.`},
		"/docs":         {"text/html; charset=utf-8", "Refresh tokens"},
	} {
		got := c.do(http.MethodGet, path, "", "")
		if c.want(got, http.StatusOK, ""); got.header.Get("Content-Type") != row.mediaType || !strings.Contains(got.body, row.want) {
			t.Errorf("%s is %s, and says %.200s", path, got.header.Get("Content-Type"), got.body)
		}
	}
	if got := c.do(http.MethodGet, "/docs", "", "").header.Get("Content-Security-Policy"); got != pagePolicy {
		t.Errorf("the policy of /docs is %q", got)
	}
}

// TestDocsDescribeTheAppsRoutes: the library's routes that the app has are described, and no others.
func TestDocsDescribeTheAppsRoutes(t *testing.T) {
	own := regexp.MustCompile(`/auth/(register|login|reauthenticate)$`)
	for _, binding := range []string{"off", "if-offered"} {
		settings := testSettings
		settings.Binding = binding
		c := newClient(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), settings, slog.New(slog.DiscardHandler))
		var description struct {
			Paths map[string]map[string]any
		}
		if err := json.Unmarshal([]byte(c.do(http.MethodGet, "/openapi.json", "", "").body), &description); err != nil {
			t.Fatal(err)
		}
		var described, registered []string
		for path, operations := range description.Paths {
			for method := range operations {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
		for _, route := range c.app.router.Routes() {
			isLibrarys := strings.Contains(route.Path, "/auth/") && !own.MatchString(route.Path) || route.Path == refreshtokens.JWKSPath
			if isLibrarys && !strings.HasSuffix(route.Path, "/") { // the empty id
				registered = append(registered, route.Method+" "+strings.ReplaceAll(route.Path, ":id", "{sessionId}"))
			}
		}
		slices.Sort(described)
		slices.Sort(registered)
		if !slices.Equal(described, registered) {
			t.Errorf("%s: described:  %q\nregistered: %q", binding, described, registered)
		}
	}
}

// TestDocsPage: each operation and each answer is on the page, and each link leads somewhere. It obeys its policy.
func TestDocsPage(t *testing.T) {
	c := newMeasured(t)
	page := c.do(http.MethodGet, "/docs", "", "").body
	for _, want := range []string{
		`<code><b>POST</b> /v1/auth/refresh-tokens</code>`, `<code><b>DELETE</b> /web/auth/refresh-tokens/{sessionId}</code>`,
		`<b>401</b> The refresh token is refused`, `<code>Authorization: DPoP …</code> and <code>DPoP: …</code>`,
		`<code>Cookie: __Host-access-token=…</code>`, `<code>sessions[].lastUsedAt</code> <span class="muted">string</span>`,
		`<code>access.token</code> <span class="muted">string, optional</span>`, `&#34;message&#34;: &#34;Please Authenticate&#34;`,
		`<code>Secure-Session-Challenge</code>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] || strings.Contains(id[1], " ") {
			t.Errorf("the id %q is there twice, or has a space", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`\s(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if id, isID := strings.CutPrefix(link[1], "#"); isID && !ids[id] || !isID && c.do(http.MethodGet, link[1], "", "").status != http.StatusOK {
			t.Errorf("the link %s leads nowhere", link[1])
		}
	}
	if found := regexp.MustCompile(`(?i)<script|<style|\s(style|on[a-z]+)\s*=`).FindString(page); found != "" {
		t.Errorf("the policy stops %s", found)
	}
}
