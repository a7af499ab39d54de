package openapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// TestDescription: it is valid OpenAPI 3.1.
func TestDescription(t *testing.T) {
	d := describe(t, everything)
	if ok, found := d.document.ValidateDocument(); !ok {
		t.Error(explain(found))
	}
	if !strings.HasPrefix(d.model.Version, "3.1.") {
		t.Errorf("the version is %s", d.model.Version)
	}
}

// TestExamples: each answer has an example of its body and of each header, and each request of what it needs. They are as described.
func TestExamples(t *testing.T) {
	d := describe(t, everything)
	for _, name := range slices.Sorted(maps.Keys(d.operation)) {
		operation := d.operation[name]
		method, path, _ := strings.Cut(name, " ")
		request := exampleRequest(t, method, path, operation)
		if ok, found := d.requests.ValidateHttpRequest(request); !ok {
			t.Errorf("%s: the example of a request: %s", name, explain(found))
		}
		for status, response := range operation.Responses.Codes.FromOldest() {
			code, err := strconv.Atoi(status)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			for field, details := range response.Headers.FromOldest() {
				if details.Example == nil {
					t.Errorf("%s %s: %s has no example", name, status, field)
					continue
				}
				header.Set(field, details.Example.Value)
			}
			for body, mediaType := range bodies(t, name+" "+status, response) {
				if mediaType != "" {
					header.Set("Content-Type", mediaType)
				}
				answer := &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body))}
				if ok, found := d.answers.ValidateHttpResponse(request, answer); !ok {
					t.Errorf("%s: the example of a %s: %s", name, status, explain(found))
				}
			}
		}
	}
}

// bodies returns the examples of an answer's body, with their media types. For an answer without a body, it returns an empty one.
func bodies(t *testing.T, name string, response *v3.Response) map[string]string {
	t.Helper()
	if response.Content == nil {
		return map[string]string{"": ""}
	}
	found := map[string]string{}
	for mediaType, details := range response.Content.FromOldest() {
		if details.Example != nil {
			found[asJSON(t, details.Example)] = mediaType
		}
		for _, example := range details.Examples.FromOldest() {
			found[asJSON(t, example.Value)] = mediaType
		}
	}
	if len(found) == 0 {
		t.Errorf("%s has no example", name)
	}
	return found
}

// exampleRequest puts the examples of an operation together.
func exampleRequest(t *testing.T, method, path string, operation *v3.Operation) *http.Request {
	t.Helper()
	var body []byte
	if operation.RequestBody != nil {
		body = []byte(asJSON(t, operation.RequestBody.Content.GetOrZero("application/json").Example))
	}
	query, header := "", http.Header{}
	for _, parameter := range operation.Parameters {
		if parameter.Example == nil {
			t.Errorf("%s %s: %s has no example", method, path, parameter.Name)
			continue
		}
		switch value := parameter.Example.Value; parameter.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+parameter.Name+"}", value)
		case "query":
			query = "?" + parameter.Name + "=" + value
		case "header":
			header.Set(parameter.Name, value)
		}
	}
	request, err := http.NewRequest(method, "http://"+docsHost+path+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	for _, requirement := range operation.Security {
		if _, takes := requirement.Requirements.Get("accessToken"); takes {
			header.Set("Authorization", "Bearer x")
		}
		if _, takes := requirement.Requirements.Get("refreshCookie"); takes {
			header.Set("Cookie", "__Secure-refresh-token=x")
		}
	}
	return request
}

func asJSON(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
