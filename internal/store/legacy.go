package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// CreateOnce inserts a row, unless there is one with the same id. Of several at once, one inserts. It reports whether this one did.
//
// With repeatable set, CreateOnce tries again after a broken connection, and unsure is true: if it then finds a row, that may be
// its own.
func (s *Store) CreateOnce(ctx context.Context, row *models.RefreshToken, repeatable bool) (created, unsure bool, err error) {
	broken := once
	if repeatable {
		broken = again
	}
	// An error about a duplicate would end a transaction of the host's on PostgreSQL. MySQL's ON DUPLICATE KEY UPDATE counts
	// the row that is there as affected where the host's DSN says clientFoundRows; its INSERT IGNORE doesn't.
	var unlessExists clause.Expression = clause.OnConflict{DoNothing: true}
	if s.db.Name() == "mysql" {
		unlessExists = clause.Insert{Modifier: "IGNORE"}
	}
	result, unsure := s.retry(ctx, broken, func() *gorm.DB {
		return s.insert(ctx, row, unlessExists)
	})
	if result.Error != nil {
		return false, unsure, fmt.Errorf("store: create session once: %w", result.Error)
	}
	return result.RowsAffected > 0, unsure, nil
}

// FindAny returns the rows of those ids that there are.
func (s *Store) FindAny(ctx context.Context, ids []models.Text) ([]models.RefreshToken, error) {
	var rows []models.RefreshToken
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.prepared, &models.RefreshToken{})).Where("id IN ?", padded(ids)).Find(&rows)
	})
	if result.Error != nil {
		return nil, fmt.Errorf("store: find sessions: %w", result.Error)
	}
	return rows, nil
}
