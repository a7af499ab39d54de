package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// newMeasured is an app on SQLite with a user, who may log in often.
func newMeasured(t *testing.T) client {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	db := testdb.Open(t, sqlite.Open(sqliteDSN(t.TempDir()+"/example.db")), gormConfig(logger))
	if err := db.AutoMigrate(&user{}); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, db, testSettings, logger)
	c.cheapPasswords()
	c.want(c.do("POST", "/v1/auth/register", "", ada), http.StatusCreated, "")
	return c
}

// everything sends requests that make happen what the dashboard shows.
func (c client) everything() {
	refresh := func(token, userAgent string, status int) (next account) {
		c.t.Helper()
		request := httptest.NewRequest(http.MethodPost, "/v1/auth/refresh-tokens", strings.NewReader(`{"refreshToken":"`+token+`"}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("User-Agent", userAgent)
		recorder := httptest.NewRecorder()
		c.app.router.ServeHTTP(recorder, request)
		c.want(answer{recorder.Code, recorder.Body.String(), recorder.Header()}, status, "")
		_ = json.Unmarshal(recorder.Body.Bytes(), &next.Tokens)
		return next
	}
	login := func() account { return c.account(c.do("POST", "/v1/auth/login", "", adaLogin), http.StatusOK) }

	first := login().Tokens
	second := refresh(first.Refresh.Token, "a phone", 200).Tokens
	refresh(first.Refresh.Token, "a phone", 200)
	refresh(second.Refresh.Token, "a thief", 200)
	c.want(c.do("GET", "/v1/users/me", second.Access.Token, ""), 200, "")
	if err := c.app.db.Exec("UPDATE refresh_tokens SET issued_at = issued_at - 600").Error; err != nil { // ten minutes later
		c.t.Fatal(err)
	}
	refresh(first.Refresh.Token, "a thief", 401)
	refresh("forged", "a thief", 401)
	c.want(c.do("POST", "/v1/auth/logout", "", `{"refreshToken":"`+login().Tokens.Refresh.Token+`"}`), 204, "")
	c.want(c.do("DELETE", "/v1/auth/refresh-tokens", login().Tokens.Access.Token, ""), 204, "")
	last := login().Tokens.Refresh.Token
	if err := c.app.db.Exec("ALTER TABLE refresh_tokens RENAME TO away").Error; err != nil {
		c.t.Fatal(err)
	}
	refresh(last, "a phone", 500)
	if err := c.app.db.Exec("ALTER TABLE away RENAME TO refresh_tokens").Error; err != nil {
		c.t.Fatal(err)
	}
}

func TestMetrics(t *testing.T) {
	c := newMeasured(t)
	c.everything()
	served := c.do("GET", "/metrics", "", "")
	for _, line := range []string{
		`refreshtokens_session_events_total{refreshtokens_event="issued"} 5`,
		`refreshtokens_session_events_total{refreshtokens_event="refreshed"} 1`,
		`refreshtokens_session_events_total{refreshtokens_device_changed="false",refreshtokens_event="repeated"} 1`,
		`refreshtokens_session_events_total{refreshtokens_device_changed="true",refreshtokens_event="repeated"} 1`,
		`refreshtokens_session_events_total{refreshtokens_event="reuse_detected"} 1`,
		`refreshtokens_session_revoked_total{refreshtokens_revocation_reason="reuse"} 1`,
		`refreshtokens_session_revoked_total{refreshtokens_revocation_reason="logout"} 1`,
		`refreshtokens_session_revoked_total{refreshtokens_revocation_reason="device_list"} 2`,
		`refreshtokens_operation_duration_seconds_count{refreshtokens_event="repeated"} 2`,
		`refreshtokens_refresh_rejected_total 2`,
		`refreshtokens_refresh_failed_total 1`,
		`refreshtokens_live_session_lookups_total 2`,
		`refreshtokens_live_session_cache_hits_total 0`,
	} {
		if !strings.Contains(served.body, "\n"+line+"\n") {
			t.Errorf("not served: %s", line)
		}
	}
	if !strings.Contains(served.body, "go_goroutines") || !strings.HasPrefix(served.header.Get("Content-Type"), "text/plain") {
		t.Errorf("served as %s:\n%s", served.header.Get("Content-Type"), served.body)
	}
	for _, private := range []string{"example.com", "192.0.2.1", "a phone"} {
		if strings.Contains(served.body, private) {
			t.Errorf("served: %s", private)
		}
	}
}
