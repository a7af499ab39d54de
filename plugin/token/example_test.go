package token_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// A service that only verifies access tokens needs the secret and no database.
func ExampleNewVerifier() {
	verifier, err := token.NewVerifier(token.Config{Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		panic(err)
	}
	gin.SetMode(gin.TestMode)
	router := gin.New()
	router.GET("/reports", middleware.RequireAuth(verifier), func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) })

	recorder := httptest.NewRecorder()
	router.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/reports", http.NoBody))
	fmt.Println(recorder.Code)
	// Output: 401
}

// TestVerifierHasAClock, by which AuthenticatedWithin counts.
func TestVerifierHasAClock(t *testing.T) {
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}))
	verifier, err := token.NewVerifier(token.Config{Secret: []byte(testhost.Secret), Clock: host.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	host.Router.GET("/fresh", middleware.RequireAuth(verifier, middleware.AuthenticatedWithin(time.Minute)), func(c *gin.Context) { c.Status(http.StatusOK) })
	if got := host.Bearer(http.MethodGet, "/fresh", host.Login("alice").Access.Token).Code; got != http.StatusOK {
		t.Errorf("a login of this second answered %d", got)
	}
}

// TestVerifierAgreesWithTheIssuer: it accepts what a Plugin with the same settings issued, and nothing else.
func TestVerifierAgreesWithTheIssuer(t *testing.T) {
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), func(c *refreshtokens.Config) {
		c.Issuer, c.Audience = "https://issuer.example", "api"
	})
	tokens := host.Login("alice")
	right := token.Config{Secret: []byte(testhost.Secret), Issuer: "https://issuer.example", Audience: "api", Clock: host.Clock.Now}
	for _, row := range []struct {
		name    string
		token   string
		twist   func(*token.Config)
		accepts bool
	}{
		{name: "an access token", token: tokens.Access.Token, accepts: true},
		{name: "a refresh token", token: tokens.Refresh.Token},
		{name: "another secret", token: tokens.Access.Token, twist: func(c *token.Config) { c.Secret = []byte("another secret of the right length!") }},
		{name: "another issuer", token: tokens.Access.Token, twist: func(c *token.Config) { c.Issuer = "https://other.example" }},
		{name: "another audience", token: tokens.Access.Token, twist: func(c *token.Config) { c.Audience = "admin" }},
		{name: "later", token: tokens.Access.Token, twist: func(c *token.Config) {
			c.Clock = func() time.Time { return host.Clock.Now().Add(15 * time.Minute) }
		}},
		{name: "later, within the leeway", token: tokens.Access.Token, twist: func(c *token.Config) {
			c.Leeway = time.Minute
			c.Clock = func() time.Time { return host.Clock.Now().Add(15 * time.Minute) }
		}, accepts: true},
	} {
		config := right
		if row.twist != nil {
			row.twist(&config)
		}
		verifier, err := token.NewVerifier(config)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := verifier.VerifyAccess(row.token)
		if (err == nil) != row.accepts || row.accepts && claims.Subject != "alice" {
			t.Errorf("%s: %+v, %v", row.name, claims, err)
		}
	}
	if _, err := token.NewVerifier(token.Config{Secret: []byte("short")}); err == nil {
		t.Error("a short secret was accepted")
	}
}
