package plugin_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestNewSaysWhatIsWrongWithTheDatabase: no panic, and no word of a missing table where it is something else.
func TestNewSaysWhatIsWrongWithTheDatabase(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String() // listens no more
	_ = listener.Close()
	quiet := func() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }
	closed := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	pool, err := closed.DB()
	if err != nil {
		t.Fatal(err)
	}
	_ = pool.Close()
	// A careless host ignores the error of gorm.Open.
	mysqlDown, _ := gorm.Open(mysql.Open("u:a-password@tcp("+nobody+")/d"), quiet())
	postgresDown, _ := gorm.Open(postgres.Open("postgres://u:a-password@"+nobody+"/d"), quiet())
	noDialector, _ := gorm.Open(nil, quiet())
	for _, row := range []struct {
		name string
		db   *gorm.DB
		says string
	}{
		{"a *gorm.DB from nowhere", &gorm.DB{}, "DB was never opened: check the error of gorm.Open"},
		{"no dialector", noDialector, "DB was never opened"},
		{"MySQL is down", mysqlDown, "DB was never opened"},
		{"PostgreSQL is down", postgresDown, ""}, // GORM gives out one that looks well
		{"the pool is closed", closed, "the database can't be reached: sql: database is closed"},
	} {
		_, err := plugin.New(plugin.Config{DB: row.db, Secret: []byte(testhost.Secret)})
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "there is no table") {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "a-password") {
			t.Errorf("%s: the password is in the error: %v", row.name, err)
		}
	}
}

// TestNewWithoutGrants: a role that may not read the table is told so.
func TestNewWithoutGrants(t *testing.T) {
	config := testdb.NewPostgres(t)
	owner := testdb.Open(t, postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)}), &gorm.Config{})
	role := fmt.Sprintf("rt_nobody_%d", time.Now().UnixNano())
	for _, statement := range []string{"CREATE ROLE " + role, "GRANT USAGE ON SCHEMA " + config.RuntimeParams["search_path"] + " TO " + role} {
		if err := owner.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		owner.Exec("DROP OWNED BY " + role)
		owner.Exec("DROP ROLE " + role)
	})
	err := owner.Connection(func(tx *gorm.DB) error {
		if err := tx.Exec("SET ROLE " + role).Error; err != nil {
			return err
		}
		defer tx.Exec("RESET ROLE")
		_, err := plugin.New(plugin.Config{DB: tx, Secret: []byte(testhost.Secret)})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "there is no table") {
		t.Errorf("%v", err)
	}
}

// TestStatementsEnd: every statement of an operation that goes on without its request has a deadline.
func TestStatementsEnd(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tokens := host.Login("alice")
		statements := 0
		check := func(db *gorm.DB) {
			statements++
			deadline, ok := db.Statement.Context.Deadline()
			if !ok || time.Until(deadline) > 15*time.Second || db.Statement.Context.Err() != nil {
				t.Errorf("%s: deadline %v, %v, %v", db.Statement.SQL.String(), deadline, ok, db.Statement.Context.Err())
			}
		}
		for _, processor := range []interface {
			Register(string, func(*gorm.DB)) error
		}{db.Callback().Query(), db.Callback().Row(), db.Callback().Update()} {
			if err := processor.Register("test:deadline", check); err != nil {
				t.Fatal(err)
			}
		}
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		if _, err := host.Refresh(gone, tokens.Refresh.Token, plugin.Device{}); err != nil {
			t.Error(err)
		}
		if _, err := host.Sessions(gone, "alice"); err != nil {
			t.Error(err)
		}
		if _, err := host.Session(gone, "alice", host.SessionID(tokens)); err != nil {
			t.Error(err)
		}
		if err := host.Revoke(gone, tokens.Refresh.Token); err != nil {
			t.Error(err)
		}
		if err := host.RevokeAll(gone, "alice"); err != nil {
			t.Error(err)
		}
		if err := host.RevokeSession(gone, "alice", host.SessionID(tokens)); err == nil {
			t.Error("ended twice")
		}
		if statements != 6 {
			t.Errorf("%d statements", statements)
		}
	})
}
