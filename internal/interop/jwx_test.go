package interop

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestJWX: lestrrat-go/jwx fetches the key set and verifies tokens with it, and refuses what was changed.
func TestJWX(t *testing.T) {
	for _, algorithm := range testhost.Algorithms {
		for _, clientID := range []string{"", "the app"} {
			host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), testhost.WithAccessKey(algorithm), testhost.RealTime,
				func(config *refreshtokens.Config) {
					config.Issuer, config.Audience, config.ClientID = "https://auth.example.com", "reports", clientID
				})
			host.RegisterJWKS(host.Router)
			server := httptest.NewServer(host.Router)
			defer server.Close()
			set, err := jwk.Fetch(t.Context(), server.URL+refreshtokens.JWKSPath)
			if err != nil {
				t.Fatal(err)
			}
			access := host.Login("alice").Access.Token
			parse := func(token string) (jwt.Token, error) {
				return jwt.ParseString(token, jwt.WithKeySet(set), jwt.WithIssuer("https://auth.example.com"), jwt.WithAudience("reports"))
			}
			token, err := parse(access)
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			subject, _ := token.Subject()
			expires, _ := token.Expiration()
			if lasts := time.Until(expires); subject != "alice" || lasts < 14*time.Minute || lasts > 15*time.Minute {
				t.Errorf("%s: %s, for %v", algorithm, subject, lasts)
			}
			var id string
			if clientID != "" && (token.Get("client_id", &id) != nil || id != clientID) {
				t.Errorf("%s: client_id is %q", algorithm, id)
			}
			message, err := jws.ParseString(access)
			if err != nil {
				t.Fatal(err)
			}
			typ, _ := message.Signatures()[0].ProtectedHeaders().Type()
			if want := map[bool]string{true: "JWT", false: "at+jwt"}[clientID == ""]; typ != want {
				t.Errorf("%s: typ is %q, want %q", algorithm, typ, want)
			}
			for name, changed := range map[string]string{
				"payload":   strings.Replace(access, ".", ".A", 1),
				"signature": access[:len(access)-8] + "AAAAAAAA",
				"refresh":   host.Login("alice").Refresh.Token,
			} {
				if _, err := parse(changed); err == nil {
					t.Errorf("%s: %s: accepted", algorithm, name)
				}
			}
		}
	}
}
