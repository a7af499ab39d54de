package plugin_test

import (
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestTwoTables: two Plugins on one database, with a table each, know nothing of each other's sessions.
func TestTwoTables(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Table("admin_sessions").AutoMigrate(models.All()...); err != nil {
			t.Fatal(err)
		}
		public := testhost.New(t, db)
		admin := testhost.New(t, db, func(c *refreshtokens.Config) { c.Table = "admin_sessions" })
		publics, admins := public.Login("1"), admin.Login("1")

		sessions, err := admin.Sessions(t.Context(), "1")
		if err != nil || len(sessions) != 1 || sessions[0].ID != admin.SessionID(admins) {
			t.Errorf("the admin's sessions are %+v, %v", sessions, err)
		}
		admin.WantRefresh(publics.Refresh.Token, http.StatusUnauthorized)
		if err := admin.RevokeAll(t.Context(), "1"); err != nil {
			t.Error(err)
		}
		admin.WantRefresh(admins.Refresh.Token, http.StatusUnauthorized)
		public.WantRefresh(publics.Refresh.Token, http.StatusOK)

		for _, index := range []string{"idx_admin_sessions_subject", "idx_admin_sessions_created_at"} {
			if !db.Table("admin_sessions").Migrator().HasIndex(&models.RefreshToken{}, index) {
				t.Errorf("there is no index %s", index)
			}
		}
	})
}

// TestTableOfTheHosts: New leaves a refresh_tokens table of the host's alone and says what to do.
func TestTableOfTheHosts(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Migrator().DropTable("refresh_tokens"); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("CREATE TABLE refresh_tokens (id int, token varchar(100))").Error; err != nil {
			t.Fatal(err)
		}
		config := plugin.Config{DB: db, Secret: []byte(testhost.Secret)}
		if _, err := plugin.New(config); err == nil || !strings.Contains(err.Error(), "name ours with Config.Table") {
			t.Errorf("with the host's table: %v", err)
		}
		config.Table = "logins"
		if _, err := plugin.New(config); err == nil || !strings.Contains(err.Error(), `run db.Table("logins").AutoMigrate(models.All()...)`) {
			t.Errorf("with a table that is not there: %v", err)
		}
		if err := db.Table("logins").AutoMigrate(models.All()...); err != nil {
			t.Fatal(err)
		}
		if _, err := plugin.New(config); err != nil {
			t.Error(err)
		}
	})
}

// TestIssuersShareNothing: two Plugins with one secret and one table, but of another issuer or audience, refuse each
// other's refresh tokens, and leave the sessions alone.
func TestIssuersShareNothing(t *testing.T) {
	type names struct{ issuer, audience string }
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var hosts []*testhost.Host
		for _, n := range []names{{}, {"https://a.example", ""}, {"https://b.example", ""}, {"https://a.example", "admin"}, {"", "admin"}} {
			hosts = append(hosts, testhost.New(t, db, func(c *refreshtokens.Config) { c.Issuer, c.Audience = n.issuer, n.audience }))
		}
		for i, issuer := range hosts {
			token := issuer.Login("alice").Refresh.Token
			for j, other := range hosts {
				if i != j {
					other.WantRefresh(token, http.StatusUnauthorized)
					if code := other.PostToken("/v1/auth/logout", token).Code; code != http.StatusNotFound {
						t.Errorf("log-out of %d at %d answered %d", i, j, code)
					}
				}
			}
			issuer.WantRefresh(token, http.StatusOK)
		}
	})
}
