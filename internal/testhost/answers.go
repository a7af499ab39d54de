package testhost

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The paths of a [Host], and the bodies and the challenge of its refusals.
const (
	RefreshPath = "/v1/auth/refresh-tokens"
	LogoutPath  = "/v1/auth/logout"
	MePath      = "/v1/me"

	UnauthorizedBody = `{"code":401,"message":"Please Authenticate"}`
	NotFoundBody     = `{"code":404,"message":"Not found"}`
	InternalBody     = `{"error":"Internal Server Error"}`
	InvalidToken     = `Bearer error="invalid_token"`
)

// WantAnswer fails the test unless the answer has the status, and the body where one is given.
func WantAnswer(t testing.TB, recorder *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if recorder.Code != status {
		t.Errorf("status is %d, want %d; body: %s", recorder.Code, status, recorder.Body)
	}
	if body != "" && recorder.Body.String() != body {
		t.Errorf("body is %s\nwant    %s", recorder.Body, body)
	}
	if status == http.StatusNoContent && recorder.Body.Len() > 0 {
		t.Errorf("204 with a body: %s", recorder.Body)
	}
	contentType := recorder.Header().Get("Content-Type")
	if strings.HasPrefix(body, "{") && contentType != "application/json; charset=utf-8" {
		t.Errorf("content type is %q", contentType)
	}
}

// WantUnauthorized fails the test unless the answer is the contract's 401 with the challenge.
func WantUnauthorized(t testing.TB, recorder *httptest.ResponseRecorder, challenge string) {
	t.Helper()
	WantAnswer(t, recorder, http.StatusUnauthorized, UnauthorizedBody)
	if got := recorder.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != challenge {
		t.Errorf("WWW-Authenticate is %q, want %q", got, challenge)
	}
}

// WantGroupHeaders fails the test unless the answer forbids caching.
func WantGroupHeaders(t testing.TB, recorder *httptest.ResponseRecorder) {
	t.Helper()
	header := recorder.Header()
	if header.Get("Cache-Control") != "no-store" || header.Get("Pragma") != "no-cache" {
		t.Errorf("Cache-Control is %q, Pragma is %q", header.Get("Cache-Control"), header.Get("Pragma"))
	}
}
