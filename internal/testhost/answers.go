package testhost

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The routes of a [Host], and what it answers when it refuses a request: bodies and a WWW-Authenticate challenge.
const (
	RefreshPath = "/v1/auth/refresh-tokens"
	LogoutPath  = "/v1/auth/logout"
	MePath      = "/v1/me"

	UnauthorizedBody = `{"code":401,"message":"Please Authenticate"}`
	NotFoundBody     = `{"code":404,"message":"Not found"}`
	InternalBody     = `{"error":"Internal Server Error"}`
	InvalidToken     = `Bearer error="invalid_token"`
)

// WantAnswer fails the test unless the answer has the status and the body. An empty body stands for any body.
func WantAnswer(t testing.TB, recorder *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if recorder.Code != status {
		t.Errorf("status is %d, want %d; body: %s", recorder.Code, status, recorder.Body)
	}
	if body != "" && recorder.Body.String() != body {
		t.Errorf("body is %s\nwant    %s", recorder.Body, body)
	}
	if status == http.StatusNoContent && recorder.Body.Len() > 0 {
		t.Errorf("a 204 has the body %s", recorder.Body)
	}
	contentType := recorder.Header().Get("Content-Type")
	if strings.HasPrefix(body, "{") && contentType != "application/json; charset=utf-8" {
		t.Errorf("content type is %q", contentType)
	}
}

// WantUnauthorized fails the test unless the answer is a 401 with [UnauthorizedBody] and the challenge.
func WantUnauthorized(t testing.TB, recorder *httptest.ResponseRecorder, challenge string) {
	t.Helper()
	WantAnswer(t, recorder, http.StatusUnauthorized, UnauthorizedBody)
	if got := recorder.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != challenge {
		t.Errorf("WWW-Authenticate is %q, want %q", got, challenge)
	}
}

// WantGroupHeaders fails the test unless the answer has the headers that forbid caching.
func WantGroupHeaders(t testing.TB, recorder *httptest.ResponseRecorder) {
	t.Helper()
	header := recorder.Header()
	if header.Get("Cache-Control") != "no-store" || header.Get("Pragma") != "no-cache" {
		t.Errorf("Cache-Control is %q, Pragma is %q", header.Get("Cache-Control"), header.Get("Pragma"))
	}
}
