package refreshtokens_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func newRouter(db *gorm.DB, secret []byte) (*gin.Engine, error) {
	if err := db.AutoMigrate(models.All()...); err != nil { // your app creates the table
		return nil, err
	}
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: secret})
	if err != nil {
		return nil, err
	}

	router := gin.Default()
	auth.Register(router.Group("/v1")) // POST /v1/auth/refresh-tokens, …
	router.GET("/v1/me", auth.RequireAuth(), func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"id": refreshtokens.Subject(c)})
	})
	router.POST("/v1/login", func(c *gin.Context) {
		userID := "42" // once your own code has checked the password
		tokens, err := auth.Issue(c.Request.Context(), userID, refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, tokens)
	})
	return router, nil
}

func Example() {
	db, done := exampleDB()
	defer done()
	router, err := newRouter(db, exampleSecret)
	if err != nil {
		panic(err)
	}

	login := send(router, http.MethodPost, "/v1/login", "", "")
	fmt.Println("login:", login.Code, strings.Contains(login.Body.String(), `"refresh":{"token":"`))
	refresh := send(router, http.MethodPost, "/v1/auth/refresh-tokens", "", `{"refreshToken":"x"}`)
	fmt.Println("refresh:", refresh.Code, refresh.Body)

	// Output:
	// login: 200 true
	// refresh: 401 {"code":401,"message":"Please Authenticate"}
}

// Issue starts a session in the host's login handler. The device is what the user later sees in the list of sessions.
func ExamplePlugin_Issue() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx := context.Background()

	tokens, err := auth.Issue(ctx, "alice", refreshtokens.Device{UserAgent: "Firefox", IP: "192.0.2.1"})
	if err != nil {
		panic(err)
	}
	sessions, _ := auth.Sessions(ctx, "alice")
	fmt.Println(tokens.Refresh.Token != "", len(sessions), sessions[0].UserAgent)
	// Output: true 1 Firefox
}

// A refresh with the same token, within the grace period, returns the same new token.
func ExamplePlugin_Refresh() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{})

	first, err := auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	again, err2 := auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	fmt.Println(err, err2, first.Refresh.Token == again.Refresh.Token)
	// Output: <nil> <nil> true
}

// Claims puts a role from the host's own table into every access token, and refuses users that are gone.
func ExampleConfig_claims() {
	type User struct{ ID, Role string }
	db, done := exampleDB()
	defer done()
	_ = db.AutoMigrate(&User{})
	_ = db.Create(&User{ID: "alice", Role: "admin"})
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB: db, Secret: exampleSecret,
		Claims: func(ctx context.Context, session refreshtokens.Session) (map[string]any, error) {
			var user User
			err := db.WithContext(ctx).Where("id = ?", session.Subject).Take(&user).Error
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return nil, refreshtokens.ErrSubjectRefused
			}
			return map[string]any{"role": user.Role}, err
		},
	})
	if err != nil {
		panic(err)
	}

	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	claims, _ := auth.VerifyAccess(tokens.Access.Token)
	var custom struct{ Role string }
	_ = claims.Decode(&custom)
	_, err = auth.Issue(context.Background(), "mallory", refreshtokens.Device{})
	fmt.Println(custom.Role, err)
	// Output: admin subject refused
}

// OnEvent tells the host that a refresh token was stolen, or that a client is broken.
func ExampleConfig_onEvent() {
	clock := time.Now()
	auth, done := examplePlugin(func(config *refreshtokens.Config) {
		config.Clock = func() time.Time { return clock }
		config.OnEvent = func(_ context.Context, event refreshtokens.Event) {
			if event.Kind == plugin.EventReuseDetected {
				fmt.Printf("warn %s: a spent token of %s came from %s\n", event.Session.Subject, event.Session.UserAgent, event.Device.IP)
			}
		}
	})
	defer done()
	ctx, phone := context.Background(), refreshtokens.Device{UserAgent: "a phone", IP: "192.0.2.1"}
	stolen, _ := auth.Issue(ctx, "alice", phone)
	_, _ = auth.Refresh(ctx, stolen.Refresh.Token, phone)

	clock = clock.Add(time.Hour)
	_, err := auth.Refresh(ctx, stolen.Refresh.Token, refreshtokens.Device{IP: "198.51.100.9"})
	fmt.Println(err)
	// Output:
	// warn alice: a spent token of a phone came from 198.51.100.9
	// refresh token reused
}

