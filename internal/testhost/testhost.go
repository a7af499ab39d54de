// Package testhost is a Gin app that uses the plugin. Tests send it HTTP requests.
package testhost

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/plugintest"
)

// Secret is the host's signing secret.
const Secret = "an example of a secret with more than 32 bytes"

// Header is the JOSE header of every token, in base64url.
const Header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// Grace is the default grace period. A live token repeats for twice as long before it can rotate again.
const Grace = 30 * time.Second

// Strict is an option of [New]. It turns the grace period off, so that every refresh rotates.
func Strict(config *refreshtokens.Config) { config.GracePeriod = -1 }

// RealTime is an option of [New] for tests of Purge. Purge fails unless the host's clock agrees with the database's.
func RealTime(config *refreshtokens.Config) { config.Clock = time.Now }

// Host is the app. It has the plugin's routes under /v1, and GET /v1/me, which answers the subject.
type Host struct {
	*refreshtokens.Plugin
	Router *gin.Engine
	DB     *gorm.DB
	Clock  *plugintest.Clock
	t      testing.TB
}

// New makes a host on db. Each configure may change the settings first.
func New(t testing.TB, db *gorm.DB, configure ...func(*refreshtokens.Config)) *Host {
	t.Helper()
	gin.SetMode(gin.TestMode)
	clock := plugintest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC))
	config := refreshtokens.Config{
		DB:     db,
		Secret: []byte(Secret),
		Logger: slog.New(slog.DiscardHandler),
		Clock:  clock.Now,
	}
	for _, c := range configure {
		c(&config)
	}
	auth, err := refreshtokens.New(config)
	if err != nil {
		t.Fatal(err)
	}
	router := NewRouter(t)
	auth.Register(router.Group("/v1"))
	router.GET("/v1/me", auth.RequireAuth(), func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) })
	return &Host{auth, router, db, clock, t}
}

// For returns the host for a subtest. If a helper fails, it fails the subtest and not the whole test.
func (h *Host) For(t testing.TB) *Host {
	sub := *h
	sub.t = t
	return &sub
}

// Login issues tokens as a host's login handler does.
func (h *Host) Login(subject string) plugin.Tokens {
	h.t.Helper()
	tokens, err := h.Issue(h.t.Context(), subject, plugin.Device{UserAgent: "test/1.0", IP: "192.0.2.1"})
	if err != nil {
		h.t.Fatal(err)
	}
	return tokens
}

// Do sends a request. The headers are given as name, value, name, value and so on.
func (h *Host) Do(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, body)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	h.Router.ServeHTTP(recorder, request)
	return recorder
}

// Post sends a JSON body.
func (h *Host) Post(path, body string) *httptest.ResponseRecorder {
	return h.Do(http.MethodPost, path, strings.NewReader(body), "Content-Type", "application/json")
}

// PostToken sends {"refreshToken":token}.
func (h *Host) PostToken(path, token string) *httptest.ResponseRecorder {
	body, err := json.Marshal(map[string]string{"refreshToken": token})
	if err != nil {
		h.t.Error(err)
	}
	return h.Post(path, string(body))
}

// Bearer sends a request with an access token.
func (h *Host) Bearer(method, path, token string) *httptest.ResponseRecorder {
	return h.Do(method, path, nil, "Authorization", "Bearer "+token)
}

// TryRefresh sends the token to the refresh route. It returns the status, and the new tokens if the status is 200.
func (h *Host) TryRefresh(token string) (int, plugin.Tokens) {
	recorder := h.PostToken("/v1/auth/refresh-tokens", token)
	var tokens plugin.Tokens
	if recorder.Code == http.StatusOK {
		if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil {
			h.t.Error(err)
		}
	}
	return recorder.Code, tokens
}

// MustRefresh is [Host.TryRefresh] for a good token: it fails the test unless the status is 200.
func (h *Host) MustRefresh(token string) plugin.Tokens {
	h.t.Helper()
	status, tokens := h.TryRefresh(token)
	if status != http.StatusOK {
		h.t.Fatalf("refresh answered %d, want 200", status)
	}
	return tokens
}

// WantRefresh refreshes with the token and fails the test unless the answer has the status.
func (h *Host) WantRefresh(token string, status int) {
	h.t.Helper()
	if got, _ := h.TryRefresh(token); got != status {
		h.t.Errorf("refresh answered %d, want %d", got, status)
	}
}

// rowsPatience is how long Rows tries again. Serializable isolation refuses a read while another transaction commits, which
// takes as long as the server's disk does. SQLite without a busy timeout refuses one while somebody writes.
const rowsPatience = 10 * time.Second

// Rows returns the whole table, oldest first.
func (h *Host) Rows() []models.RefreshToken {
	h.t.Helper()
	for began, wait := time.Now(), time.Millisecond; ; wait *= 2 {
		var rows []models.RefreshToken
		err := h.DB.Clauses(dbresolver.Write).Order("id").Find(&rows).Error
		if err == nil {
			return rows
		}
		if time.Since(began) > rowsPatience {
			h.t.Fatal(err)
		}
		time.Sleep(wait)
	}
}

// Claims returns the claims of a token. It does not verify the token.
func (h *Host) Claims(token string) map[string]any {
	h.t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		h.t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	claims := map[string]any{}
	if err := decoder.Decode(&claims); err != nil {
		h.t.Fatal(err)
	}
	return claims
}

// SessionID returns the id of the tokens' session.
func (h *Host) SessionID(tokens plugin.Tokens) string {
	h.t.Helper()
	sid, _ := h.Claims(tokens.Access.Token)["sid"].(string)
	return sid
}

// RefreshKey derives the key of refresh tokens without the plugin's code. If the plugin's derivation changes, tests fail.
func RefreshKey(t testing.TB) []byte {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(Secret), nil, "refreshtokens/refresh-token/HS256/v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Sign returns a token that is signed with HMAC-SHA256. The header is in base64url already, the payload is not.
func Sign(header, payload string, key []byte) string {
	input := header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
