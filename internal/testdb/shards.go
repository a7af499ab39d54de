package testdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Sharded is an environment variable with [Shards] in JSON. If it is set, [Engines] returns these servers and no others.
const Sharded = "REFRESHTOKENS_SHARDED"

// Shards are servers that hold a table together. internal/shards starts them.
type Shards struct {
	Dialect string
	Fronts  []string // DSNs of the servers that a host connects to
	Shards  []string // DSNs of the servers that have the rows
	// Spread is the SQL that replaces a front's own table by one that is spread over the shards. It says NAMESPACE where it names
	// the schema, or the database, of the table.
	Spread []string
}

// Open makes new tables. The connections of the pool that it returns go to all fronts by turns.
func (s Shards) Open(t testing.TB) gorm.Dialector {
	t.Helper()
	return s.dial(t, s.NewTables(t), s.Fronts)
}

// Front opens the tables of a name on one of the fronts.
func (s Shards) Front(t testing.TB, name string, i int) gorm.Dialector {
	t.Helper()
	return s.dial(t, name, s.Fronts[i:i+1])
}

// Shard opens the part of the tables of a name that one of the shards has.
func (s Shards) Shard(t testing.TB, name string, i int) gorm.Dialector {
	t.Helper()
	return s.dial(t, name, s.Shards[i:i+1])
}

// NewTables makes the tables on all servers, in a schema or database of a new name, which it returns. They are dropped after the
// test. The front's table has no index and no primary key where the dialect allows none.
func (s Shards) NewTables(t testing.TB) string {
	t.Helper()
	name := newName()
	table, err := models.Schema(s.Dialect, "")
	if err != nil {
		t.Fatal(err)
	}
	kind, cascade := "DATABASE", ""
	if s.Dialect == "postgres" {
		kind, cascade = "SCHEMA", " CASCADE"
	}
	for i, dsn := range slices.Concat(s.Shards, s.Fronts) {
		admin := s.open(t, "", []string{dsn})
		execute(t, admin, "CREATE "+kind+" "+name)
		t.Cleanup(func() { // a shard that is down at the end is removed with its directory
			_, _ = admin.Exec("DROP " + kind + " " + name + cascade)
			_ = admin.Close()
		})
		db := s.open(t, name, []string{dsn})
		statements := strings.Split(table, ";")
		if i >= len(s.Shards) {
			statements = append(statements, s.Spread...)
		}
		for _, statement := range statements {
			if strings.TrimSpace(statement) != "" {
				execute(t, db, strings.ReplaceAll(statement, "NAMESPACE", name))
			}
		}
		_ = db.Close()
	}
	return name
}

func (s Shards) dial(t testing.TB, name string, dsns []string) gorm.Dialector {
	t.Helper()
	pool := s.open(t, name, dsns)
	t.Cleanup(func() { _ = pool.Close() })
	if s.Dialect == "postgres" {
		return postgres.New(postgres.Config{Conn: pool})
	}
	return mysql.New(mysql.Config{Conn: pool})
}

// open returns a pool whose connections go to the servers by turns, and name a schema or database.
func (s Shards) open(t testing.TB, name string, dsns []string) *sql.DB {
	t.Helper()
	var pool *sql.DB
	var err error
	if s.Dialect == "postgres" {
		pool, err = alternatePostgres(name, dsns)
	} else {
		pool, err = alternateMySQL(name, dsns)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func alternatePostgres(name string, dsns []string) (*sql.DB, error) {
	configs := make([]*pgx.ConnConfig, len(dsns))
	for i, dsn := range dsns {
		var err error
		if configs[i], err = pgx.ParseConfig(dsn); err != nil {
			return nil, err
		}
		if name != "" {
			configs[i].RuntimeParams["search_path"] = name
		}
	}
	var turn atomic.Uint64
	return stdlib.OpenDB(*configs[0], stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
		next := configs[turn.Add(1)%uint64(len(configs))]
		config.Host, config.Port = next.Host, next.Port
		return nil
	})), nil
}

func alternateMySQL(name string, dsns []string) (*sql.DB, error) {
	configs := make([]*mysqldriver.Config, len(dsns))
	for i, dsn := range dsns {
		var err error
		if configs[i], err = mysqldriver.ParseDSN(dsn); err != nil {
			return nil, err
		}
	}
	var turn atomic.Uint64
	config := configs[0].Clone()
	config.DBName = name
	err := config.Apply(mysqldriver.BeforeConnect(func(_ context.Context, config *mysqldriver.Config) error {
		config.Addr = configs[turn.Add(1)%uint64(len(configs))].Addr
		return nil
	}))
	if err != nil {
		return nil, err
	}
	connector, err := mysqldriver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// sharded returns what [Sharded] says, if it is set.
func sharded() (engines []Engine, set bool) {
	text := os.Getenv(Sharded)
	if text == "" {
		return nil, false
	}
	var all []Shards
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		panic(Sharded + ": " + err.Error())
	}
	for _, shards := range all {
		engines = append(engines, Engine{shards.Dialect, shards.Open})
	}
	return engines, true
}
