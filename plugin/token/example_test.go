package token_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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

// A service that only verifies access tokens needs the issuer's public key, and neither a secret nor a database. Package jwks gets
// the keys from the issuer's URL.
func ExampleNewVerifier() {
	const issuers = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`
	block, _ := pem.Decode([]byte(issuers))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	verifier, err := token.NewVerifier(token.Config{Keys: []crypto.PublicKey{key}})
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
}

// TestConfigsThatAreRefused: each with what to do about it.
func TestConfigsThatAreRefused(t *testing.T) {
	secret, key := []byte(testhost.Secret), testhost.AccessKey("EdDSA")
	for _, row := range []struct {
		name   string
		config token.Config
		says   string
	}{
		{"nothing", token.Config{}, "set Keys, KeySource or Secret"},
		{"a short secret", token.Config{Secret: []byte("short")}, "Secret has 5 bytes and needs 32"},
		{"a secret of one byte", token.Config{Secret: make([]byte, 32)}, "Secret is one byte, repeated"},
		{"a short previous secret", token.Config{Secret: secret, PreviousSecrets: [][]byte{secret[:31]}}, "PreviousSecrets[0] has 31 bytes"},
		{"previous secrets alone", token.Config{PreviousSecrets: [][]byte{secret}}, "PreviousSecrets are set and Secret is not"},
		{"nine previous secrets", token.Config{Secret: secret, PreviousSecrets: make([][]byte, 9)}, "too many keys"},
		{"a private key", token.Config{Keys: []crypto.PublicKey{key}}, "Keys[0] is a private key"},
		{"a nil key", token.Config{Keys: []crypto.PublicKey{key.Public(), nil}}, "Keys[1] is nil"},
		{"17 keys", token.Config{Keys: make([]crypto.PublicKey, 17)}, "too many keys"},
	} {
		if _, err := token.NewVerifier(row.config); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestVerifierTakesWhatItWasGiven: a secret, previous ones, and keys of each kind, and nothing else.
func TestVerifierTakesWhatItWasGiven(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	tokens := map[string]string{}
	for _, algorithm := range append([]string{"HS256"}, testhost.Algorithms...) {
		tokens[algorithm] = testhost.New(t, db, testhost.WithAccessKey(algorithm)).Login("alice").Access.Token
	}
	secret, another := []byte(testhost.Secret), []byte(testhost.NewSecret)
	public := func(algorithms ...string) (keys []crypto.PublicKey) {
		for _, algorithm := range algorithms {
			keys = append(keys, testhost.AccessKey(algorithm).Public())
		}
		return keys
	}
	clock := testhost.New(t, db).Clock
	for _, row := range []struct {
		config  token.Config
		accepts []string
	}{
		{token.Config{Secret: secret}, []string{"HS256"}},
		{token.Config{Secret: another}, nil},
		{token.Config{Secret: another, PreviousSecrets: [][]byte{secret}}, []string{"HS256"}},
		{token.Config{Keys: public("EdDSA")}, []string{"EdDSA"}},
		{token.Config{Keys: public(testhost.Algorithms...)}, testhost.Algorithms},
		{token.Config{Secret: secret, Keys: public("RS256")}, []string{"HS256", "RS256"}},
		{token.Config{KeySource: sourceOf(t, testhost.AccessKey("ES256")), Keys: public("EdDSA")}, []string{"EdDSA", "ES256"}},
		{token.Config{KeySource: sourceOf(t)}, nil},
	} {
		row.config.Clock = clock.Now
		verifier := newVerifier(t, row.config)
		for range 2 {
			for algorithm, access := range tokens {
				_, err := verifier.VerifyAccess(access)
				if accepts := slices.Contains(row.accepts, algorithm); (err == nil) != accepts || !accepts && !errors.Is(err, token.ErrInvalid) {
					t.Errorf("%+v, %s: %v", row.accepts, algorithm, err)
				}
			}
		}
	}
}
