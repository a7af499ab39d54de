package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// PurgeBatch deletes up to limit rows that were created at the cutoff or before, and reports how many it deleted. It
// finds them by the index on created_at. Fewer than limit means that none was left, or that another purge had them first.
//
// It selects before it deletes: DELETE … LIMIT is not portable, and InnoDB would lock the gaps of a range.
func (s *Store) PurgeBatch(ctx context.Context, cutoff int64, limit int) (int64, error) {
	var ids []models.Text
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.prepared, &models.RefreshToken{})).Where("created_at <= ?", cutoff).
			Order("created_at").Limit(limit).Pluck("id", &ids)
	})
	if result.Error != nil {
		return 0, fmt.Errorf("store: find dead sessions: %w", result.Error)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	result, _ = s.retry(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where("id IN ? AND created_at <= ?", padded(ids), cutoff).Delete(&models.RefreshToken{})
	})
	if result.Error != nil {
		return 0, fmt.Errorf("store: delete dead sessions: %w", result.Error)
	}
	return result.RowsAffected, nil
}
