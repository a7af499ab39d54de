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

// unseen are answers that are described and that no conformance test gets, with the reason.
var unseen = map[string]string{}

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
		if _, known := unseen[answer]; seen[answer] == known {
			t.Errorf("%s: seen is %v, and in the list of the unseen it is %v", answer, seen[answer], known)
		}
	}
	for _, answer := range slices.Sorted(maps.Keys(seen)) {
		if !described[answer] {
			t.Errorf("%s is not described", answer)
		}
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
