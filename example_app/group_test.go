package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// page sends requests as the app's own page does. It keeps the cookies.
type page struct {
	client
	cookies map[string]string
}

func (p page) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	request := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Origin", "http://localhost:8080")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range p.cookies {
		if name != "refresh-token" || strings.HasPrefix(path, "/web/auth/") {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	recorder := httptest.NewRecorder()
	p.app.router.ServeHTTP(recorder, request)
	for _, cookie := range recorder.Result().Cookies() {
		if p.cookies[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(p.cookies, cookie.Name)
		}
	}
	return recorder
}

// want fails the test unless the answer has the status, and returns its body.
func (p page) wantStatus(got *httptest.ResponseRecorder, status int) map[string]any {
	p.t.Helper()
	if got.Code != status {
		p.t.Fatalf("answered %d %s, want %d", got.Code, got.Body, status)
	}
	var body map[string]any
	_ = json.Unmarshal(got.Body.Bytes(), &body)
	return body
}

// onSQLite returns the app with the settings changed.
func onSQLite(t *testing.T, change func(*config)) client {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	db := testdb.Open(t, sqlite.Open(sqliteDSN(t.TempDir()+"/example.db")), gormConfig(logger))
	if err := db.AutoMigrate(&user{}); err != nil {
		t.Fatal(err)
	}
	settings := testSettings
	settings.BaseURL = "http://localhost:8080"
	change(&settings)
	return newClient(t, db, settings, logger)
}

// TestWebFlow goes through every route under /web that gives tokens, with the access token in a cookie and without.
func TestWebFlow(t *testing.T) {
	for _, accessCookie := range []bool{false, true} {
		t.Run(map[bool]string{false: "access token in the body", true: "access token in a cookie"}[accessCookie], func(t *testing.T) {
			c := onSQLite(t, func(settings *config) {
				settings.AccessCookie, settings.AdminEmail = accessCookie, "root@example.com"
			})
			p := page{c, map[string]string{}}
			var authorization []string // how the page shows its access token
			took := func(tokens any) {
				t.Helper()
				access, _ := tokens.(map[string]any)["access"].(map[string]any)
				token, inBody := access["token"].(string)
				if inBody == accessCookie || access["expires"] == nil {
					t.Fatalf("access is %v", access)
				}
				if inBody {
					authorization = []string{"Authorization", "Bearer " + token}
				}
				if refresh, ok := tokens.(map[string]any)["refresh"].(map[string]any); ok && (refresh["token"] != nil || refresh["expires"] == nil) {
					t.Fatalf("refresh is %v", refresh)
				}
			}
			took(p.wantStatus(p.send("POST", "/web/auth/register", ada), http.StatusCreated)["tokens"])
			took(p.wantStatus(p.send("POST", "/web/auth/login", adaLogin), http.StatusOK)["tokens"])
			took(p.wantStatus(p.send("POST", "/web/auth/refresh-tokens", ""), http.StatusOK))
			me := p.wantStatus(p.send("GET", "/web/users/me", "", authorization...), http.StatusOK)
			list := p.wantStatus(p.send("GET", "/web/auth/refresh-tokens", "", authorization...), http.StatusOK)
			if sessions, _ := list["sessions"].([]any); len(sessions) != 2 {
				t.Errorf("sessions are %v", list)
			}
			took(p.wantStatus(p.send("POST", "/web/auth/reauthenticate", `{"password":"correct horse 1"}`, authorization...), http.StatusOK))
			p.wantStatus(p.send("DELETE", "/web/users/me", "", authorization...), http.StatusNoContent)
			p.wantStatus(p.send("POST", "/web/auth/refresh-tokens", ""), http.StatusUnauthorized)

			p.wantStatus(p.send("POST", "/web/auth/register", ada), http.StatusCreated)
			root := strings.NewReplacer("Ada@Example.com", "root@example.com").Replace(ada)
			took(p.wantStatus(p.send("POST", "/web/auth/register", root), http.StatusCreated)["tokens"])
			users := p.wantStatus(p.send("GET", "/web/users", "", authorization...), http.StatusOK)["users"].([]any)
			id, _ := users[0].(map[string]any)["id"].(string)
			impersonated := p.wantStatus(p.send("POST", "/web/users/"+id+"/impersonate", "", authorization...), http.StatusOK)
			took(impersonated["tokens"])
			if got := p.wantStatus(p.send("GET", "/web/users/me", "", authorization...), http.StatusOK); got["email"] != me["email"] {
				t.Errorf("acting as %v", got)
			}
			p.wantStatus(p.send("POST", "/web/auth/logout", ""), http.StatusNoContent)
			if len(p.cookies) > 0 {
				t.Errorf("cookies are left: %v", p.cookies)
			}
		})
	}
}

