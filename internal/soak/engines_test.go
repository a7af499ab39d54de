package soak_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// engine is a database as the soak sees it.
type engine struct {
	name string
	open func() gorm.Dialector // a pool of its own each time

	// kill ends the connections of the soak's own pools, and no others. Nil where there are none to kill.
	kill func(ctx context.Context) (int, error)
	// statements counts the prepared statements of one connection. Nil where the server has none.
	statements func(ctx context.Context, conn *sql.Conn) (int, error)
}

func engines(t *testing.T) []engine {
	return []engine{sqliteEngine(t), postgresEngine(t), mysqlEngine(t)}
}

func sqliteEngine(t *testing.T) engine {
	file := filepath.Join(t.TempDir(), "soak.db")
	return engine{name: "sqlite", open: func() gorm.Dialector {
		return sqlite.Open("file:" + file + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate")
	}}
}

func postgresEngine(t *testing.T) engine {
	config := testdb.NewPostgres(t)
	admin := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = admin.Close() })
	ours := config.RuntimeParams["search_path"] // a schema of the test's own
	config = config.Copy()
	config.RuntimeParams["application_name"] = ours
	return engine{
		name: "postgres",
		open: func() gorm.Dialector {
			pool := stdlib.OpenDB(*config)
			t.Cleanup(func() { _ = pool.Close() })
			return postgres.New(postgres.Config{Conn: pool})
		},
		kill: func(ctx context.Context) (killed int, err error) {
			err = admin.QueryRowContext(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1", ours).Scan(&killed)
			return killed, err
		},
		statements: func(ctx context.Context, conn *sql.Conn) (n int, err error) {
			err = conn.QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements").Scan(&n)
			return n, err
		},
	}
}

func mysqlEngine(t *testing.T) engine {
	config := testdb.NewMySQL(t)
	config.Logger = &mysqldriver.NopLogger{} // it would log every connection that is killed
	connect := func() *sql.DB {
		connector, err := mysqldriver.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		pool := sql.OpenDB(connector)
		t.Cleanup(func() { _ = pool.Close() })
		return pool
	}
	admin := connect()
	admin.SetMaxOpenConns(1)
	return engine{
		name: "mysql",
		open: func() gorm.Dialector { return mysql.New(mysql.Config{Conn: connect()}) },
		kill: func(ctx context.Context) (int, error) { return killMySQL(ctx, admin, config.DBName) },
		statements: func(ctx context.Context, conn *sql.Conn) (int, error) {
			// Prepared_stmt_count is the whole server's. These two are the connection's own.
			var prepared, closed int
			var name string
			if err := conn.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'").Scan(&name, &prepared); err != nil {
				return 0, err
			}
			err := conn.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Com_stmt_close'").Scan(&name, &closed)
			return prepared - closed, err
		},
	}
}

// killMySQL ends the connections to a database that is the test's own.
func killMySQL(ctx context.Context, admin *sql.DB, database string) (int, error) {
	rows, err := admin.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ? AND id <> connection_id()", database)
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
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, id := range ids {
		_, _ = admin.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have ended by itself
	}
	return len(ids), nil
}
