package docs_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed-2f82c0fd/refreshtokens/docs"
)

// everything are the settings of openapi.yaml itself.
var everything = docs.Settings{Bodies: "/v1", Cookies: "/web", Binding: true, JWKS: true}

func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

func newOpenAPI(t *testing.T, settings docs.Settings) *docs.OpenAPI {
	t.Helper()
	api, err := docs.NewOpenAPI(settings)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// paths returns the paths of a description.
func paths(t *testing.T, settings docs.Settings) map[string]any {
	t.Helper()
	found, _ := parse(t, newOpenAPI(t, settings).YAML())["paths"].(map[string]any)
	return found
}

// TestNothingIsLost: with every route at the paths of openapi.yaml, the YAML and the JSON say what that file says.
func TestNothingIsLost(t *testing.T) {
	file, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, api := parse(t, file), newOpenAPI(t, everything)
	if !reflect.DeepEqual(parse(t, api.YAML()), want) {
		t.Errorf("the YAML differs from the file:\n%s", api.YAML())
	}
	wantJSON, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(api.JSON()) != string(wantJSON) {
		t.Errorf("the JSON differs from the file:\n%s", api.JSON())
	}
}

func TestOnlyTheRoutesOfTheApp(t *testing.T) {
	group := func(path string) []string {
		return []string{path + "/auth/logout", path + "/auth/refresh-tokens", path + "/auth/refresh-tokens/{sessionId}"}
	}
	const keys = "/.well-known/jwks.json"
	for name, row := range map[string]struct {
		settings docs.Settings
		want     []string
	}{
		"bodies":             {docs.Settings{Bodies: "/v1"}, group("/v1")},
		"cookies":            {docs.Settings{Cookies: "/web"}, group("/web")},
		"bound bodies":       {docs.Settings{Bodies: "/v1", Binding: true}, group("/v1")},
		"bound cookies":      {docs.Settings{Cookies: "/web", Binding: true}, append(group("/web"), "/web/auth/device-bound-session")},
		"keys":               {docs.Settings{Bodies: "/v1", JWKS: true}, append(group("/v1"), keys)},
		"the router itself":  {docs.Settings{Bodies: "/"}, group("")},
		"a slash at the end": {docs.Settings{Cookies: "/app/"}, group("/app")},
		"each other's":       {docs.Settings{Bodies: "/web", Cookies: "/v1"}, append(group("/web"), group("/v1")...)},
		"parameters":         {docs.Settings{Bodies: "/orgs/:id/:team"}, group("/orgs/{id}/{team}")},
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(paths(t, row.settings)))
			if want := slices.Sorted(slices.Values(row.want)); !slices.Equal(got, want) {
				t.Errorf("the paths are %q\nwant          %q", got, want)
			}
		})
	}
}

func TestParametersOfTheGroupAreDeclared(t *testing.T) {
	for path, item := range paths(t, docs.Settings{Bodies: "/orgs/:org", JWKS: true}) {
		operations, _ := item.(map[string]any)
		declared, err := json.Marshal(operations["parameters"])
		if err != nil {
			t.Fatal(err)
		}
		want := "null"
		if strings.HasPrefix(path, "/orgs") {
			want = `[{"in":"path","name":"org","required":true,"schema":{"type":"string"}}]`
		}
		if string(declared) != want {
			t.Errorf("%s declares %s, want %s", path, declared, want)
		}
	}
}

// TestExamplesNameThePaths of the app, and not those of the file.
func TestExamplesNameThePaths(t *testing.T) {
	text := string(newOpenAPI(t, docs.Settings{Cookies: "/app", Binding: true}).YAML())
	for _, want := range []string{"Path=/app/auth; Max-Age=", `path="/app/auth/device-bound-session"`, "refresh_url: /app/auth/refresh-tokens"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %s", want)
		}
	}
	for _, other := range []string{"/web/", "/v1/"} {
		if strings.Contains(text, other) {
			t.Errorf("something says %s", other)
		}
	}
}

func TestServer(t *testing.T) {
	for server, want := range map[string]string{"": "/", "https://example.com/api": "https://example.com/api"} {
		document := parse(t, newOpenAPI(t, docs.Settings{Bodies: "/v1", Server: server}).YAML())
		servers, _ := document["servers"].([]any)
		first, _ := servers[0].(map[string]any)
		if len(servers) != 1 || first["url"] != want {
			t.Errorf("the servers for %q are %v", server, servers)
		}
	}
}

func TestWrongSettings(t *testing.T) {
	for name, row := range map[string]struct {
		settings docs.Settings
		want     string
	}{
		"none":               {docs.Settings{JWKS: true}, "set Bodies or Cookies"},
		"no slash":           {docs.Settings{Bodies: "v1"}, `"v1"`},
		"a catch-all":        {docs.Settings{Bodies: "/v1/*rest"}, `"/v1/*rest"`},
		"YAML":               {docs.Settings{Cookies: "/v1: x\n"}, `"/v1: x\n"`},
		"OpenAPI's form":     {docs.Settings{Cookies: "/orgs/{org}"}, `"/orgs/{org}"`},
		"the same":           {docs.Settings{Bodies: "/v1", Cookies: "/v1/"}, "different groups"},
		"a parameter twice":  {docs.Settings{Bodies: "/:a/:a"}, "parameter a"},
		"the id's parameter": {docs.Settings{Bodies: "/:sessionId"}, "parameter sessionId"},
		"no URL":             {docs.Settings{Bodies: "/v1", Server: "https://\x7f"}, "Server"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := docs.NewOpenAPI(row.settings); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %s", err, row.want)
			}
		})
	}
}

func TestServing(t *testing.T) {
	api := newOpenAPI(t, everything)
	ask := func(method, path, etag string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, path, nil)
		if etag != "" {
			request.Header.Set("If-None-Match", etag)
		}
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, request)
		return recorder
	}
	tags := map[string]bool{}
	for _, row := range []struct {
		path, mediaType string
		content         []byte
	}{
		{"/openapi.yaml", "application/yaml", api.YAML()},
		{"/openapi", "application/yaml", api.YAML()},
		{"/v1/openapi.json", "application/json", api.JSON()},
	} {
		answer := ask(http.MethodGet, row.path, "")
		header := answer.Header()
		if answer.Code != http.StatusOK || header.Get("Content-Type") != row.mediaType || answer.Body.String() != string(row.content) {
			t.Errorf("%s: %d, %s, %d bytes", row.path, answer.Code, header.Get("Content-Type"), answer.Body.Len())
		}
		if header.Get("Cache-Control") != "no-cache" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the headers are %v", row.path, header)
		}
		if head := ask(http.MethodHead, row.path, ""); head.Code != http.StatusOK || head.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d with %d bytes", row.path, head.Code, head.Body.Len())
		}
		if again := ask(http.MethodGet, row.path, header.Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d with %d bytes", row.path, again.Code, again.Body.Len())
		}
		tags[header.Get("ETag")] = true
	}
	if len(tags) != 2 || tags[""] {
		t.Errorf("the ETags are %v, want one for each form", tags)
	}
}
