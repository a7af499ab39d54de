package chaos_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

const chaos = "REFRESHTOKENS_CHAOS"

// TestKilledApp kills the app under load, again and again: no device whose last answer was 200, or who got none, is
// locked out, and no session survives its log-out.
func TestKilledApp(t *testing.T) {
	needEnv(t, chaos)
	for name, open := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "app.db") },
		"postgres": func(t *testing.T) string { return postgresURL(testdb.NewPostgres(t)) },
		"mysql":    func(t *testing.T) string { return mysqlURL(testdb.NewMySQL(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			app := newApp(t, open(t))
			fleet := newFleet(t, 8, app.base())
			fleet.run(true, func() {
				for range 8 {
					time.Sleep(500 * time.Millisecond)
					app.kill()
					app.start()
				}
			})
			fleet.settle()
		})
	}
}

// TestKilledConnections ends the app's database connections from the server's side, under load.
func TestKilledConnections(t *testing.T) {
	needEnv(t, chaos)
	t.Run("postgres", func(t *testing.T) {
		config := testdb.NewPostgres(t)
		admin := stdlib.OpenDB(*config)
		config = config.Copy()
		config.RuntimeParams["application_name"] = config.RuntimeParams["search_path"]
		killConnections(t, postgresURL(config), admin, func(admin *sql.DB) (killed int, err error) {
			err = admin.QueryRow("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1",
				config.RuntimeParams["application_name"]).Scan(&killed)
			return killed, err
		})
	})
	t.Run("mysql", func(t *testing.T) {
		config := testdb.NewMySQL(t)
		admin, err := sql.Open("mysql", config.FormatDSN())
		if err != nil {
			t.Fatal(err)
		}
		admin.SetMaxOpenConns(1)
		killConnections(t, mysqlURL(config), admin, func(admin *sql.DB) (killed int, err error) {
			rows, err := admin.Query("SELECT id FROM information_schema.processlist WHERE db = ? AND id <> connection_id()", config.DBName)
			if err != nil {
				return 0, err
			}
			defer func() { _ = rows.Close() }()
			var ids []int64
			for rows.Next() {
				var id int64
				if err := rows.Scan(&id); err != nil {
					return 0, err
				}
				ids = append(ids, id)
			}
			for _, id := range ids {
				_, _ = admin.Exec(fmt.Sprintf("KILL %d", id)) // it may have ended by itself
			}
			return len(ids), rows.Err()
		})
	})
}

func killConnections(t *testing.T, databaseURL string, admin *sql.DB, kill func(*sql.DB) (int, error)) {
	t.Helper()
	t.Cleanup(func() { _ = admin.Close() })
	app := newApp(t, databaseURL)
	fleet := newFleet(t, 8, app.base())
	total := 0
	fleet.run(true, func() {
		for range 30 {
			time.Sleep(100 * time.Millisecond)
			killed, err := kill(admin)
			if err != nil {
				t.Error(err)
			}
			total += killed
		}
	})
	if total == 0 {
		t.Error("no connection was killed")
	}
	fleet.settle()
}
