package conformance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestNoSecretsInDatabaseOrLog searches the database's files, and a log at debug level, for the secret, the refresh key and the
// tokens' signatures.
func TestNoSecretsInDatabaseOrLog(t *testing.T) {
	var logs syncBuffer
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{
		Logger: logger.New(log.New(&logs, "", 0), logger.Config{LogLevel: logger.Info}),
	})
	host := testhost.New(t, db, func(config *refreshtokens.Config) {
		config.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		config.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
			if session.Subject == "broken" {
				return map[string]any{"sub": "x"}, nil
			}
			return map[string]any{"role": "user"}, nil
		}
	})
	host.Router.Use(gin.LoggerWithWriter(&logs))
	host.Router.GET("/logged", host.RequireAuth())

	first := host.Login("alice")
	second := host.MustRefresh(first.Refresh.Token)
	host.MustRefresh(first.Refresh.Token)                                         // repeated
	host.Bearer(http.MethodGet, testhost.RefreshPath, second.Access.Token)        // listed
	host.Bearer(http.MethodGet, "/logged", second.Access.Token+"x")               // forged
	host.Do(http.MethodGet, "/logged", nil, "Authorization", second.Access.Token) // misplaced
	host.PostToken(testhost.RefreshPath, second.Refresh.Token+"x")                // forged
	host.PostToken(testhost.RefreshPath, second.Access.Token)                     // wrong kind
	host.PostToken(testhost.RefreshPath, testhost.Sign(testhost.Header, second.Refresh.Token, testhost.RefreshKey(t)))
	host.Post(testhost.RefreshPath, `{"refreshToken":"`+second.Refresh.Token)
	_, _ = host.Issue(t.Context(), "broken", plugin.Device{})
	host.Clock.Advance(time.Minute)
	host.PostToken(testhost.RefreshPath, first.Refresh.Token) // reused
	third := host.Login("alice")
	host.PostToken(testhost.LogoutPath, third.Refresh.Token)

	dump := dumpSQLite(t, db)
	for _, want := range []string{"alice", "refresh_tokens"} {
		if !strings.Contains(dump, want) || !strings.Contains(logs.String(), want) {
			t.Fatalf("the dump or the log lacks %q, so the search below proves nothing", want)
		}
	}
	secrets := map[string][]byte{
		"the secret":      []byte(testhost.Secret),
		"the refresh key": testhost.RefreshKey(t),
	}
	for i, tokens := range []string{
		first.Access.Token, first.Refresh.Token, second.Access.Token, second.Refresh.Token, third.Access.Token, third.Refresh.Token,
	} {
		signature, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens, ".")[2])
		if err != nil {
			t.Fatal(err)
		}
		secrets[fmt.Sprintf("the signature of token %d", i)] = signature
	}
	for name, secret := range secrets {
		for _, form := range []string{
			string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
			base64.RawURLEncoding.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret),
			strings.Trim(fmt.Sprintf("%d", secret), "[]"),
		} {
			if strings.Contains(dump, form) {
				t.Errorf("%s is in the database", name)
			}
			if strings.Contains(logs.String(), form) {
				t.Errorf("%s is in the log", name)
			}
		}
	}
}

// dumpSQLite returns the content of the database's files.
func dumpSQLite(t *testing.T, db *gorm.DB) string {
	t.Helper()
	var file string
	if err := db.Raw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file).Error; err != nil {
		t.Fatal(err)
	}
	var dump strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		dump.Write(content)
	}
	return dump.String()
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// TestTableCannotAddClaims: whoever can write to the table changes nothing in the tokens of a refresh.
func TestTableCannotAddClaims(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	first := issue(t, host, plugin.Device{}, plugin.WithData(map[string]any{"tenant": "acme"}))
	live := host.MustRefresh(first.Refresh.Token)
	err := host.DB.Exec(`UPDATE refresh_tokens SET data = '{"claims":{"role":"admin","tenant":"other"}}', created_at = created_at + 60`).Error
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{first.Refresh.Token, live.Refresh.Token} {
		repeated := host.MustRefresh(token)
		claims := host.Claims(repeated.Access.Token)
		if claims["role"] != nil || claims["tenant"] != "acme" || claims["auth_time"] != host.Claims(first.Access.Token)["auth_time"] || repeated.Refresh != live.Refresh {
			t.Errorf("claims are %v", claims)
		}
	}
}