// An audit log is a table of the host's that OnEvent fills.
func ExampleConfig_auditLog() {
	type Audit struct {
		At                         time.Time
		Event, Subject, Reason, IP string
	}
	db, done := exampleDB()
	defer done()
	_ = db.AutoMigrate(&Audit{})
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB: db, Secret: exampleSecret,
		OnEvent: func(ctx context.Context, event refreshtokens.Event) {
			if event.Kind == plugin.EventPurged {
				return
			}
			err := db.WithContext(ctx).Create(&Audit{event.Time, string(event.Kind), event.Session.Subject, string(event.Reason), event.Device.IP}).Error
			if err != nil {
				slog.ErrorContext(ctx, "audit", "error", err)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{IP: "192.0.2.1"})
	_, _ = auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{IP: "192.0.2.1"})
	_ = auth.RevokeAll(ctx, "alice")

	var audits []Audit
	_ = db.Order("at").Find(&audits)
	for _, audit := range audits {
		fmt.Println(strings.TrimSpace(strings.Join([]string{audit.Subject, audit.Event, audit.Reason}, " ")))
	}
	// Output:
	// alice issued
	// alice refreshed
	// alice revoked host
}

// A browser keeps the refresh token in a cookie that no script can read.
func ExampleWithCookies() {
	auth, done := examplePlugin(nil)
	defer done()
	router := gin.New()
	web := auth.Register(router.Group("/web"), refreshtokens.WithCookies(refreshtokens.Cookies{}))
	router.POST("/web/login", web.Protect, func(c *gin.Context) {
		tokens, err := auth.Issue(c.Request.Context(), "alice", refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		web.WriteTokens(c, http.StatusOK, tokens)
	})

	answer := httptest.NewRecorder()
	router.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/web/login", nil))
	cookie := answer.Result().Cookies()[0]
	fmt.Println(cookie.Name, cookie.Path, cookie.HttpOnly)

	refresh := httptest.NewRequest(http.MethodPost, "/web/auth/refresh-tokens", nil)
	refresh.AddCookie(cookie)
	answer = httptest.NewRecorder()
	router.ServeHTTP(answer, refresh)
	fmt.Println(answer.Code)
	// Output:
	// __Secure-refresh-token /web/auth true
	// 200
}

// Allow answers 403 to those who are logged in but may not.
func ExamplePlugin_RequireAuth_allow() {
	auth, done := examplePlugin(func(config *refreshtokens.Config) {
		config.Claims = func(_ context.Context, session refreshtokens.Session) (map[string]any, error) {
			return map[string]any{"role": map[string]string{"alice": "admin", "bob": "user"}[session.Subject]}, nil
		}
	})
	defer done()
	admin := middleware.Allow(func(claims refreshtokens.Claims) bool {
		var mine struct{ Role string }
		return claims.Decode(&mine) == nil && mine.Role == "admin"
	})
	router := gin.New()
	router.GET("/users", auth.RequireAuth(admin), func(c *gin.Context) { c.String(http.StatusOK, "hello "+refreshtokens.Subject(c)) })

	for _, user := range []string{"alice", "bob"} {
		tokens, _ := auth.Issue(context.Background(), user, refreshtokens.Device{})
		answer := send(router, http.MethodGet, "/users", tokens.Access.Token, "")
		fmt.Println(answer.Code, answer.Body)
	}
	// Output:
	// 200 hello alice
	// 403 {"code":403,"message":"Forbidden"}
}

// LiveSession looks the session up, so that an access token ends with its log-out and not at its own time.
func ExamplePlugin_RequireAuth_liveSession() {
	auth, done := examplePlugin(nil)
	defer done()
	router := gin.New()
	router.GET("/feed", auth.RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
	router.GET("/payments", auth.RequireAuth(middleware.LiveSession()), func(c *gin.Context) { c.Status(http.StatusOK) })
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	_ = auth.RevokeAll(context.Background(), "alice")

	for _, path := range []string{"/feed", "/payments"} {
		fmt.Println(path, send(router, http.MethodGet, path, tokens.Access.Token, "").Code)
	}
	// Output:
	// /feed 200
	// /payments 401
}

// WithDB ends sessions in the host's own transaction: a password change that is rolled back logs nobody out.
func ExamplePlugin_WithDB() {
	db, done := exampleDB()
	defer done()
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: exampleSecret})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_, _ = auth.Issue(ctx, "alice", refreshtokens.Device{})

	err = db.Transaction(func(tx *gorm.DB) error {
		if err := auth.WithDB(tx).RevokeAll(ctx, "alice"); err != nil {
			return err
		}
		return errors.New("the new password could not be stored")
	})
	sessions, _ := auth.Sessions(ctx, "alice")
	fmt.Println(err, "-", len(sessions), "session lives")
	// Output: the new password could not be stored - 1 session lives
}

