package conformance_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func onlyOne(c *refreshtokens.Config) { c.MaxSessions = 1 }

// TestLimitSparesTheLoginItself: the session that a login has just started stays, though another host's clock is ahead, or
// another session was used while the Claims callback took its time.
func TestLimitSparesTheLoginItself(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ahead, behind := testhost.New(t, db, onlyOne), testhost.New(t, db, onlyOne)
		behind.Clock.Advance(-10 * time.Second)
		old := ahead.Login("alice")
		behind.Clock.Advance(5 * time.Second)
		fresh := behind.Login("alice")
		behind.WantRefresh(fresh.Refresh.Token, http.StatusOK)
		behind.WantRefresh(old.Refresh.Token, http.StatusUnauthorized)

		var used string
		var host *testhost.Host
		host = testhost.New(t, db, onlyOne, func(c *refreshtokens.Config) {
			c.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
				if token := used; token != "" {
					used = ""
					host.Clock.Advance(2 * time.Second)
					host.MustRefresh(token)
				}
				return nil, nil
			}
		})
		first := host.Login("bob").Refresh.Token
		host.Clock.Advance(time.Hour)
		used = first
		host.WantRefresh(host.Login("bob").Refresh.Token, http.StatusOK)
	})
}

// TestLimitInATransaction: two transactions that lock the user's row leave no more than the limit, though the second has read
// before it locked.
func TestLimitInATransaction(t *testing.T) {
	type account struct {
		ID string `gorm:"primaryKey;size:36"`
	}
	for _, engine := range testdb.Engines()[1:] { // SQLite has one writer
		t.Run(engine.Name, func(t *testing.T) {
			db := testdb.Open(t, engine.Open(t), &gorm.Config{})
			if err := db.AutoMigrate(&account{}); err != nil {
				t.Fatal(err)
			}
			db.Create(&account{"alice"})
			host := testhost.New(t, db, onlyOne)
			lock := clause.Locking{Strength: "UPDATE"}
			first, second := db.Begin(), db.Begin()
			defer second.Rollback()
			var user account
			second.Where("id = ?", "alice").Take(&user) // the snapshot begins
			first.Clauses(lock).Where("id = ?", "alice").Take(&user)
			if _, err := host.WithDB(first).Issue(t.Context(), "alice", plugin.Device{}); err != nil {
				t.Fatal(err)
			}
			first.Commit()
			second.Clauses(lock).Where("id = ?", "alice").Take(&user)
			if _, err := host.WithDB(second).Issue(t.Context(), "alice", plugin.Device{}); err != nil {
				t.Fatal(err)
			}
			if err := second.Commit().Error; err != nil {
				t.Fatal(err)
			}
			if sessions, err := host.Sessions(t.Context(), "alice"); len(sessions) != 1 || err != nil {
				t.Errorf("%d sessions, %v", len(sessions), err)
			}
		})
	}
}

// TestLimitEnds: it comes to an end where an old snapshot goes on showing sessions that were ended.
func TestLimitEnds(t *testing.T) {
	db := testdb.Open(t, testdb.MySQL(t), &gorm.Config{})
	unlimited := testhost.New(t, db)
	for range 105 {
		unlimited.Login("alice")
	}
	host := testhost.New(t, db, onlyOne)
	tx := db.Begin()
	defer tx.Rollback()
	var n int64
	tx.Model(&models.RefreshToken{}).Count(&n) // the snapshot begins
	if err := unlimited.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := host.WithDB(tx).Issue(ctx, "alice", plugin.Device{}); err != nil {
		t.Error(err)
	}
}
