// Package testdb opens empty databases for tests: always SQLite, and also PostgreSQL and MariaDB if their DSNs are set.
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

// The environment variables with the servers' DSNs. The users in them need the right to create schemas or databases,
// because every test gets one of its own.
const (
	PostgresDSN = "REFRESHTOKENS_POSTGRES_DSN"
	MySQLDSN    = "REFRESHTOKENS_MYSQL_DSN"

	// postgres18DSN names a second PostgreSQL server, for the matrix only. .ci/postgres18 starts one.
	postgres18DSN = "REFRESHTOKENS_POSTGRES18_DSN"
)

// Matrix is an environment variable. If it is set, [Each] goes through every engine with GORM's switches all off and all on, and through
// each dialect with every GORM setting. If it is "all", it goes through every engine with every GORM setting.
const Matrix = "REFRESHTOKENS_MATRIX"

// maxOpenConns keeps parallel tests below the servers' default connection limits.
const maxOpenConns = 10

// Engine is a way to run a database. Open makes a new, empty one, or skips the test if the server's DSN is not set.
type Engine struct {
	Name string
	Open func(t testing.TB) gorm.Dialector
}

// Engines returns the three dialects with the settings that most hosts use. If [Sharded] is set, it returns those servers.
func Engines() []Engine {
	if engines, set := sharded(); set {
		return engines
	}
	return []Engine{{"sqlite", SQLite}, {"postgres", Postgres}, {"mysql", MySQL}}
}

// moreEngines returns other drivers and settings that a host may use.
func moreEngines() []Engine {
	isolation := func(variable, level string) func(testing.TB) gorm.Dialector {
		return func(t testing.TB) gorm.Dialector {
			return openPostgres(t, variable, map[string]string{"default_transaction_isolation": level})
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
		{"postgres, repeatable read", isolation(PostgresDSN, "repeatable read")},
		{"postgres, serializable", isolation(PostgresDSN, "serializable")},
		{"postgres 18", isolation(postgres18DSN, "read committed")},
		{"postgres 18, serializable", isolation(postgres18DSN, "serializable")},
		{"mysql, clientFoundRows", withParams("clientFoundRows=true")},
		{"mysql, local time", withParams("loc=Local")},
		{"mysql, local time parsed", withParams("loc=Local&parseTime=true")},
		{"mysql, interpolated", withParams("interpolateParams=true")},
	}
}

// setting is a way to configure GORM.
type setting struct {
	name      string
	extreme   bool // no switch is on, or each
	configure func(*gorm.Config)
	prepare   func(t *testing.T, db *gorm.DB, engine Engine)
}

// settings returns every combination of GORM's three switches, a table prefix, and a replica.
func settings() []setting {
	var all []setting
	for bits := range 8 {
		all = append(all, setting{
			name:    fmt.Sprintf("PrepareStmt=%t,TranslateError=%t,SkipDefaultTransaction=%t", bits&1 != 0, bits&2 != 0, bits&4 != 0),
			extreme: bits == 0 || bits == 7,
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

// withLaggingReplica makes dbresolver send reads to a second database, which stays empty. A statement must ask for the
// primary to see any row.
func withLaggingReplica(t *testing.T, db *gorm.DB, engine Engine) {
	replica := engine.Open(t)
	Open(t, replica, &gorm.Config{})
	err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica}}).SetMaxOpenConns(maxOpenConns))
	if err != nil {
		t.Fatal(err)
	}
}

// EachBenchmark runs benchmark as a sub-benchmark on an empty, migrated database of each of the [Engines].
func EachBenchmark(b *testing.B, benchmark func(b *testing.B, db *gorm.DB)) {
	b.Helper()
	for _, engine := range Engines() {
		b.Run(engine.Name, func(b *testing.B) { benchmark(b, Open(b, engine.Open(b), &gorm.Config{})) })
	}
}

// Each runs test as a subtest on an empty, migrated database of each of the [Engines]. If [Matrix] is set, it does so on
// more engines, with more GORM settings. Each configure may change GORM's settings further.
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
	for i, engine := range append(Engines(), moreEngines()...) {
		for _, s := range settings() {
			if isDialect := i < len(Engines()); !isDialect && !s.extreme && os.Getenv(Matrix) != "all" {
				continue
			}
			t.Run(engine.Name+"/"+s.name, func(t *testing.T) { run(t, engine, s) })
		}
	}
}

// EachDialect runs test as a subtest on an empty, migrated database of every dialect, also with [Matrix] set. It is for tests
// that take long, or that name the table, and in which GORM's settings make no difference.
func EachDialect(t *testing.T, test func(t *testing.T, db *gorm.DB), configure ...func(*gorm.Config)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			config := &gorm.Config{}
			for _, c := range configure {
				c(config)
			}
			test(t, Open(t, engine.Open(t), config))
		})
	}
}

// Open opens a database and migrates it. It logs nothing unless config has a logger.
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

// Migrate creates the tables, as a host does before it calls refreshtokens.New.
func Migrate(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	return db
}

// SQLite returns a new database file in WAL mode, with a busy timeout.
func SQLite(t testing.TB) gorm.Dialector {
	return sqlite.Open("file:" + newFile(t) + "?_journal_mode=WAL&_busy_timeout=10000")
}

func newFile(t testing.TB) string {
	return filepath.Join(t.TempDir(), "test.db")
}

// Postgres creates a schema on the server of [PostgresDSN]. It skips the test if that is not set.
func Postgres(t testing.TB) gorm.Dialector {
	return openPostgres(t, PostgresDSN, nil)
}

func openPostgres(t testing.TB, variable string, params map[string]string) gorm.Dialector {
	t.Helper()
	scoped := newPostgres(t, variable)
	maps.Copy(scoped.RuntimeParams, params)
	pool := stdlib.OpenDB(*scoped)
	t.Cleanup(func() { _ = pool.Close() })
	return postgres.New(postgres.Config{Conn: pool})
}

// NewPostgres creates a schema and returns a configuration that has it as its search path. The schema is dropped after the
// test.
func NewPostgres(t testing.TB) *pgx.ConnConfig {
	t.Helper()
	return newPostgres(t, PostgresDSN)
}

func newPostgres(t testing.TB, variable string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(needDSN(t, variable))
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

// MySQL creates a database on the server of [MySQLDSN]. It skips the test if that is not set.
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
	// GORM gets a pool of ours, not a DSN, so that the test can close it. dbresolver would never close its own.
	t.Cleanup(func() { _ = pool.Close() })
	return mysql.New(mysql.Config{Conn: pool})
}

// NewMySQL creates a database and returns a configuration that names it. The database is dropped after the test.
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
