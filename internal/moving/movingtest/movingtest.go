// Package movingtest is the client of the apps that move: it sends requests to servers that listen.
package movingtest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Password is that of every user, and Secret signs.
const (
	Password = "correct horse 1"
	Secret   = "a secret of the app before, of 32 bytes or more"
)

// Quiet keeps the apps from writing to the test's output.
func init() {
	gin.SetMode(gin.TestMode)
	slog.SetDefault(slog.New(slog.DiscardHandler))
}

// Hash returns the hash of Password, which is cheap to check.
func Hash(t testing.TB) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// SQLite returns an empty database.
func SQLite(t testing.TB) *gorm.DB {
	t.Helper()
	dsn := "file:" + t.TempDir() + "/app.db?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return db
}

// Client is a client with cookies, on a device of a user's.
type Client struct {
	Server *httptest.Server
	Access string // goes into the Authorization header
	t      testing.TB
	http   *http.Client
}

// Serve starts an app.
func Serve(t testing.TB, app http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(app)
	t.Cleanup(server.Close)
	return server
}

// New returns a client of a server.
func New(t testing.TB, server *httptest.Server) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Server: server, t: t, http: &http.Client{Jar: jar, Transport: server.Client().Transport}}
}

// MoveTo lets the client go on with another server, as if it had the same address: cookies have no port (RFC 6265 §8.5).
func (c *Client) MoveTo(server *httptest.Server) {
	c.Server, c.http.Transport = server, server.Client().Transport
}

// Do sends a request with a JSON body, if there is one, and returns the status and the members of the answer.
func (c *Client) Do(method, path string, body map[string]string) (int, map[string]any) {
	c.t.Helper()
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.Server.URL+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.Access != "" {
		request.Header.Set("Authorization", "Bearer "+c.Access)
	}
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	members := map[string]any{}
	if strings.HasPrefix(string(text), "{") {
		if err := json.Unmarshal(text, &members); err != nil {
			c.t.Fatalf("%s: %v", text, err)
		}
	}
	return response.StatusCode, members
}

// Post is Do with POST. It fails the test unless the answer has the status.
func (c *Client) Post(path string, body map[string]string, want int) map[string]any {
	c.t.Helper()
	status, members := c.Do(http.MethodPost, path, body)
	if status != want {
		c.t.Errorf("%s answered %d %v, want %d", path, status, members, want)
	}
	return members
}

// Get is Do with GET. It fails the test unless the answer has the status.
func (c *Client) Get(path string, want int) map[string]any {
	c.t.Helper()
	status, members := c.Do(http.MethodGet, path, nil)
	if status != want {
		c.t.Errorf("%s answered %d %v, want %d", path, status, members, want)
	}
	return members
}

// Refresh sends a refresh token to the module's route and takes over the access token of the answer. It returns the new refresh token.
func (c *Client) Refresh(path, token string, want int) string {
	c.t.Helper()
	answer := c.Post(path, map[string]string{"refreshToken": token}, want)
	if access := Text(answer, "access", "token"); access != "" {
		c.Access = access
	}
	return Text(answer, "refresh", "token")
}

// Text returns the text at a path of names, or "".
func Text(members map[string]any, names ...string) string {
	for _, name := range names[:len(names)-1] {
		members, _ = members[name].(map[string]any)
	}
	text, _ := members[names[len(names)-1]].(string)
	return text
}
