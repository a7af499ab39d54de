package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// engine is a database for this module and for the floor. Both use the same server, the same driver and the same number of
// connections.
type engine struct {
	name  string
	dsn   string
	db    *gorm.DB
	floor floorStore
	// hard is the hard floor's statement.
	hard hardUpdate
	// sqlFloor is the floor through database/sql, which GORM uses too. It is nil if floor already goes through database/sql.
	sqlFloor floorStore
	close    func()
}

// connections is how many each pool has.
const connections = 16

// must returns value, or ends the program if there is an error.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// openGORM opens and migrates a database as a host does. set configures its pool.
func openGORM(dialector gorm.Dialector, set func(*sql.DB)) *gorm.DB {
	db := must(gorm.Open(dialector, &gorm.Config{Logger: logger.Discard}))
	set(must(db.DB()))
	if err := db.AutoMigrate(models.All()...); err != nil {
		log.Fatal(err)
	}
	return db
}

func limit(pool *sql.DB) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
}

// listingDSN holds the settings with which the README's complete host opens SQLite.
const listingDSN = "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"

// openListingSQLite opens SQLite as the README's complete host does, with the default pool of database/sql.
func openListingSQLite() *engine {
	return openSQLite("SQLite as in the README", listingDSN, func(*sql.DB) {})
}

// openTunedSQLite opens SQLite with one connection. SQLite allows one writer at a time, so more connections would only wait in
// its busy handler.
func openTunedSQLite() *engine {
	return openSQLite("SQLite with one connection", listingDSN+"&_synchronous=NORMAL", func(pool *sql.DB) { pool.SetMaxOpenConns(1) })
}

func openSQLite(name, settings string, set func(*sql.DB)) *engine {
	dir := must(os.MkdirTemp("", "refreshtokens-bench"))
	dsn := "file:" + filepath.Join(dir, "app.db") + settings
	db := openGORM(sqlite.Open(dsn), set)
	pool := must(sql.Open("sqlite3", dsn))
	set(pool)
	floor := newSQLFloor(pool, questionMarks)
	return &engine{name: name, dsn: dsn, db: db, floor: floor, hard: floor.set, close: func() {
		_ = pool.Close()
		_ = must(db.DB()).Close()
		_ = os.RemoveAll(dir)
	}}
}

func openMySQL(dsn string) *engine {
	config := must(mysqldriver.ParseDSN(dsn))
	admin := must(sql.Open("mysql", dsn))
	config.DBName = newName()
	must(admin.Exec("CREATE DATABASE " + config.DBName))
	db := openGORM(mysql.Open(config.FormatDSN()), limit)
	pool := must(sql.Open("mysql", config.FormatDSN()))
	limit(pool)
	floor := newSQLFloor(pool, questionMarks)
	return &engine{name: "MariaDB", dsn: config.FormatDSN(), db: db, floor: floor, hard: floor.set, close: func() {
		_ = pool.Close()
		_ = must(db.DB()).Close()
		must(admin.Exec("DROP DATABASE " + config.DBName))
		_ = admin.Close()
	}}
}

func openPostgres(dsn string) *engine {
	admin := must(pgx.Connect(context.Background(), dsn))
	schema := newName()
	must(admin.Exec(context.Background(), "CREATE SCHEMA "+schema))
	config := must(pgxpool.ParseConfig(dsn))
	config.ConnConfig.RuntimeParams["search_path"] = schema
	config.MaxConns = connections
	c := config.ConnConfig
	own := fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s search_path=%s sslmode=disable",
		c.Host, c.Port, c.User, c.Password, c.Database, schema)
	db := openGORM(postgres.Open(own), limit)
	pool := must(pgxpool.NewWithConfig(context.Background(), config))
	sqlPool := stdlib.OpenDB(*config.ConnConfig)
	limit(sqlPool)
	floor := pgxFloor{pool}
	return &engine{name: "PostgreSQL", dsn: own, db: db, floor: floor, hard: floor.set, sqlFloor: newSQLFloor(sqlPool, dollars), close: func() {
		pool.Close()
		_ = sqlPool.Close()
		_ = must(db.DB()).Close()
		must(admin.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE"))
		_ = admin.Close(context.Background())
	}}
}

func newName() string {
	return fmt.Sprintf("rt_bench_%x", time.Now().UnixNano())
}

func newID() string {
	return must(uuid.NewV7()).String()
}
