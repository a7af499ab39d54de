package jwks_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// newIssuer is a host that publishes its keys.
func newIssuer(t testing.TB, algorithm string) *testhost.Host {
	t.Helper()
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), testhost.WithAccessKey(algorithm))
	host.RegisterJWKS(host.Router)
	return host
}
