// Package testdb opens empty databases for tests: SQLite always, PostgreSQL and MariaDB where their DSN is set.
package testdb

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// The variables that name the servers. CREATE rights are needed: every test gets a schema or database of its own.
const (
	PostgresDSN = "REFRESHTOKENS_POSTGRES_DSN"
	MySQLDSN    = "REFRESHTOKENS_MYSQL_DSN"
)

// maxOpenConns keeps tests that run side by side below the servers' default limits.
const maxOpenConns = 16

// Each runs test as a subtest on an empty, migrated database of every dialect. Each configure may change GORM's settings.
func Each(t *testing.T, test func(t *testing.T, db *gorm.DB), configure ...func(*gorm.Config)) {
	t.Helper()
	for _, dialect := range []struct {
		name string
		open func(testing.TB) gorm.Dialector
	}{{"sqlite", SQLite}, {"postgres", Postgres}, {"mysql", MySQL}} {
		t.Run(dialect.name, func(t *testing.T) {
			config := &gorm.Config{}
			for _, c := range configure {
				c(config)
			}
			test(t, Open(t, dialect.open(t), config))
		})
	}
}

// Open opens and migrates. It is silent unless config brings a logger.
func Open(t testing.TB, dialector gorm.Dialector, config *gorm.Config) *gorm.DB {
	t.Helper()
	if config.Logger == nil {
		config.Logger = logger.Discard
	}
	db, err := gorm.Open(dialector, config)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(maxOpenConns)
	pool.SetMaxIdleConns(maxOpenConns)
	t.Cleanup(func() { _ = pool.Close() })
	return Migrate(t, db)
}

// Migrate does what a host does before it calls refreshtokens.New.
func Migrate(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	return db
}

// SQLite is a new file with the settings that the README recommends.
func SQLite(t testing.TB) gorm.Dialector {
	return sqlite.Open("file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000")
}

// Postgres is a new schema of the server that [PostgresDSN] names; without that the test is skipped.
func Postgres(t testing.TB) gorm.Dialector {
	t.Helper()
	config, err := pgx.ParseConfig(needDSN(t, PostgresDSN))
	if err != nil {
		t.Fatal(err)
	}
	name := newName()
	admin := stdlib.OpenDB(*config)
	execute(t, admin, "CREATE SCHEMA "+name)
	t.Cleanup(func() {
		execute(t, admin, "DROP SCHEMA "+name+" CASCADE")
		_ = admin.Close()
	})
	scoped := config.Copy()
	scoped.RuntimeParams["search_path"] = name
	return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*scoped)})
}

// MySQL is a new database of the server that [MySQLDSN] names; without that the test is skipped.
func MySQL(t testing.TB) gorm.Dialector {
	t.Helper()
	config, err := mysqldriver.ParseDSN(needDSN(t, MySQLDSN))
	if err != nil {
		t.Fatal(err)
	}
	name := newName()
	admin, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	execute(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		execute(t, admin, "DROP DATABASE "+name)
		_ = admin.Close()
	})
	scoped := config.Clone()
	scoped.DBName = name
	return mysql.Open(scoped.FormatDSN())
}

func needDSN(t testing.TB, variable string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	if dsn == "" {
		t.Skipf("%s is not set", variable)
	}
	return dsn
}

func newName() string {
	return fmt.Sprintf("rt_%x", [16]byte(uuid.New()))
}

func execute(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
