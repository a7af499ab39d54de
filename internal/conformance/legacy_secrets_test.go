package conformance_test

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
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

// TestLegacyIsNotAskedAboutOurTokens, whatever was done to them, nor about what can't be a token.
func TestLegacyIsNotAskedAboutOurTokens(t *testing.T) {
	host, old := legacyHost(t, openSQLite(t))
	tokens := host.Login("alice")
	elsewhere := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) { c.Issuer = "another" }).Login("alice")
	earlier := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) { c.Secret = []byte("the secret before this one, of 32 bytes or more") }).Login("alice")
	good, expiring := tokens.Refresh.Token, host.Login("alice").Refresh.Token
	host.Clock.Advance(8 * 24 * time.Hour)
	dead := host.Login("alice").Refresh.Token
	host.PostToken(testhost.LogoutPath, dead)

	refused := map[string]string{
		"an expired one":                good,
		"another expired one":           expiring,
		"one of a session that ended":   dead,
		"an access token":               host.Login("alice").Access.Token,
		"one of another issuer":         elsewhere.Refresh.Token,
		"one of another secret":         earlier.Refresh.Token,
		"an access token of that":       earlier.Access.Token,
		"the header":                    testhost.Header,
		"our header and no JSON":        testhost.Header + ".x.y",
		"a line break":                  oldToken + "\n",
		"NUL":                           "\x00" + oldToken,
		"a letter that is not ASCII":    oldToken + "é",
		"bytes that are not UTF-8":      oldToken + "\xff",
		"more than 8 KiB":               strings.Repeat("x", 8<<10+1),
		"nothing":                       "",
		"in another alphabet of base64": strings.NewReplacer("-", "+", "_", "/").Replace(good) + "=",
	}
	for name, hostile := range hostileForms(dead) {
		refused["hostile: "+name] = hostile
	}
	for name, claims := range hostileClaims(host.Claims(dead), host.Clock.Now().Unix(), "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0a") {
		refused["claims: "+name] = testhost.Sign(testhost.Header, claims, []byte("a key that a thief has made, of 32 bytes or more"))
	}
	for i := len(testhost.Header); i < len(dead); i++ {
		refused[fmt.Sprintf("the first %d characters", i)] = dead[:i]
	}
	// Nothing tells these from tokens of others.
	for _, name := range []string{
		"hostile: no dot", "hostile: two dots alone", "hostile: 7 KiB of dots",
		"claims: null", "claims: sid missing", "claims: auth_time missing", "claims: type missing",
		"claims: nested deep beside", // auth_time has another name there
	} {
		if _, known := refused[name]; !known {
			t.Errorf("there is no %q", name)
		}
		delete(refused, name)
	}
	for name, token := range refused {
		old.calls()
		if _, err := host.Refresh(t.Context(), token, plugin.Device{}); err == nil {
			t.Errorf("%s was accepted", name)
		}
		if err := host.Revoke(t.Context(), token); !errors.Is(err, plugin.ErrNotFound) {
			t.Errorf("%s, at log-out: %v", name, err)
		}
		if asked := old.asked; len(asked) > 0 {
			t.Errorf("%s reached the callback: %.80q", name, asked)
		}
	}

	// These are others'.
	for name, token := range map[string]string{
		"a JWT with our header":   testhost.Sign(testhost.Header, `{"sub":"5ebac534954b54139806c112","iat":1589298484,"exp":1589300284,"type":"refresh"}`, []byte("x")),
		"8 KiB":                   strings.Repeat("x", 8<<10),
		"every kind of character": " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~",
	} {
		old.calls()
		if _, err := host.Refresh(t.Context(), token, plugin.Device{}); !errors.Is(err, plugin.ErrInvalidToken) || len(old.asked) != 1 || old.asked[0] != token {
			t.Errorf("%s: %v; the callback was asked about %.80q", name, err, old.asked)
		}
	}
}

// TestNoLegacyTokenInDatabaseOrLog searches the database's files, a log at debug level, the events and the errors for legacy tokens,
// and for plain hashes of them.
func TestNoLegacyTokenInDatabaseOrLog(t *testing.T) {
	var logs syncBuffer
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{
		Logger: logger.New(log.New(&logs, "", 0), logger.Config{LogLevel: logger.Info}),
	})
	var events syncBuffer
	host, old := legacyHost(t, db, func(c *refreshtokens.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.OnEvent = func(_ context.Context, event plugin.Event) { _, _ = fmt.Fprintf(&events, "%+v\n", event) }
	})
	host.Router.Use(func(c *gin.Context) {
		c.Next()
		for _, err := range c.Errors {
			log.New(&logs, "", 0).Print(err)
		}
	})
	host.Register(host.Router.Group("/logged"))
	const logged = "/logged/auth/refresh-tokens"
	odd := `of bob "quoted" & <more> \n` // text that URLs and quotes write in another way
	secrets := []string{oldToken, odd, "unknown-7F_Q-2Vd4Hc5Gu9Ak", expiredToken}
	for _, token := range secrets {
		for _, err := range []error{
			fmt.Errorf("no such token: %s", token),
			fmt.Errorf("no such token: %q: %w", token, plugin.ErrInvalidToken),
			&url.Error{Op: "Get", URL: "https://old.example/introspect?token=" + url.QueryEscape(token), Err: errors.New("connection refused")},
		} {
			old.fail(err)
			host.PostToken(logged, token)
			host.PostToken("/logged/auth/logout", token)
			_, got := host.Refresh(t.Context(), token, plugin.Device{})
			log.New(&logs, "", 0).Print(got)
			for ; got != nil; got = errors.Unwrap(got) {
				log.New(&logs, "", 0).Print(got)
			}
		}
	}
	old.fail(nil)
	for _, token := range secrets {
		host.PostToken(logged, token)
		host.PostToken(logged, token) // repeated
	}
	host.Clock.Advance(time.Minute)
	host.PostToken(logged, oldToken)                // reused
	host.PostToken(testhost.LogoutPath, "of carol") // ended before it began

	dump := dumpSQLite(t, db)
	for _, want := range []string{"alice", "refresh_tokens"} {
		if !strings.Contains(dump, want) || !strings.Contains(logs.String(), want) {
			t.Fatalf("the dump or the log lacks %q, so the search below proves nothing", want)
		}
	}
	for _, want := range []string{"[token]", "connection refused", "the Legacy callback refused it", "a spent refresh token came back"} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	everything := map[string]string{"database": dump, "log": logs.String(), "events": events.String()}
	for _, token := range secrets {
		forms := []string{token, url.QueryEscape(token), url.PathEscape(token), fmt.Sprintf("%q", token)}
		sha256Sum, sha1Sum, md5Sum := sha256.Sum256([]byte(token)), sha1.Sum([]byte(token)), md5.Sum([]byte(token))
		for _, sum := range [][]byte{sha256Sum[:8], sha1Sum[:8], md5Sum[:8]} { // enough to know a hash by, also in a UUID
			forms = append(forms, hex.EncodeToString(sum[:4]), string(sum), base64.RawURLEncoding.EncodeToString(sum[:6]))
		}
		for place, text := range everything {
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("%s, as %q, is in the %s", token, form, place)
				}
			}
		}
	}
	host.WantRefresh("unknown-7F_Q-2Vd4Hc5Gu9Ak", http.StatusUnauthorized)
}
