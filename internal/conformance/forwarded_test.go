package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// forwarded are headers that a proxy sets, and that anybody can set where the proxy passes them on.
var forwarded = []string{
	"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-For", "203.0.113.66",
	"Forwarded", "for=203.0.113.66;host=evil.example;proto=http", "X-Forwarded-Prefix", "/evil",
}

// TestForwardedHeadersDecideNothing: neither where a request was meant to go, nor whether its origin is ours, nor how cookies are set.
func TestForwardedHeadersDecideNothing(t *testing.T) {
	host := boundHost(t, openSQLite(t), plugin.BindingIfOffered)
	client := newProver(t, host)
	token := client.login().Refresh.Token
	body := `{"refreshToken":"` + token + `"}`
	testhost.WantAnswer(t, client.send(http.MethodPost, boundRefresh, body, forwarded...), http.StatusOK, "")

	// A proof for example.com is none for another server, whatever the proxy in between is said to have forwarded.
	request := httptest.NewRequest(http.MethodPost, "http://evil.example"+boundRefresh, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-Host", "example.com")
	request.Header.Set("Forwarded", "host=example.com;proto=http")
	request.Header.Set("DPoP", client.proof(http.MethodPost, boundRefresh, ""))
	recorder := httptest.NewRecorder()
	host.Router.ServeHTTP(recorder, request)
	testhost.WantUnauthorized(t, recorder, badProof)

	web := cookieHost(t, openSQLite(t), refreshtokens.Cookies{})
	b := newBrowser(t, web, publicURL)
	recorder = b.send(http.MethodPost, webLogin, forwarded...)
	const attributes = "; Path=/web/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"
	if cookie := recorder.Header().Get("Set-Cookie"); recorder.Code != http.StatusOK || !strings.HasSuffix(cookie, attributes) {
		t.Errorf("a login answers %d and sets a cookie with other attributes than %s", recorder.Code, attributes)
	}
	foreign := append([]string{"Origin", "https://evil.example", "Sec-Fetch-Site", ""}, forwarded...)
	testhost.WantAnswer(t, b.send(http.MethodPost, webRefresh, foreign...), http.StatusForbidden, forbiddenBody)
	testhost.WantAnswer(t, b.send(http.MethodPost, webRefresh, forwarded...), http.StatusOK, "")
}
