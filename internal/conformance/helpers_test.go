package conformance_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

func openSQLite(t testing.TB) *gorm.DB {
	t.Helper()
	return testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
}