// TestOtherOrigins checks what pages of other origins get: 403 with cookies, and CORS headers only if they are trusted.
func TestOtherOrigins(t *testing.T) {
	const trusted, stranger = "http://localhost:3000", "http://localhost:4000"
	c := onSQLite(t, func(settings *config) { settings.TrustedOrigins = []string{trusted} })
	p := page{c, map[string]string{}}
	p.wantStatus(p.send("POST", "/web/auth/register", ada), http.StatusCreated)
	for _, row := range []struct {
		origin, method, path, body string
		preflight                  bool
		status                     int
		allowed                    bool
	}{
		{trusted, "OPTIONS", "/web/auth/login", "", true, http.StatusNoContent, true},
		{trusted, "OPTIONS", "/web/users/me", "", true, http.StatusNoContent, true},
		{trusted, "POST", "/web/auth/login", adaLogin, false, http.StatusOK, true},
		{trusted, "POST", "/web/auth/refresh-tokens", "", false, http.StatusOK, true},
		{trusted, "POST", "/v1/auth/login", adaLogin, false, http.StatusOK, true},
		{stranger, "OPTIONS", "/web/auth/login", "", true, http.StatusNotFound, false},
		{stranger, "POST", "/web/auth/login", adaLogin, false, http.StatusForbidden, false},
		{stranger, "POST", "/web/auth/register", ada, false, http.StatusForbidden, false},
		{stranger, "POST", "/web/auth/refresh-tokens", "", false, http.StatusForbidden, false},
		{stranger, "POST", "/web/auth/logout", "", false, http.StatusForbidden, false},
		{stranger, "POST", "/v1/auth/login", adaLogin, false, http.StatusOK, false},
	} {
		headers := []string{"Origin", row.origin, "Sec-Fetch-Site", "same-site"}
		if row.preflight {
			headers = append(headers, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		}
		got := p.send(row.method, row.path, row.body, headers...)
		allowed := got.Header().Get("Access-Control-Allow-Origin") == row.origin && got.Header().Get("Access-Control-Allow-Credentials") == "true"
		if got.Code != row.status || allowed != row.allowed {
			t.Errorf("%s %s %s: answered %d with %v, want %d", row.origin, row.method, row.path, got.Code, got.Header(), row.status)
		}
		if row.preflight && row.allowed && !strings.Contains(strings.ToLower(got.Header().Get("Access-Control-Allow-Headers")), "authorization") {
			t.Errorf("a preflight answers %v", got.Header())
		}
		if !slices.Contains(got.Header().Values("Vary"), "Origin") {
			t.Errorf("%s %s varies by %v", row.method, row.path, got.Header().Values("Vary"))
		}
		if row.status == http.StatusForbidden && got.Body.String() != `{"code":403,"message":"Forbidden"}` {
			t.Errorf("403 %s", got.Body)
		}
	}
}

// TestBadBaseURL checks that the app does not start with cookies that can't be meant.
func TestBadBaseURL(t *testing.T) {
	settings := testSettings
	settings.BaseURL = "http://example.com"
	_, err := newApp(&gorm.DB{}, settings, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "BASE_URL") || !strings.Contains(err.Error(), "https") {
		t.Errorf("error is %v", err)
	}
}
