package interop

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// program verifies a token with the key set at a URL, and prints its subject.
const program = `
import sys, jwt
url, token, algorithm = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token).key
claims = jwt.decode(token, key, algorithms=[algorithm], issuer="https://auth.example.com", audience="reports",
                    options={"require": ["exp", "iat", "sub"]})
assert claims["type"] == "access"
print(claims["sub"])
`

// TestPyJWT runs on a machine that has PyJWT and cryptography: Debian's python3-jwt and python3-cryptography.
func TestPyJWT(t *testing.T) {
	python := ""
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), candidate, "-c", "import jwt, cryptography; jwt.PyJWKClient").Run() == nil {
			python = candidate
			break
		}
	}
	if python == "" {
		t.Skip("no Python with PyJWT and cryptography: apt-get install python3-jwt python3-cryptography")
	}
	for _, algorithm := range testhost.Algorithms {
		host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), testhost.WithAccessKey(algorithm), testhost.RealTime,
			func(config *refreshtokens.Config) {
				config.Issuer, config.Audience = "https://auth.example.com", "reports"
			})
		host.RegisterJWKS(host.Router)
		server := httptest.NewServer(host.Router)
		defer server.Close()
		access := host.Login("alice").Access.Token
		verify := func(token string) (string, error) {
			output, err := exec.CommandContext(t.Context(), python, "-c", program, server.URL+refreshtokens.JWKSPath, token, algorithm).CombinedOutput()
			return strings.TrimSpace(string(output)), err
		}
		if subject, err := verify(access); err != nil || subject != "alice" {
			t.Errorf("%s: %s, %v", algorithm, subject, err)
		}
		if output, err := verify(access[:len(access)-8] + "AAAAAAAA"); err == nil || !strings.Contains(output, "Signature verification failed") {
			t.Errorf("%s: a changed signature: %s, %v", algorithm, output, err)
		}
	}
}
