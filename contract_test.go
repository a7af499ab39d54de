package refreshtokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func TestContractRefresh(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		first := host.Login("5ebac534954b54139806c112")
		host.Clock.Advance(time.Minute)

		recorder := host.PostToken(testhost.RefreshPath, first.Refresh.Token)

		testhost.WantAnswer(t, recorder, http.StatusOK, "")
		testhost.WantGroupHeaders(t, recorder)
		shape := regexp.MustCompile(`^\{"access":\{"token":"[\w.-]+","expires":"2026-01-02T03:20:05\.000Z"\},` +
			`"refresh":\{"token":"[\w.-]+","expires":"2026-01-09T03:05:05\.000Z"\}\}$`)
		if !shape.MatchString(recorder.Body.String()) {
			t.Errorf("body is %s", recorder.Body)
		}
		var tokens plugin.Tokens
		if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil {
			t.Fatal(err)
		}
		for _, token := range []plugin.Token{tokens.Access, tokens.Refresh} {
			if header, _, _ := strings.Cut(token.Token, "."); header != testhost.Header {
				t.Errorf("header is %s", header)
			}
			claims := host.Claims(token.Token)
			if exp, _ := claims["exp"].(json.Number).Int64(); exp != token.Expires.Unix() {
				t.Errorf("exp is %d, expires is %v", exp, token.Expires)
			}
			if claims["sub"] != "5ebac534954b54139806c112" {
				t.Errorf("sub is %v", claims["sub"])
			}
		}
	})
}

func TestAnyJWTLibraryVerifiesAccessTokens(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	tokens := host.Login("alice")
	key := func(*jwt.Token) (any, error) { return []byte(testhost.Secret), nil }
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(host.Clock.Now)}

	if _, err := jwt.Parse(tokens.Access.Token, key, options...); err != nil {
		t.Error(err)
	}
	if _, err := jwt.Parse(tokens.Refresh.Token, key, options...); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Errorf("the secret itself verifies a refresh token: %v", err)
	}
}

// TestReferenceSample presents the sample token of the API's reference: it verifies under its own key, and is nobody's
// here.
func TestReferenceSample(t *testing.T) {
	const sample = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI1ZWJhYzUzNDk1NGI1NDEzOTgwNmMxMTIiLCJpYXQiOjE1ODkyOTg0ODQsImV4cCI6MTU4OTMwMDI4NH0.m1U63blB0MLej_WfB7yC2FTMnCziif9X8yzwDEfJXAg"
	const secret = "thisisasamplesecret"
	if sample != testhost.Sign(testhost.Header, `{"sub":"5ebac534954b54139806c112","iat":1589298484,"exp":1589300284}`, []byte(secret)) {
		t.Error("the sample does not verify")
	}
	db := openSQLite(t)
	testhost.WantAnswer(t, testhost.New(t, db).PostToken(testhost.RefreshPath, sample), http.StatusUnauthorized, testhost.UnauthorizedBody)

	_, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: []byte(secret)})
	if err == nil || !strings.Contains(err.Error(), "Secret has 19 bytes") || strings.Contains(err.Error(), secret) {
		t.Errorf("a 19-byte secret: %v", err)
	}
}

func TestContractLogout(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		first := host.Login("alice")
		second := host.MustRefresh(first.Refresh.Token)
		other := host.Login("alice")

		for _, bad := range []string{"x", first.Access.Token} {
			recorder := host.PostToken(testhost.LogoutPath, bad)
			testhost.WantAnswer(t, recorder, http.StatusNotFound, testhost.NotFoundBody)
			testhost.WantGroupHeaders(t, recorder)
		}
		// A spent token of the login is as good as the live one for ending it.
		recorder := host.PostToken(testhost.LogoutPath, first.Refresh.Token)
		testhost.WantAnswer(t, recorder, http.StatusNoContent, "")
		testhost.WantGroupHeaders(t, recorder)
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, second.Refresh.Token), http.StatusNotFound, testhost.NotFoundBody)
		testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, second.Refresh.Token), http.StatusUnauthorized, testhost.UnauthorizedBody)
		host.WantRefresh(other.Refresh.Token, http.StatusOK)

		host.Clock.Advance(8 * 24 * time.Hour)
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, other.Refresh.Token), http.StatusNotFound, testhost.NotFoundBody)
	})
}

func TestContractList(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		phone := host.Login("alice")
		host.Clock.Advance(time.Second)
		laptop := host.Login("alice")
		host.Login("Alice") // another subject, on every dialect
		host.Login("alice ")
		ended := host.Login("alice")
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, ended.Refresh.Token), http.StatusNoContent, "")
		host.Clock.Advance(time.Second)
		phone = host.MustRefresh(phone.Refresh.Token)

		recorder := host.Bearer(http.MethodGet, testhost.RefreshPath, laptop.Access.Token)

		phoneID, laptopID := host.SessionID(phone), host.SessionID(laptop)
		testhost.WantAnswer(t, recorder, http.StatusOK, `{"sessions":[`+
			`{"id":"`+phoneID+`","name":"","createdAt":"2026-01-02T03:04:05.000Z","lastUsedAt":"2026-01-02T03:04:07.000Z","expiresAt":"2026-01-09T03:04:07.000Z","userAgent":"","ip":"192.0.2.1","bound":false,"current":false},`+
			`{"id":"`+laptopID+`","name":"","createdAt":"2026-01-02T03:04:06.000Z","lastUsedAt":"2026-01-02T03:04:06.000Z","expiresAt":"2026-01-09T03:04:06.000Z","userAgent":"test/1.0","ip":"192.0.2.1","bound":false,"current":true}]}`)
		testhost.WantGroupHeaders(t, recorder)
	})
}

