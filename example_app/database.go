package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	gormlogger "gorm.io/gorm/logger"
)

// openDatabase opens the database that DATABASE_URL names.
func openDatabase(databaseURL string, logger *slog.Logger) (*gorm.DB, error) {
	dialector, err := dialectorOf(databaseURL)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(dialector, gormConfig(logger))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func gormConfig(logger *slog.Logger) *gorm.Config {
	return &gorm.Config{
		TranslateError: true, // so that a taken email is gorm.ErrDuplicatedKey on every dialect
		Logger: gormlogger.NewSlogLogger(logger, gormlogger.Config{
			SlowThreshold:             time.Second,
			LogLevel:                  gormlogger.Warn,
			IgnoreRecordNotFoundError: true,
			ParameterizedQueries:      true, // keeps emails and hashes out of the log
		}),
	}
}

func closeDatabase(db *gorm.DB, logger *slog.Logger) {
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	if err != nil {
		logger.Warn("close database", "error", err)
	}
}

type transactionKey struct{}

// transaction runs do in a transaction. The ctx that do gets carries the transaction, and dbOf returns it.
//
// The Claims callback, which Issue calls, needs that. On another connection it would not see what do has written. It could also
// wait forever: when every connection of the pool is in a transaction, and each transaction waits for one more connection.
func (a *app) transaction(ctx context.Context, do func(ctx context.Context, tx *gorm.DB) error) error {
	return a.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return do(context.WithValue(ctx, transactionKey{}, tx), tx)
	})
}

// dbOf returns the transaction that ctx carries. If there is none, it returns the pool.
func (a *app) dbOf(ctx context.Context) *gorm.DB {
	if tx, ok := ctx.Value(transactionKey{}).(*gorm.DB); ok {
		return tx.WithContext(ctx)
	}
	return a.db.WithContext(ctx)
}

func dialectorOf(databaseURL string) (gorm.Dialector, error) {
	path, _, _ := strings.Cut(databaseURL, "?")
	if strings.Contains(path, ":memory:") {
		return nil, errors.New("DATABASE_URL is an in-memory database, and every connection would get one of its own: use a file")
	}
	scheme, rest, found := strings.Cut(databaseURL, ":")
	if !found && strings.Contains(path, "=") {
		return nil, errors.New("DATABASE_URL is no URL: use a path, sqlite:PATH, postgres://… or mysql://…")
	}
	if !found {
		return sqlite.Open(sqliteDSN(databaseURL)), nil
	}
	switch scheme {
	case "sqlite", "file":
		return sqlite.Open(sqliteDSN(strings.TrimPrefix(rest, "//"))), nil
	case "postgres", "postgresql":
		return postgres.Open(databaseURL), nil
	case "mysql":
		dsn, err := mysqlDSN(databaseURL)
		if err != nil {
			return nil, err
		}
		return mysql.Open(dsn), nil
	default:
		return nil, fmt.Errorf("DATABASE_URL has the scheme %q: use a path, sqlite:, postgres:// or mysql://", scheme)
	}
}

// sqliteDSN returns the DSN of a SQLite file. WAL lets readers work beside the one writer. The busy timeout makes a second
// writer wait for the first. Immediate makes every transaction take the write lock when it begins: a transaction that has
// already read would fail if it had to wait for the lock later.
func sqliteDSN(path string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return "file:" + path + separator + "_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"
}

// mysqlDSN turns a URL into a DSN of the driver. The URL's query becomes the driver's parameters.
func mysqlDSN(databaseURL string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("DATABASE_URL is not mysql://user:password@host:port/db") // err would show the password
	}
	config, err := mysqldriver.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return "", fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Net = "tcp"
	config.Addr = u.Host
	if u.Port() == "" {
		config.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	config.DBName = strings.TrimPrefix(u.Path, "/")
	return config.FormatDSN(), nil
}
