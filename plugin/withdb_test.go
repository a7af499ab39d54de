package plugin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestWithDBStaysOnItsConnection: a table that only the host's connection can see gets the session. The pool has no other
// connection, so leaving this one would wait for ever.
func TestWithDBStaysOnItsConnection(t *testing.T) {
	for _, prepare := range []bool{false, true} {
		t.Run(fmt.Sprintf("PrepareStmt=%t", prepare), func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				host := testhost.New(t, db)
				pool, err := db.DB()
				if err != nil {
					t.Fatal(err)
				}
				schema, err := models.Schema(db.Name(), "")
				if err != nil {
					t.Fatal(err)
				}
				table, _, _ := strings.Cut(strings.Replace(schema, "CREATE TABLE", "CREATE TEMPORARY TABLE", 1), ";")
				pool.SetMaxOpenConns(1)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err = db.Connection(func(tx *gorm.DB) error {
					if err := tx.Exec(table).Error; err != nil {
						return err
					}
					service := host.WithDB(tx)
					tokens, err := service.Issue(ctx, "alice", plugin.Device{})
					if err != nil {
						return err
					}
					if _, err := service.Refresh(ctx, tokens.Refresh.Token, plugin.Device{}); err != nil {
						return err
					}
					var rows []models.RefreshToken
					if err := tx.Raw("SELECT * FROM refresh_tokens").Scan(&rows).Error; err != nil {
						return err
					}
					if len(rows) != 1 || rows[0].Generation != 2 {
						t.Errorf("on the connection: %+v", rows)
					}
					return tx.Exec("DROP TABLE refresh_tokens").Error
				})
				if err != nil {
					t.Error(err)
				}
				if rows := host.Rows(); len(rows) != 0 {
					t.Errorf("in the pool's table: %+v", rows)
				}
			}, func(c *gorm.Config) { c.PrepareStmt = prepare })
		})
	}
}

// TestPendingConditions: a *gorm.DB in the middle of a chain leaks none of its conditions into our statements.
func TestPendingConditions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		pending := db.Where("1 = 0").Limit(0).Order("nonsense")
		for name, service := range map[string]func() *plugin.Service{
			"Config": func() *plugin.Service {
				return testhost.New(t, db, func(c *plugin.Config) { c.DB = pending }).Service()
			},
			"WithDB": func() *plugin.Service { return testhost.New(t, db).WithDB(pending) },
		} {
			t.Run(name, func(t *testing.T) {
				s, ctx := service(), t.Context()
				first, err := s.Issue(ctx, name, plugin.Device{})
				if err != nil {
					t.Fatal(err)
				}
				second, err := s.Refresh(ctx, first.Refresh.Token, plugin.Device{})
				if err != nil {
					t.Fatal(err)
				}
				sessions, err := s.Sessions(ctx, name)
				if err != nil || len(sessions) != 1 {
					t.Fatalf("sessions are %+v, %v", sessions, err)
				}
				if _, err := s.Session(ctx, name, sessions[0].ID); err != nil {
					t.Error(err)
				}
				if err := s.RevokeAll(ctx, name); err != nil {
					t.Error(err)
				}
				testhost.New(t, db).WantRefresh(second.Refresh.Token, http.StatusUnauthorized)
			})
		}
	})
}

// TestPurgeKeepsTheStatementCacheSmall: lists of every length make few texts, each of which the host's GORM would keep.
func TestPurgeKeepsTheStatementCacheSmall(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{PrepareStmt: true})
	host := testhost.New(t, db, testhost.RealTime)
	for n := 1; n <= 60; n++ {
		bury(t, db, n)
		if purged, err := host.Purge(t.Context()); purged != int64(n) || err != nil {
			t.Fatalf("purged %d of %d, %v", purged, n, err)
		}
	}
	ours := 0
	for _, text := range db.Statement.ConnPool.(*gorm.PreparedStmtDB).Stmts.Keys() {
		if len(text) > 6 && (text[:6] == "DELETE" || text[:6] == "SELECT") {
			ours++
		}
	}
	if ours > 12 {
		t.Errorf("%d statements are in the cache", ours)
	}
}
