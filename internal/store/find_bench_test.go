package store_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

func BenchmarkFind(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		rows := store.New(db, "")
		if err := rows.Create(b.Context(), row(idA, "alice")); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if found, err := rows.Find(b.Context(), idA, store.Use); found == nil || err != nil {
				b.Fatal(found, err)
			}
		}
	})
}
