package store_test

import (
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

func BenchmarkCreate(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		rows := store.New(db, "")
		b.ReportAllocs()
		for b.Loop() {
			if err := rows.Create(b.Context(), row(models.Text(uuid.Must(uuid.NewV7()).String()), "alice")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
