package openapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/docs"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// cookieGroup is the path of each group with cookies in the tests whose exchanges are recorded.
const cookieGroup = "/web"

// TestExchanges: every answer that a route gave in the conformance tests is as described, to the last header. A request that isn't as
// described got a 4xx.
func TestExchanges(t *testing.T) {
	var requests, hostile int
	for _, exchange := range mustExchanges(t) {
		d := describe(t, settingsOf(exchange.Group))
		request, asDescribed := d.request(t, exchange)
		where := fmt.Sprintf("%s: %s %s", exchange.Test, exchange.Method, exchange.URL)
		requests++
		if asDescribed != "" {
			hostile++
			if exchange.Status/100 != 4 && !isDevelopmentElsewhere(exchange) {
				t.Errorf("%s got %d, and is not as described: %s", where, exchange.Status, asDescribed)
			}
		}
		validate := d.answers.ValidateHttpResponse
		if refreshedByBrowser(exchange) {
			validate = d.headers.ValidateHttpResponse
		}
		if ok, found := validate(request, answer(exchange)); !ok {
			t.Errorf("%s got %d, which is not as described: %s\n%s\n%v", where, exchange.Status, explain(found), exchange.Response.Body, exchange.Response.Header)
		}
	}
	t.Logf("%d requests, %d of them not as described", requests, hostile)
	if hostile == 0 || hostile == requests {
		t.Errorf("%d of %d requests are not as described", hostile, requests)
	}
}

// settingsOf returns the settings for the group of a path.
func settingsOf(group string) docs.Settings {
	switch group {
	case "": // the keys, which are in no group
		return everything
	case cookieGroup:
		return docs.Settings{Cookies: group, Binding: true}
	default:
		return docs.Settings{Bodies: group}
	}
}

// request returns the request of an exchange for the validators, and what is wrong with it, if anything.
func (d *description) request(t *testing.T, exchange testhost.Exchange) (request *http.Request, wrong string) {
	t.Helper()
	target, err := url.ParseRequestURI(exchange.URL)
	if err != nil {
		t.Fatal(err)
	}
	if !isRoute(target.EscapedPath(), exchange.Route) {
		wrong = "the router has cleaned its path"
		target = &url.URL{Path: exchange.Group + "/auth/refresh-tokens/x"} // whose answers it gets
	}
	request, err = http.NewRequest(exchange.Method, "http://"+docsHost+target.RequestURI(), bytes.NewReader(exchange.Request.Body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = withUsualCookies(exchange.Request.Header)
	if wrong != "" || exchange.Request.Unread { // nobody knows the rest of the body
		return request, wrong
	}
	if ok, found := d.requests.ValidateHttpRequest(request); !ok {
		wrong = explain(found)
	}
	return request, wrong
}

const docsHost = "example.com"

// isDevelopmentElsewhere tells whether a host whose cookies are for development was asked from elsewhere. It answers 500 to whatever comes.
func isDevelopmentElsewhere(exchange testhost.Exchange) bool {
	return exchange.Test == "TestDevelopmentCookies" && exchange.Status == http.StatusInternalServerError
}

var goodID = regexp.MustCompile(`/[A-Za-z0-9_~-]+$`)

// isRoute tells whether a path is that of the route, and didn't become it by cleaning. An empty id, and one with odd bytes, is none.
func isRoute(path, route string) bool {
	before, isOne := strings.CutSuffix(route, "/:id")
	if !isOne {
		return strings.HasSuffix(path, route) && !strings.HasSuffix(route, "/")
	}
	id := goodID.FindString(path)
	return id != "" && strings.HasSuffix(strings.TrimSuffix(path, id), before)
}

var cookieNames = regexp.MustCompile(`(?:__Secure-|__Host-)?(?:[A-Za-z0-9_-]+-)?(refresh|access)-token=`)

// withUsualCookies gives the cookies the names of the description, for tests that have others: the names are settings.
func withUsualCookies(header http.Header) http.Header {
	header = header.Clone()
	for i, value := range header["Cookie"] {
		header["Cookie"][i] = cookieNames.ReplaceAllStringFunc(value, func(name string) string {
			if strings.HasSuffix(name, "refresh-token=") {
				return "__Secure-refresh-token="
			}
			return "__Host-access-token="
		})
	}
	return header
}

func answer(exchange testhost.Exchange) *http.Response {
	return &http.Response{
		StatusCode: exchange.Status, Header: exchange.Response.Header, Body: io.NopCloser(bytes.NewReader(exchange.Response.Body)),
	}
}

// refreshedByBrowser tells whether a browser has refreshed by itself. OpenAPI can't say that a body is left out then.
func refreshedByBrowser(exchange testhost.Exchange) bool {
	return exchange.Request.Header.Get("Sec-Secure-Session-Id") != "" && exchange.Group == cookieGroup &&
		exchange.Route == "/auth/refresh-tokens" && exchange.Method == http.MethodPost &&
		exchange.Status == http.StatusOK && len(exchange.Response.Body) == 0
}
