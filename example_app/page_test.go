package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// pageRoutes returns the names of the page's files by their routes. The types of its modules are for editors and compilers, and
// are not served.
func pageRoutes(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]string{}
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == "index.html":
			routes["/"] = name
		case !strings.HasSuffix(name, ".d.ts"):
			routes["/"+name] = name
		}
	}
	return routes
}

// askPage sends a request to a router that serves the page alone. Each header is "Name: value".
func askPage(t *testing.T, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	gin.SetMode(gin.ReleaseMode) // as the app does
	router := gin.New()
	if err := addPage(router); err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	router.ServeHTTP(recorder, request)
	return recorder
}

func TestPageFiles(t *testing.T) {
	mediaTypes := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}
	for route, name := range pageRoutes(t) {
		content, err := os.ReadFile(filepath.Join("web", name))
		if err != nil {
			t.Fatal(err)
		}
		for method, body := range map[string][]byte{http.MethodGet: content, http.MethodHead: {}} {
			response := askPage(t, method, route)
			if response.Code != http.StatusOK || !bytes.Equal(response.Body.Bytes(), body) {
				t.Errorf("%s %s: %d with %d bytes, want 200 with %d", method, route, response.Code, response.Body.Len(), len(body))
			}
			if got := response.Header().Get("Content-Length"); got != strconv.Itoa(len(content)) {
				t.Errorf("%s %s: Content-Length is %q, want %d", method, route, got, len(content))
			}
			if got, want := response.Header().Get("Content-Type"), mediaTypes[filepath.Ext(name)]; got != want || want == "" {
				t.Errorf("%s %s: Content-Type is %q, want %q", method, route, got, want)
			}
		}
	}
}

func TestPageHeaders(t *testing.T) {
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-cache",
	}
	for route := range pageRoutes(t) {
		response := askPage(t, http.MethodGet, route)
		for name, value := range want {
			if got := response.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", route, name, got, value)
			}
		}
	}
}

// TestPageCaching: a browser that has the newest version gets no body, and one that has another gets the whole.
func TestPageCaching(t *testing.T) {
	etags := map[string]string{}
	for route := range pageRoutes(t) {
		etag := askPage(t, http.MethodGet, route).Header().Get("ETag")
		if other, found := etags[etag]; found || etag == "" {
			t.Errorf("%s has the ETag %q of %q", route, etag, other)
		}
		etags[etag] = route
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if status := askPage(t, method, route, "If-None-Match: "+etag).Code; status != http.StatusNotModified {
				t.Errorf("%s %s again: %d, want 304", method, route, status)
			}
		}
		if status := askPage(t, http.MethodGet, route, `If-None-Match: "older"`).Code; status != http.StatusOK {
			t.Errorf("%s after a change: %d, want 200", route, status)
		}
	}
}

func TestPageRefusesTheRest(t *testing.T) {
	for _, request := range []struct{ method, target string }{
		{http.MethodPost, "/"},
		{http.MethodPut, "/app.js"},
		{http.MethodPatch, "/app.js"},
		{http.MethodDelete, "/"},
		{http.MethodOptions, "/"},
		{http.MethodGet, "/index.html"},
		{http.MethodGet, "/refresh.d.ts"},
		{http.MethodGet, "/web/app.js"},
		{http.MethodGet, "/web/../page.go"},
		{http.MethodGet, "/page.go"},
		{http.MethodGet, "/app.js/x"},
	} {
		if status := askPage(t, request.method, request.target).Code; status != http.StatusNotFound {
			t.Errorf("%s %s: %d, want 404", request.method, request.target, status)
		}
	}
}

// TestPageObeysItsPolicy: the HTML has no script, style or handler within it, which the policy would stop, and names no other
// host.
func TestPageObeysItsPolicy(t *testing.T) {
	html, err := os.ReadFile("web/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for what, pattern := range map[string]string{
		"script or style": `(?i)<script[^>]*>[^<]|<style`,
		"attribute":       `(?i)\s(style|on[a-z]+)\s*=`,
		"other origin":    `(?i)(src|href|action)\s*=\s*"?(https?:|//|data:|javascript:)`,
	} {
		if found := regexp.MustCompile(pattern).Find(html); found != nil {
			t.Errorf("index.html has a %s: %s", what, found)
		}
	}
}

// TestPageModules: what the HTML and the modules name is served. refresh.js, which people copy, imports nothing and stays small.
func TestPageModules(t *testing.T) {
	routes := pageRoutes(t)
	named := regexp.MustCompile(`(?:\b(?:src|href)="|\bfrom "\.)(/[\w.-]*)"`)
	for _, name := range routes {
		content, err := os.ReadFile(filepath.Join("web", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllSubmatch(content, -1) {
			if routes[string(match[1])] == "" {
				t.Errorf("%s names %s, which is not served", name, match[1])
			}
		}
	}
	content, err := os.ReadFile("web/refresh.js")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 12 << 10 // with its comments
	if imports := regexp.MustCompile(`\bimport\b`).Find(content); imports != nil || len(content) > limit {
		t.Errorf("refresh.js has %d bytes and imports %q, want at most %d and none", len(content), imports, limit)
	}
}

// TestPageBesideTheAPI: the app serves both.
func TestPageBesideTheAPI(t *testing.T) {
	c := newMeasured(t)
	page := c.do(http.MethodGet, "/", "", "")
	if c.want(page, http.StatusOK, ""); !strings.Contains(page.body, `<script type="module" src="/app.js">`) {
		t.Errorf("the page is %s", page.body)
	}
	c.want(c.do(http.MethodPost, "/", "", ""), http.StatusNotFound, `{"code":404,"message":"Not found"}`)
	c.want(c.do(http.MethodGet, "/v1/users/me", "", ""), http.StatusUnauthorized, "")
	c.want(c.do(http.MethodGet, "/web/users/me", "", ""), http.StatusUnauthorized, "")
}