func TestContractDelete(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		mine, second, third := host.Login("alice"), host.Login("alice"), host.Login("alice")
		bobs := host.Login("bob")

		for _, id := range []string{host.SessionID(bobs), "0190a5a0-0000-7000-8000-000000000000", "x", strings.ToUpper(host.SessionID(second)), "1 OR 1=1"} {
			path := (testhost.RefreshPath + "/" + strings.ReplaceAll(id, " ", "%20"))
			recorder := host.Bearer(http.MethodDelete, path, mine.Access.Token)
			testhost.WantAnswer(t, recorder, http.StatusNotFound, testhost.NotFoundBody)
			testhost.WantGroupHeaders(t, recorder)
		}
		recorder := host.Bearer(http.MethodDelete, testhost.RefreshPath+"/", mine.Access.Token) // "…/${id}" without an id
		testhost.WantAnswer(t, recorder, http.StatusNotFound, testhost.NotFoundBody)
		path := testhost.RefreshPath + "/" + host.SessionID(second)
		testhost.WantAnswer(t, host.Bearer(http.MethodDelete, path, mine.Access.Token), http.StatusNoContent, "")
		testhost.WantAnswer(t, host.Bearer(http.MethodDelete, path, mine.Access.Token), http.StatusNotFound, testhost.NotFoundBody)
		host.WantRefresh(second.Refresh.Token, http.StatusUnauthorized)

		for _, query := range []string{"?except=others", "?except=", "?except=current&except=all", "?except=current%zz", "?except=current;", "?Except=current", "?keep=current"} {
			recorder := host.Bearer(http.MethodDelete, testhost.RefreshPath+query, mine.Access.Token)
			testhost.WantAnswer(t, recorder, http.StatusBadRequest, `{"code":400,"message":"The query can only be \"except=current\""}`)
		}
		testhost.WantAnswer(t, host.Bearer(http.MethodDelete, testhost.RefreshPath+"?except=current", mine.Access.Token), http.StatusNoContent, "")
		host.WantRefresh(third.Refresh.Token, http.StatusUnauthorized)
		mine = host.MustRefresh(mine.Refresh.Token)

		testhost.WantAnswer(t, host.Bearer(http.MethodDelete, testhost.RefreshPath, mine.Access.Token), http.StatusNoContent, "")
		host.WantRefresh(mine.Refresh.Token, http.StatusUnauthorized)
		host.WantRefresh(bobs.Refresh.Token, http.StatusOK)
	})
}

// TestBearerRoutesNeedALiveSession: an access token that outlives its log-out manages no logins.
func TestBearerRoutesNeedALiveSession(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tokens, other := host.Login("alice"), host.Login("alice")
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, tokens.Refresh.Token), http.StatusNoContent, "")

		for _, route := range []struct{ method, path string }{
			{http.MethodGet, testhost.RefreshPath},
			{http.MethodDelete, testhost.RefreshPath},
			{http.MethodDelete, testhost.RefreshPath + "?except=current"},
			{http.MethodDelete, testhost.RefreshPath + "/" + host.SessionID(other)},
		} {
			recorder := host.Bearer(route.method, route.path, tokens.Access.Token)
			testhost.WantUnauthorized(t, recorder, testhost.InvalidToken)
			testhost.WantGroupHeaders(t, recorder)
			recorder = host.Do(route.method, route.path, nil)
			testhost.WantUnauthorized(t, recorder, "Bearer")
			testhost.WantGroupHeaders(t, recorder)
		}
		host.WantRefresh(other.Refresh.Token, http.StatusOK)
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, tokens.Access.Token), http.StatusOK, "alice") // stateless, as documented
	})
}

func TestForbidden(t *testing.T) {
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			return map[string]any{"role": "user"}, nil
		}
	})
	role := func(want string) middleware.Option {
		return middleware.Allow(func(claims refreshtokens.Claims) bool {
			var custom struct{ Role string }
			return claims.Decode(&custom) == nil && custom.Role == want
		})
	}
	host.Router.GET("/admin", host.RequireAuth(role("admin")))
	host.Router.GET("/user", host.RequireAuth(role("user")))
	tokens := host.Login("alice")

	testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/admin", tokens.Access.Token), http.StatusForbidden, `{"code":403,"message":"Forbidden"}`)
	testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/user", tokens.Access.Token), http.StatusOK, "")
	testhost.WantUnauthorized(t, host.Do(http.MethodGet, "/admin", nil), "Bearer")
}

func TestSessionEndsAtItsAbsoluteLimit(t *testing.T) {
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.RefreshTTL, config.SessionTTL = 10*time.Hour, 24*time.Hour
	})
	tokens := host.Login("alice")
	for range 2 {
		host.Clock.Advance(9 * time.Hour)
		tokens = host.MustRefresh(tokens.Refresh.Token)
	}
	host.Clock.Advance(6*time.Hour - 5*time.Minute)
	tokens = host.MustRefresh(tokens.Refresh.Token)
	if want := "2026-01-03T03:04:05Z"; tokens.Refresh.Expires.Format(time.RFC3339) != want || tokens.Access.Expires.Format(time.RFC3339) != want {
		t.Errorf("the tokens end at %v and %v, want the session's end %s", tokens.Refresh.Expires, tokens.Access.Expires, want)
	}
	host.Clock.Advance(5 * time.Minute)
	host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)

	// Shortening the setting takes effect at once, for tokens that were minted before.
	tokens = host.Login("alice")
	host.Clock.Advance(2 * time.Hour)
	shorter := testhost.New(t, host.DB, func(config *refreshtokens.Config) {
		config.Clock, config.SessionTTL = host.Clock.Now, time.Hour
	})
	shorter.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
	host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
}

// --- helpers ---

func openSQLite(t *testing.T) *gorm.DB {
	return testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
}
