package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/httprate"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// client sends requests to the app.
type client struct {
	t   *testing.T
	app *app
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (c client) do(method, path, token, body string) answer {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	recorder := httptest.NewRecorder()
	c.app.router.ServeHTTP(recorder, request)
	return answer{recorder.Code, recorder.Body.String(), recorder.Header()}
}

// want fails the test unless the answer has the status and the body. An empty body stands for any body.
func (c client) want(got answer, status int, body string) {
	c.t.Helper()
	if got.status != status || body != "" && got.body != body {
		c.t.Errorf("answered %d %s\nwant %d %s", got.status, got.body, status, body)
	}
}

type account struct {
	User   map[string]any
	Tokens struct{ Access, Refresh struct{ Token string } }
}

func (c client) account(got answer, status int) account {
	c.t.Helper()
	c.want(got, status, "")
	var a account
	if err := json.Unmarshal([]byte(got.body), &a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// eachApp runs test as a subtest on every database, with the example app's own settings for GORM and SQLite.
func eachApp(t *testing.T, test func(c client), logs ...io.Writer) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if len(logs) > 0 {
		logger = slog.New(slog.NewTextHandler(logs[0], nil))
	}
	for _, engine := range testdb.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			dialector := engine.Open(t)
			if engine.Name == "sqlite" {
				dialector = sqlite.Open(sqliteDSN(t.TempDir() + "/example.db"))
			}
			db := testdb.Open(t, dialector, gormConfig(logger))
			if err := db.AutoMigrate(&user{}); err != nil {
				t.Fatal(err)
			}
			test(newClient(t, db, testSettings, logger))
		})
	}
}

// unlimited returns a rate limiter for tests that log in more often than a user would.
func unlimited() *httprate.RateLimiter { return httprate.NewRateLimiter(100_000, time.Minute) }

var testSettings = config{
	JWTSecret: "an example of a secret with more than 32 bytes",
	AccessTTL: 15 * time.Minute, RefreshTTL: time.Hour, SessionTTL: time.Hour, GracePeriod: 30 * time.Second,
}

func newClient(t *testing.T, db *gorm.DB, settings config, logger *slog.Logger) client {
	t.Helper()
	a, err := newApp(db, settings, logger)
	if err != nil {
		t.Fatal(err)
	}
	return client{t, a}
}

const (
	ada      = `{"name":"Ada","email":"Ada@Example.com","password":"correct horse 1"}`
	adaLogin = `{"email":"ada@example.com","password":"correct horse 1"}`
)

func TestWholeFlow(t *testing.T) {
	eachApp(t, func(c client) {
		registered := c.account(c.do("POST", "/v1/auth/register", "", ada), http.StatusCreated)
		if len(registered.User) != 5 { // its values are compared below
			t.Errorf("user is %v", registered.User)
		}
		me := fmt.Sprintf(`{"id":%q,"name":"Ada","email":"ada@example.com","role":"user","isEmailVerified":false}`, registered.User["id"])
		c.want(c.do("GET", "/v1/users/me", registered.Tokens.Access.Token, ""), 200, me)
		c.want(c.do("GET", "/v1/users/me", "", ""), 401, `{"code":401,"message":"Please Authenticate"}`)

		phone := c.account(c.do("POST", "/v1/auth/login", "", adaLogin), http.StatusOK)
		refreshed := c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+phone.Tokens.Refresh.Token+`"}`)
		c.want(refreshed, 200, "")
		if err := json.Unmarshal([]byte(refreshed.body), &phone.Tokens); err != nil {
			t.Fatal(err)
		}

		list := c.do("GET", "/v1/auth/refresh-tokens", phone.Tokens.Access.Token, "")
		if c.want(list, 200, ""); strings.Count(list.body, `"id"`) != 2 || strings.Count(list.body, `"current":true`) != 1 {
			t.Errorf("list is %s", list.body)
		}

		// A new password logs out every other device.
		c.want(c.do("PATCH", "/v1/users/me", phone.Tokens.Access.Token, `{"password":"battery staple 2"}`), 200, me)
		c.want(c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+registered.Tokens.Refresh.Token+`"}`), 401, "")
		c.want(c.do("GET", "/v1/users/me", registered.Tokens.Access.Token, ""), 401, "")
		c.want(c.do("GET", "/v1/users/me", phone.Tokens.Access.Token, ""), 200, me)
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 401, `{"code":401,"message":"Incorrect email or password"}`)

		c.want(c.do("POST", "/v1/auth/logout", "", `{"refreshToken":"`+phone.Tokens.Refresh.Token+`"}`), 204, "")
		c.want(c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+phone.Tokens.Refresh.Token+`"}`), 401, "")

		again := c.account(c.do("POST", "/v1/auth/login", "", `{"email":"ADA@example.com ","password":"battery staple 2"}`), http.StatusOK)
		c.want(c.do("DELETE", "/v1/users/me", again.Tokens.Access.Token, ""), 204, "")
		c.want(c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+again.Tokens.Refresh.Token+`"}`), 401, "")
		c.want(c.do("GET", "/v1/users/me", again.Tokens.Access.Token, ""), 401, "")
		c.want(c.do("POST", "/v1/auth/login", "", `{"email":"ada@example.com","password":"battery staple 2"}`), 401, "")
	})
}

