package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// TestManyRefreshesAtOnce sends one token 50 times at once, with the example app's own database settings. No request may fail
// because the database is busy.
func TestManyRefreshesAtOnce(t *testing.T) {
	db, err := openDatabase(t.TempDir()+"/example.db", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := testdb.Migrate(t, db).AutoMigrate(&user{}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		grace time.Duration
		want  int
	}{"grace": {10 * time.Second, 50}, "no grace": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			settings := testSettings
			settings.GracePeriod = row.grace
			c := newClient(t, db, settings, slog.New(slog.DiscardHandler))
			email := strings.ReplaceAll(name, " ", "") + "@example.com"
			token := c.account(c.do("POST", "/v1/auth/register", "", `{"name":"A","email":"`+email+`","password":"correct horse 1"}`), 201).Tokens.Refresh.Token
			var mu sync.Mutex
			statuses, successors := map[int]int{}, map[string]bool{}
			var wait sync.WaitGroup
			for range 50 {
				wait.Go(func() {
					got := c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+token+`"}`)
					var tokens struct{ Refresh struct{ Token string } }
					_ = json.Unmarshal([]byte(got.body), &tokens)
					mu.Lock()
					defer mu.Unlock()
					statuses[got.status]++
					successors[tokens.Refresh.Token] = true
				})
			}
			wait.Wait()
			delete(successors, "")
			if statuses[200] != row.want || statuses[200]+statuses[401] != 50 || len(successors) != 1 {
				t.Errorf("statuses are %v, and there are %d successors", statuses, len(successors))
			}
		})
	}
}

func TestDatabaseURL(t *testing.T) {
	for _, row := range []struct{ url, dialect, says string }{
		{"example.db", "sqlite", ""},
		{"/tmp/example.db", "sqlite", ""},
		{"sqlite:example.db", "sqlite", ""},
		{"postgres://u:p@h:5432/d?sslmode=disable", "postgres", ""},
		{"mysql://u:p@h:3306/d", "mysql", ""},
		{"oracle://u:p@h/d", "", `scheme "oracle"`},
		{"sqlite::memory:", "", "in-memory"},
		{"host=h password=p", "", "is no URL"},
	} {
		dialector, err := dialectorOf(row.url)
		if row.says != "" {
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%s: %v", row.url, err)
			}
			continue
		}
		if err != nil || dialector.Name() != row.dialect {
			t.Errorf("%s: %v, %v", row.url, dialector, err)
		}
	}
	dsn, err := mysqlDSN("mysql://us%40er:p%3Aw@host/db?tls=true&loc=Local")
	if want := "us@er:p:w@tcp(host:3306)/db?loc=Local&tls=true"; err != nil || dsn != want {
		t.Errorf("DSN is %s, %v, want %s", dsn, err, want)
	}
	if _, err := mysqlDSN("mysql://u:secret%zz@h/db"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a broken URL: the error is %v", err)
	}
}
