package store_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestCreateOnce: of many with one id, one creates the row, and the others change nothing.
func TestCreateOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		const n = 20
		created := make([]bool, n)
		var wait sync.WaitGroup
		for i := range n {
			wait.Go(func() {
				mine := row(idA, "alice")
				mine.IssuedAt = int64(i)
				var err error
				if created[i], _, err = rows.CreateOnce(t.Context(), mine, true); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		winners := 0
		for i := range n {
			if created[i] {
				winners++
				want := row(idA, "alice")
				want.IssuedAt = int64(i)
				if got := find(t, rows, idA); got == nil || *got != *want {
					t.Errorf("the row is %+v, want %+v", got, want)
				}
			}
		}
		if winners != 1 {
			t.Errorf("%d created it", winners)
		}
	})
}

// TestCreateOnceInTransaction: a row that is there breaks no transaction of the host's.
func TestCreateOnceInTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		create(t, store.New(db, ""), row(idA, "alice"))
		err := db.Transaction(func(tx *gorm.DB) error {
			rows := store.New(tx, "")
			if created, _, err := rows.CreateOnce(t.Context(), row(idA, "bob"), true); created || err != nil {
				t.Errorf("created %t, %v", created, err)
			}
			created, _, err := rows.CreateOnce(t.Context(), row(idB, "bob"), true)
			if !created {
				t.Error("a new one was not created")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		rows := store.New(db, "")
		if a, b := find(t, rows, idA), find(t, rows, idB); a.Subject != "alice" || b == nil {
			t.Errorf("the rows are %+v and %+v", a, b)
		}
	})
}

// TestCreateOnceOnABrokenConnection: it tries again where that does no harm, and says that it can't be sure.
func TestCreateOnceOnABrokenConnection(t *testing.T) {
	for _, repeatable := range []bool{true, false} {
		testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
			rows := store.New(db, "")
			left := 1
			err := db.Callback().Create().After("*").Register("test:break", func(db *gorm.DB) {
				if left > 0 {
					left--
					_ = db.AddError(io.ErrUnexpectedEOF)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			created, unsure, err := rows.CreateOnce(t.Context(), row(idA, "alice"), repeatable)
			if created || unsure != repeatable || errors.Is(err, io.ErrUnexpectedEOF) == repeatable {
				t.Errorf("repeatable %t: created %t, unsure %t, %v", repeatable, created, unsure, err)
			}
			var n int64
			if err := db.Model(&models.RefreshToken{}).Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}
