package testhost_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestRowsWaitForACommit: PostgreSQL refuses a serializable read for as long as the commit of another transaction takes.
// Twenty reads without a pause fit into one such commit.
func TestRowsWaitForACommit(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db)
	host.Login("alice")
	committed := time.Now().Add(200 * time.Millisecond)
	err := db.Callback().Query().Before("*").Register("test:commit", func(db *gorm.DB) {
		if time.Now().Before(committed) {
			_ = db.AddError(&pgconn.PgError{Code: "40001", Message: "could not serialize access due to read/write dependencies among transactions"})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows := host.Rows(); len(rows) != 1 {
		t.Errorf("%d rows, want 1", len(rows))
	}
}
