package store_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

func BenchmarkRotate(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		rows := store.New(db, "")
		next := row(idA, "alice")
		if err := rows.Create(b.Context(), next); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			next.Generation++
			if rotated, err := rows.Rotate(b.Context(), next, true); !rotated || err != nil {
				b.Fatal(rotated, err)
			}
		}
	})
}
