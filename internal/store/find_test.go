package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestColumns: what is not asked for stays zero, and every column is where it belongs.
func TestColumns(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		whole := models.RefreshToken{
			ID: idA, Subject: "alice", Generation: 1, IssuedAt: 2, ExpiresAt: 3, CreatedAt: 4, RevokedAt: 5, RevokedFor: models.ReasonLimit,
			UserAgent: "Firefox", IP: "192.0.2.1", IdleLimit: 6, AbsoluteLimit: 7, Data: `{"device":"a"}`, Binding: `{"jkt":"b"}`,
		}
		create(t, rows, &whole)
		use := whole
		use.CreatedAt, use.IdleLimit, use.AbsoluteLimit, use.Data = 0, 0, 0, ""
		life := models.RefreshToken{ID: whole.ID, Subject: whole.Subject, ExpiresAt: whole.ExpiresAt, CreatedAt: whole.CreatedAt, RevokedAt: whole.RevokedAt}
		for _, row := range []struct {
			name    string
			columns store.Columns
			want    models.RefreshToken
		}{{"whole", store.Whole, whole}, {"use", store.Use, use}, {"life", store.Life, life}} {
			got, err := rows.Find(t.Context(), idA, row.columns)
			if err != nil || *got != row.want {
				t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
			}
			if got, err := rows.Find(t.Context(), idB, row.columns); got != nil || err != nil {
				t.Errorf("%s: got %+v, %v of no row", row.name, got, err)
			}
		}
	})
}

// TestFindOnOneConnection leaves the connection free, whether there was a row, none, or an error.
func TestFindOnOneConnection(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		rows := store.New(db, "")
		create(t, rows, row(idA, "alice"))
		pool.SetMaxOpenConns(1)
		if err := db.Transaction(func(tx *gorm.DB) error {
			within := rows.WithDB(tx)
			for _, id := range []models.Text{idA, idB, idA} {
				if _, err := within.Find(t.Context(), id, store.Whole); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if _, err := rows.Find(stopped, idA, store.Whole); !errors.Is(err, context.Canceled) {
			t.Errorf("a stopped find: %v", err)
		}
		if used := pool.Stats().InUse; used != 0 {
			t.Errorf("%d connections are still in use", used)
		}
	})
}

// TestDryRun: a find says what it would ask for, and that there is no row.
func TestDryRun(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		create(t, store.New(db, ""), row(idA, "alice"))
		recorder, _ := record(db)
		rows := store.New(db.Session(&gorm.Session{DryRun: true, Logger: recorder}), "")
		if got, err := rows.Find(t.Context(), idA, store.Whole); got != nil || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if len(recorder.Seen()) != 1 {
			t.Errorf("logged %q", recorder.Seen())
		}
	})
}

// TestFindTriesAgain where a callback of the host's, or the database, fails for a while.
func TestFindTriesAgain(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	rows := store.New(db, "")
	create(t, rows, row(idA, "alice"))
	tries := 0
	err := db.Callback().Row().Before("*").Register("test:busy", func(db *gorm.DB) {
		if tries++; tries < 3 {
			_ = db.AddError(&pgconn.PgError{Code: "40001"})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rows.Find(t.Context(), idA, store.Whole); got == nil || err != nil || tries != 3 {
		t.Errorf("got %+v, %v after %d tries", got, err, tries)
	}
}

// TestFindKeepsCallbacks: a condition that a callback of the host's adds counts, and the id counts all the same.
func TestFindKeepsCallbacks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		create(t, rows, row(idA, "alice"), row(idB, "bob"))
		err := db.Callback().Row().Before("gorm:row").Register("test:callback", func(db *gorm.DB) {
			db.Statement.AddClause(clause.Where{Exprs: []clause.Expression{clause.Eq{Column: "subject", Value: "alice"}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[models.Text]bool{idA: true, idB: false} {
			if got := find(t, rows, id); (got != nil) != want || got != nil && got.Subject != "alice" {
				t.Errorf("%s: got %+v", id, got)
			}
		}
	})
}

// TestFindBreaksOff: a find that ends before its row is read is an error, or has the row. It never says that there is none.
func TestFindBreaksOff(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		create(t, rows, row(idA, "alice"))
		ctx, stop := context.WithCancel(t.Context())
		if err := db.Callback().Row().After("*").Register("test:stop", func(*gorm.DB) { stop() }); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if got, err := rows.Find(ctx, idA, store.Whole); got == nil && err == nil {
				t.Fatal("it says that there is no row")
			}
			ctx, stop = context.WithCancel(t.Context())
		}
		stop()
	})
}
