package main

import (
	"bytes"
	"io/fs"
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

// pageRoutes are the page's files by their routes.
var pageRoutes = map[string]struct{ file, mediaType string }{
	"/":           {"index.html", "text/html; charset=utf-8"},
	"/style.css":  {"style.css", "text/css; charset=utf-8"},
	"/icon.svg":   {"icon.svg", "image/svg+xml"},
	"/app.js":     {"app.js", "text/javascript; charset=utf-8"},
	"/api.js":     {"api.js", "text/javascript; charset=utf-8"},
	"/dpop.js":    {"dpop.js", "text/javascript; charset=utf-8"},
	"/devices.js": {"devices.js", "text/javascript; charset=utf-8"},
	"/format.js":  {"format.js", "text/javascript; charset=utf-8"},
	"/page.js":    {"page.js", "text/javascript; charset=utf-8"},
	"/refresh.js": {"refresh.js", "text/javascript; charset=utf-8"},
	"/users.js":   {"users.js", "text/javascript; charset=utf-8"},
}

// askPage sends a request to a router that serves the page alone. Each header is "Name: value".
func askPage(t *testing.T, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
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
	for route, want := range pageRoutes {
		content, err := os.ReadFile(filepath.Join("web", want.file))
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
			if got := response.Header().Get("Content-Type"); got != want.mediaType {
				t.Errorf("%s %s: Content-Type is %q, want %q", method, route, got, want.mediaType)
			}
		}
	}
}

// TestPageIsWhole: every file of web/ is served, but for the types, which are for editors and compilers.
func TestPageIsWhole(t *testing.T) {
	served := map[string]bool{"refresh.d.ts": true, "dpop.d.ts": true}
	for _, want := range pageRoutes {
		served[want.file] = true
	}
	entries, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !served[entry.Name()] {
			t.Errorf("web/%s has no route in this test", entry.Name())
		}
	}
	embedded, err := fs.Glob(pageFiles, "web/*")
	if err != nil || len(embedded) != len(pageRoutes) {
		t.Errorf("%d files are embedded, want %d: %v %v", len(embedded), len(pageRoutes), embedded, err)
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
	for route := range pageRoutes {
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
	for route := range pageRoutes {
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

// TestPageModules: each module that another imports is served, and refresh.js, which people copy, imports none and stays small.
func TestPageModules(t *testing.T) {
	imports := regexp.MustCompile(`(?m)^import .* from "\.(/[^"]+)";$|\bimport\b`)
	for route, want := range pageRoutes {
		if filepath.Ext(want.file) != ".js" {
			continue
		}
		content, err := os.ReadFile(filepath.Join("web", want.file))
		if err != nil {
			t.Fatal(err)
		}
		found := imports.FindAllSubmatch(content, -1)
		for _, match := range found {
			if _, served := pageRoutes[string(match[1])]; !served {
				t.Errorf("%s imports what is not served: %s", route, match[0])
			}
		}
		if want.file != "refresh.js" {
			continue
		}
		const limit = 12 << 10 // with its comments
		if len(found) > 0 || len(content) > limit {
			t.Errorf("refresh.js has %d imports and %d bytes, want none and at most %d", len(found), len(content), limit)
		}
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
