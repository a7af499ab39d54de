package store_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestCreateKeepsCallbacks: what a callback of the host's does to an INSERT of GORM's own making, it does to a login.
func TestCreateKeepsCallbacks(t *testing.T) {
	for name, test := range map[string]struct {
		callback func(db *gorm.DB)
		ip       models.Text
		fails    bool // a second login with the same id
	}{
		"none":         {func(*gorm.DB) {}, "192.0.2.1", true},
		"sets a value": {func(db *gorm.DB) { db.Statement.SetColumn("ip", "masked") }, "masked", true},
		"asks for the row back": {func(db *gorm.DB) {
			if db.Name() != "mysql" { // whose GORM driver has no such thing
				db.Statement.AddClause(clause.Returning{})
			}
		}, "192.0.2.1", true},
		"ignores a row that is there": {func(db *gorm.DB) {
			if db.Name() == "mysql" {
				db.Statement.AddClause(clause.Insert{Modifier: "IGNORE"})
			} else {
				db.Statement.AddClause(clause.OnConflict{DoNothing: true})
			}
		}, "192.0.2.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				var inserted []int64
				after := func(db *gorm.DB) { inserted = append(inserted, db.RowsAffected) }
				if err := db.Callback().Create().Before("gorm:create").Register("test:before", test.callback); err != nil {
					t.Fatal(err)
				}
				if err := db.Callback().Create().After("gorm:create").Register("test:after", after); err != nil {
					t.Fatal(err)
				}
				rows := store.New(db, "")
				create(t, rows, row(idA, "alice"))
				if err := rows.Create(t.Context(), row(idA, "bob")); (err != nil) != test.fails {
					t.Errorf("the second login: %v", err)
				}
				if got := find(t, rows, idA); got.Subject != "alice" || got.IP != test.ip {
					t.Errorf("got %+v", got)
				}
				if len(inserted) != 2 || inserted[0] != 1 || inserted[1] != 0 {
					t.Errorf("the callback after it was told of %d rows", inserted)
				}
			})
		})
	}
}

// TestCreateInDryRun says what it would insert, and inserts nothing.
func TestCreateInDryRun(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		recorder, _ := record(db)
		create(t, store.New(db.Session(&gorm.Session{DryRun: true, Logger: recorder}), ""), row(idA, "alice"))
		if len(recorder.Seen()) != 1 {
			t.Errorf("logged %q", recorder.Seen())
		}
		if got := find(t, store.New(db, ""), idA); got != nil {
			t.Errorf("inserted %+v", got)
		}
	})
}
