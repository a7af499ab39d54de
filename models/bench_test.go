package models_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

func BenchmarkRotate(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		store := models.NewStore(db, "")
		next := row(idA, "alice")
		if err := store.Create(b.Context(), next); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			next.Generation++
			if rotated, err := store.Rotate(b.Context(), next, true); !rotated || err != nil {
				b.Fatal(rotated, err)
			}
		}
	})
}