// Janitor is for a goroutine of the host's. It stops with its context.
func ExamplePlugin_Janitor() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- auth.Janitor(ctx, time.Hour) }()
	stop() // when the host shuts down
	fmt.Println(<-stopped)
	// Output: <nil>
}

// The errors are told apart with errors.Is.
func Example_errors() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{})
	_ = auth.Revoke(ctx, tokens.Refresh.Token)

	_, err := auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	switch {
	case errors.Is(err, plugin.ErrReused):
		fmt.Println("stolen, or a broken client")
	case errors.Is(err, plugin.ErrRevoked):
		fmt.Println("logged out")
	case errors.Is(err, plugin.ErrExpired):
		fmt.Println("too old")
	case errors.Is(err, plugin.ErrInvalidToken):
		fmt.Println("not ours")
	case err != nil:
		fmt.Println("our fault: the token still works")
	}
	// Output: logged out
}

// A second Plugin on the same database has a table of its own, and an audience, so that neither accepts the other's tokens.
func ExampleConfig_table() {
	db, done := exampleDB()
	defer done()
	if err := db.Table("admin_sessions").AutoMigrate(models.All()...); err != nil {
		panic(err)
	}
	public, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: exampleSecret, Audience: "public"})
	if err != nil {
		panic(err)
	}
	admin, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: exampleSecret, Audience: "admin", Table: "admin_sessions"})
	if err != nil {
		panic(err)
	}

	tokens, _ := public.Issue(context.Background(), "alice", refreshtokens.Device{})
	_, err = admin.VerifyAccess(tokens.Access.Token)
	_, err2 := admin.Refresh(context.Background(), tokens.Refresh.Token, refreshtokens.Device{})
	fmt.Println(errors.Is(err, plugin.ErrInvalidToken), errors.Is(err2, plugin.ErrInvalidToken))
	// Output: true true
}

// Schema is the table as plain SQL. Here it becomes a migration of goose's.
func Example_goose() {
	up, err := models.Schema("postgres", "")
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "migrations")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	migration := "-- +goose Up\n" + up + "\n-- +goose Down\nDROP TABLE refresh_tokens;\n"
	err = os.WriteFile(filepath.Join(dir, "00001_refresh_tokens.sql"), []byte(migration), 0o600)
	fmt.Println(err, strings.Count(migration, ";"), "statements")
	// Output: <nil> 4 statements
}

var exampleSecret = []byte("0123456789abcdef0123456789abcdef")

// exampleDB opens a database for an example, with the table in it.
func exampleDB() (db *gorm.DB, done func()) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter = io.Discard
	dir, err := os.MkdirTemp("", "refreshtokens")
	if err != nil {
		panic(err)
	}
	db, err = gorm.Open(sqlite.Open(filepath.Join(dir, "app.db")), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		panic(err)
	}
	if err := db.AutoMigrate(models.All()...); err != nil {
		panic(err)
	}
	return db, func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
		_ = os.RemoveAll(dir)
	}
}

// examplePlugin is a Plugin for an example.
func examplePlugin(configure func(*refreshtokens.Config)) (auth *refreshtokens.Plugin, done func()) {
	db, done := exampleDB()
	config := refreshtokens.Config{DB: db, Secret: exampleSecret, Logger: slog.New(slog.DiscardHandler)}
	if configure != nil {
		configure(&config)
	}
	auth, err := refreshtokens.New(config)
	if err != nil {
		panic(err)
	}
	return auth, done
}

// send sends a request with an access token and a JSON body, where they are not empty.
func send(router http.Handler, method, path, accessToken, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if accessToken != "" {
		request.Header.Set("Authorization", "Bearer "+accessToken)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	recorder := httptest.NewRecorder()
	router.ServeHTTP(recorder, request)
	return recorder
}

// TestREADMEListing: the README's complete host has the function that Example runs.
func TestREADMEListing(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, listing, _ := strings.Cut(string(readme), "```go\npackage main\n")
	listing, _, _ = strings.Cut(listing, "```")
	function := func(text string) string {
		_, after, _ := strings.Cut(text, "\nfunc newRouter(")
		body, _, _ := strings.Cut(after, "\n}\n")
		return body
	}
	if function(string(source)) == "" || function(listing) != function(string(source)) {
		t.Errorf("newRouter in the README differs from the one here:\n%s", function(listing))
	}
}
