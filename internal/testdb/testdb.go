// Package testdb opens empty databases for tests: SQLite always, PostgreSQL and MariaDB where their DSN is set.
package testdb

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	puresqlite "github.com/glebarez/sqlite"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	"gorm.io/plugin/dbresolver"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// The variables that name the servers. CREATE rights are needed: every test gets a schema or database of its own.
const (
	PostgresDSN = "REFRESHTOKENS_POSTGRES_DSN"
	MySQLDSN    = "REFRESHTOKENS_MYSQL_DSN"
)

// Matrix is the variable that, set to anything, makes [Each] go through every engine and every setting of GORM's.
const Matrix = "REFRESHTOKENS_MATRIX"

// maxOpenConns keeps tests that run side by side below the servers' default limits.
const maxOpenConns = 10

// Engine opens a new, empty database; where its server isn't named, it skips the test.
type Engine struct {
	Name string
	Open func(t testing.TB) gorm.Dialector
}

// Engines are the three dialects as most hosts run them.
func Engines() []Engine {
	return []Engine{{"sqlite", SQLite}, {"postgres", Postgres}, {"mysql", MySQL}}
}

// moreEngines are what else a host may run.
func moreEngines() []Engine {
	isolation := func(level string) func(testing.TB) gorm.Dialector {
		return func(t testing.TB) gorm.Dialector {
			return openPostgres(t, map[string]string{"default_transaction_isolation": level})
		}
	}
	withParams := func(params string) func(testing.TB) gorm.Dialector {
		return func(t testing.TB) gorm.Dialector { return openMySQL(t, params) }
	}
	return []Engine{
		{"sqlite, default DSN", func(t testing.TB) gorm.Dialector { return sqlite.Open(newFile(t)) }},
		{"sqlite, no busy timeout", func(t testing.TB) gorm.Dialector {
			return sqlite.Open("file:" + newFile(t) + "?_journal_mode=WAL&_busy_timeout=0")
		}},
		{"pure-Go sqlite", func(t testing.TB) gorm.Dialector {
			return puresqlite.Open(newFile(t) + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
		}},
		{"pure-Go sqlite, default DSN", func(t testing.TB) gorm.Dialector { return puresqlite.Open(newFile(t)) }},
		{"postgres, repeatable read", isolation("repeatable read")},
		{"postgres, serializable", isolation("serializable")},
		{"mysql, clientFoundRows", withParams("clientFoundRows=true")},
		{"mysql, local time", withParams("loc=Local")},
		{"mysql, local time parsed", withParams("loc=Local&parseTime=true")},
		{"mysql, interpolated", withParams("interpolateParams=true")},
	}
}

// setting is a way to configure GORM.
type setting struct {
	name      string
	configure func(*gorm.Config)
	prepare   func(t *testing.T, db *gorm.DB, engine Engine)
}

// settings are every combination of the switches, and what stands for itself.
func settings() []setting {
	var all []setting
	for bits := range 8 {
		all = append(all, setting{
			name: fmt.Sprintf("PrepareStmt=%t,TranslateError=%t,SkipDefaultTransaction=%t", bits&1 != 0, bits&2 != 0, bits&4 != 0),
			configure: func(c *gorm.Config) {
				c.PrepareStmt, c.TranslateError, c.SkipDefaultTransaction = bits&1 != 0, bits&2 != 0, bits&4 != 0
			},
		})
	}
	return append(all,
		setting{name: "table prefix", configure: func(c *gorm.Config) {
			c.NamingStrategy = schema.NamingStrategy{TablePrefix: "auth_", SingularTable: true}
		}},
		setting{name: "lagging replica", prepare: withLaggingReplica})
}

// withLaggingReplica sends reads, by default, to a database that never sees a write.
func withLaggingReplica(t *testing.T, db *gorm.DB, engine Engine) {
	replica := engine.Open(t)
	Open(t, replica, &gorm.Config{})
	err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica}}).SetMaxOpenConns(maxOpenConns))
	if err != nil {
		t.Fatal(err)
	}
}

// EachBenchmark runs benchmark as a sub-benchmark on an empty, migrated database of every dialect.
func EachBenchmark(b *testing.B, benchmark func(b *testing.B, db *gorm.DB)) {
	b.Helper()
	for _, engine := range Engines() {
		b.Run(engine.Name, func(b *testing.B) { benchmark(b, Open(b, engine.Open(b), &gorm.Config{})) })
	}
}

// Each runs test as a subtest on an empty, migrated database of every dialect; with [Matrix] set, of every engine with
// every setting of GORM's. Each configure may change those too.
func Each(t *testing.T, test func(t *testing.T, db *gorm.DB), configure ...func(*gorm.Config)) {
	t.Helper()
	run := func(t *testing.T, engine Engine, s setting) {
		t.Helper()
		config := &gorm.Config{}
		if s.configure != nil {
			s.configure(config)
		}
		for _, c := range configure {
			c(config)
		}
		db := Open(t, engine.Open(t), config)
		if s.prepare != nil {
			s.prepare(t, db, engine)
		}
		test(t, db)
	}
	if os.Getenv(Matrix) == "" {
		for _, engine := range Engines() {
			t.Run(engine.Name, func(t *testing.T) { run(t, engine, setting{}) })
		}
		return
	}
	for _, engine := range append(Engines(), moreEngines()...) {
		for _, s := range settings() {
			t.Run(engine.Name+"/"+s.name, func(t *testing.T) { run(t, engine, s) })
		}
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

// SQLite is a new file with the settings that the example app uses.
func SQLite(t testing.TB) gorm.Dialector {
	return sqlite.Open("file:" + newFile(t) + "?_journal_mode=WAL&_busy_timeout=10000")
}

func newFile(t testing.TB) string {
	return filepath.Join(t.TempDir(), "test.db")
}

// Postgres is a new schema of the server that [PostgresDSN] names; without that the test is skipped.
func Postgres(t testing.TB) gorm.Dialector {
	return openPostgres(t, nil)
}

func openPostgres(t testing.TB, params map[string]string) gorm.Dialector {
	t.Helper()
	scoped := NewPostgres(t)
	maps.Copy(scoped.RuntimeParams, params)
	pool := stdlib.OpenDB(*scoped)
	t.Cleanup(func() { _ = pool.Close() })
	return postgres.New(postgres.Config{Conn: pool})
}

// NewPostgres makes a new schema, which the search path of the answer names.
func NewPostgres(t testing.TB) *pgx.ConnConfig {
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
	return scoped
}

// MySQL is a new database of the server that [MySQLDSN] names; without that the test is skipped.
func MySQL(t testing.TB) gorm.Dialector {
	return openMySQL(t, "")
}

func openMySQL(t testing.TB, params string) gorm.Dialector {
	t.Helper()
	scoped, err := mysqldriver.ParseDSN("/?" + params)
	if err != nil {
		t.Fatal(err)
	}
	config := NewMySQL(t)
	scoped.User, scoped.Passwd, scoped.Net, scoped.Addr = config.User, config.Passwd, config.Net, config.Addr
	scoped.DBName = config.DBName
	pool, err := sql.Open("mysql", scoped.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	// A pool that the test ends, also where it is dbresolver that has it.
	t.Cleanup(func() { _ = pool.Close() })
	return mysql.New(mysql.Config{Conn: pool})
}

// NewMySQL makes a new database, which the answer names.
func NewMySQL(t testing.TB) *mysqldriver.Config {
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
	return scoped
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
