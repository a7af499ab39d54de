package shards_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestUpgrade adds a column as a new version of the module would: to the shards first, and then to the fronts. Sessions live on.
func TestUpgrade(t *testing.T) {
	each(t, pairs, func(t *testing.T, table *table) {
		host := table.hosts[0]
		tokens := host.Login("alice")
		for _, db := range append(table.parts, table.hosts[0].DB, table.hosts[1].DB) {
			if err := db.Migrator().DropColumn(&models.RefreshToken{}, "data"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := refreshtokens.New(refreshtokens.Config{DB: host.DB, Secret: []byte(testhost.Secret)})
		if err == nil || !strings.Contains(err.Error(), `no column "data"`) {
			t.Errorf("New said %v", err)
		}

		for _, db := range append(table.parts, table.hosts[0].DB, table.hosts[1].DB) {
			testdb.Migrate(t, db)
		}
		for _, upgraded := range table.hosts {
			testhost.New(t, upgraded.DB).Login("bob")
		}
		host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
		if rows := table.rows(t); total(rows) != 3 {
			t.Errorf("the shards have %v rows", rows)
		}
	})
}
