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
	db    *gorm.DB
	floor floorStore
	// sqlFloor is the floor through database/sql, which GORM uses too. It is nil if floor already goes through database/sql.
	sqlFloor floorStore
	close    func()
}

// floorStore has the least work that a refresh and a login can ask of a database.
type floorStore interface {
	// bump updates one row and returns its generation.
	bump(ctx context.Context, id string, now, expires int64) (int64, error)
	// read returns the generation of one row.
	read(ctx context.Context, id string) (int64, error)
	insert(ctx context.Context, id, subject string, now, expires int64) error
}

const (
	connections = 16
	updateSQL   = "UPDATE refresh_tokens SET generation = generation + 1, issued_at = %s, expires_at = %s WHERE id = %s"
	selectSQL   = "SELECT generation FROM refresh_tokens WHERE id = %s"
	// insertInto names every column, because none has a default.
	insertInto = "INSERT INTO refresh_tokens (id, subject, generation, issued_at, expires_at, created_at, revoked_at, revoked_for, user_agent, ip) "
	insertSQL  = insertInto + "VALUES (%s, %s, 1, %s, %s, %s, 0, '', '', '')"
)

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
	return &engine{name: name, db: db, floor: newSQLFloor(pool, questionMarks), close: func() {
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
	return &engine{name: "MariaDB", db: db, floor: newSQLFloor(pool, questionMarks), close: func() {
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
	db := openGORM(postgres.Open(fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s search_path=%s sslmode=disable",
		c.Host, c.Port, c.User, c.Password, c.Database, schema)), limit)
	pool := must(pgxpool.NewWithConfig(context.Background(), config))
	sqlPool := stdlib.OpenDB(*config.ConnConfig)
	limit(sqlPool)
	return &engine{name: "PostgreSQL", db: db, floor: pgxFloor{pool}, sqlFloor: newSQLFloor(sqlPool, dollars), close: func() {
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

// pgxFloor uses pgx without database/sql, which is the fastest way to reach PostgreSQL.
type pgxFloor struct{ pool *pgxpool.Pool }

func (f pgxFloor) bump(ctx context.Context, id string, now, expires int64) (generation int64, err error) {
	err = f.pool.QueryRow(ctx, fmt.Sprintf(updateSQL, "$1", "$2", "$3")+" RETURNING generation", now, expires, id).Scan(&generation)
	return generation, err
}

func (f pgxFloor) read(ctx context.Context, id string) (generation int64, err error) {
	err = f.pool.QueryRow(ctx, fmt.Sprintf(selectSQL, "$1"), id).Scan(&generation)
	return generation, err
}

func (f pgxFloor) insert(ctx context.Context, id, subject string, now, expires int64) error {
	_, err := f.pool.Exec(ctx, fmt.Sprintf(insertSQL, "$1", "$2", "$3", "$4", "$5"), id, subject, now, expires, now)
	return err
}

// sqlFloor uses database/sql with prepared statements. Its bump does not know the generation, because MariaDB's UPDATE returns
// no columns.
type sqlFloor struct{ update, find, create *sql.Stmt }

func newSQLFloor(pool *sql.DB, placeholders []any) sqlFloor {
	return sqlFloor{
		update: must(pool.Prepare(fmt.Sprintf(updateSQL, placeholders[:3]...))),
		find:   must(pool.Prepare(fmt.Sprintf(selectSQL, placeholders[0]))),
		create: must(pool.Prepare(fmt.Sprintf(insertSQL, placeholders...))),
	}
}

// The placeholders of the dialects.
var (
	questionMarks = []any{"?", "?", "?", "?", "?"}
	dollars       = []any{"$1", "$2", "$3", "$4", "$5"}
)

func (f sqlFloor) bump(ctx context.Context, id string, now, expires int64) (int64, error) {
	_, err := f.update.ExecContext(ctx, now, expires, id)
	return now, err
}

func (f sqlFloor) read(ctx context.Context, id string) (generation int64, err error) {
	err = f.find.QueryRowContext(ctx, id).Scan(&generation)
	return generation, err
}

func (f sqlFloor) insert(ctx context.Context, id, subject string, now, expires int64) error {
	_, err := f.create.ExecContext(ctx, id, subject, now, expires, now)
	return err
}

func newID() string {
	return must(uuid.NewV7()).String()
}