// TestDeletedUserStopsRefreshing deletes the user's row behind the app's back. The Claims callback must notice.
func TestDeletedUserStopsRefreshing(t *testing.T) {
	eachApp(t, func(c client) {
		tokens := c.account(c.do("POST", "/v1/auth/register", "", ada), http.StatusCreated).Tokens
		if err := c.app.db.Where("1 = 1").Delete(&user{}).Error; err != nil {
			t.Fatal(err)
		}
		c.want(c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+tokens.Refresh.Token+`"}`), 401, "")
		c.want(c.do("GET", "/v1/users/me", tokens.Access.Token, ""), 401, "")
	})
}

func TestBadInput(t *testing.T) {
	eachApp(t, func(c client) {
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		for _, row := range []struct {
			method, path, body string
			status             int
			message            string
		}{
			{method: "POST", path: "/v1/auth/register", body: ada, status: 400, message: takenEmail},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"B","email":"b@example.com","password":"short 1"}`, status: 400, message: weakPassword},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"B","email":"b@example.com","password":"12345678"}`, status: 400, message: weakPassword},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"B","email":"b@example.com","password":"abcdefgh"}`, status: 400, message: weakPassword},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"B","email":"b","password":"correct horse 1"}`, status: 400, message: wrongEmail},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"","email":"b@example.com","password":"correct horse 1"}`, status: 400, message: wrongName},
			{method: "POST", path: "/v1/auth/register", body: `{"name":1}`, status: 400, message: registerBody},
			{method: "POST", path: "/v1/auth/register", body: `x`, status: 400, message: registerBody},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"` + strings.Repeat("x", 9000) + `"}`, status: 413, message: bodyTooLarge},
			{method: "POST", path: "/v1/auth/register", body: `{"name":" ","email":"b@example.com","password":"correct horse 1"}`, status: 400, message: wrongName},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"a\u0000b","email":"b@example.com","password":"correct horse 1"}`, status: 400, message: wrongName},
			{method: "POST", path: "/v1/auth/register", body: `{"name":"B","email":"a\u0000b@example.com","password":"correct horse 1"}`, status: 400, message: wrongEmail},
			{method: "POST", path: "/v1/auth/login", body: `{"email":"a\u0000b@example.com","password":"x"}`, status: 401, message: wrongLogin},
			{method: "POST", path: "/v1/auth/login", body: `{"email":"àda@example.com","password":"correct horse 1"}`, status: 401, message: wrongLogin},
			{method: "POST", path: "/v1/auth/login", body: `{}`, status: 400, message: loginBody},
			{method: "POST", path: "/v1/auth/login", body: `{"email":"nobody@example.com","password":"x"}`, status: 401, message: wrongLogin},
			{method: "GET", path: "/nowhere", body: ``, status: 404, message: "Not found"},
		} {
			c.want(c.do(row.method, row.path, "", row.body), row.status, failure(row.status, row.message))
		}
		c.want(c.do("GET", "/healthz", "", ""), 200, `{"status":"ok"}`)
	})
}

func TestTooManyLogins(t *testing.T) {
	eachApp(t, func(c client) {
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		var wait sync.WaitGroup
		for range loginsPerMinute { // parallel requests must count too
			wait.Go(func() {
				c.want(c.do("POST", "/v1/auth/login", "", `{"email":"ada@example.com","password":"wrong"}`), 401, "")
			})
		}
		wait.Wait()
		got := c.do("POST", "/v1/auth/login", "", adaLogin)
		if c.want(got, 429, ""); got.header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
		c.want(c.do("POST", "/v1/auth/login", "", `{"email":"other@example.com","password":"wrong"}`), 401, "")
	})
}

func TestPanicsAndLogs(t *testing.T) {
	var logs bytes.Buffer
	eachApp(t, func(c client) {
		c.app.router.GET("/panic", func(*gin.Context) { panic("boom") })
		c.want(c.do("GET", "/panic", "", ""), 500, `{"error":"Internal Server Error"}`)
		if !strings.Contains(logs.String(), "boom") || !strings.Contains(logs.String(), "request_id=") {
			t.Errorf("log is %s", logs.String())
		}
		tokens := c.account(c.do("POST", "/v1/auth/register", "", ada), 201).Tokens
		c.do("GET", "/v1/users/me?token="+tokens.Access.Token, tokens.Access.Token, "")
		for _, secret := range []string{tokens.Access.Token, tokens.Refresh.Token, "correct horse"} {
			if strings.Contains(logs.String(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	}, &logs)
}
