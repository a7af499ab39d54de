package openapi_test

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestEveryStatusIsSeen in the conformance tests, and is described.
func TestEveryStatusIsSeen(t *testing.T) {
	described := map[string]bool{}
	for operation, details := range describe(t, everything).operation {
		for status := range details.Responses.Codes.FromOldest() {
			described[operation+" "+status] = true
		}
	}
	seen := map[string]bool{}
	for _, exchange := range mustExchanges(t) {
		seen[operationOf(exchange)+" "+strconv.Itoa(exchange.Status)] = true
	}
	for _, answer := range slices.Sorted(maps.Keys(described)) {
		if !seen[answer] {
			t.Errorf("%s is described, and no test gets it", answer)
		}
	}
	for _, answer := range slices.Sorted(maps.Keys(seen)) {
		if !described[answer] {
			t.Errorf("%s is not described", answer)
		}
	}
}

// TestEveryHeaderIsSeen in an answer that is described with it. Headers that nothing sends would be a promise that nobody keeps.
func TestEveryHeaderIsSeen(t *testing.T) {
	operations := describe(t, everything).operation
	unseen := map[string]bool{}
	for _, details := range operations {
		for _, response := range details.Responses.Codes.FromOldest() {
			for name := range response.Headers.FromOldest() {
				unseen[name] = true
			}
		}
	}
	for _, exchange := range mustExchanges(t) {
		operation := operations[operationOf(exchange)]
		if operation == nil {
			continue // the other test says so
		}
		response := operation.Responses.Codes.GetOrZero(strconv.Itoa(exchange.Status))
		if response == nil {
			continue
		}
		for name := range response.Headers.FromOldest() {
			if exchange.Response.Header.Get(name) != "" {
				delete(unseen, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unseen)) {
		t.Errorf("no answer has the header %s", name)
	}
}

// operationOf returns the operation of an exchange, in the paths of docs/openapi.yaml.
func operationOf(exchange testhost.Exchange) string {
	prefix := everything.Bodies
	switch {
	case exchange.Group == "":
		prefix = "" // the keys
	case exchange.Group == cookieGroup:
		prefix = everything.Cookies
	}
	route := exchange.Route
	if target, err := url.ParseRequestURI(exchange.URL); err == nil && !isRoute(target.EscapedPath(), route) {
		route = "/auth/refresh-tokens/:id" // as in the other test
	}
	return exchange.Method + " " + prefix + strings.ReplaceAll(route, ":id", "{sessionId}")
}
